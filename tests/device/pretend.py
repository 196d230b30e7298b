"""An accelerator that is none: its tensors stay on the CPU, its rules are those of a GPU.

A :class:`Pretend` tensor says that it lives on :data:`DEVICE`. What a GPU would refuse raises
:class:`TwoDevices`; where the host would have to wait for a GPU, :class:`Accelerator` notes where
that was. Values are computed by the CPU's own kernels, so a run on the pretend device must agree
with one on the CPU to the bit.

The device is called "meta": the engine of autograd has a thread for every real accelerator and
would look for one. Two things torch has no hook for are replaced while an :class:`Accelerator` is
in use: autocast and generators, which know no "meta", and the functions
that make tensors of Python's numbers, which never reach the dispatcher.
"""

import contextlib
import traceback

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("meta")
READS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
"""Torch's own marks of operations whose result the host has to know."""

HIDDEN_READS = ("multinomial",)
"""Operations that read a value in their CUDA kernels and are not marked."""

LOOKUPS = ("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index")
TAKES_A_NUMBER = ("fill", "fill_", "masked_fill", "masked_fill_", *LOOKUPS)
"""Not elementwise, and still served by a tensor of no dimension from the host."""

COPIES = ("copy_", "_to_copy")


class TwoDevices(RuntimeError):
    """Tensors, or a generator, of two devices met in one operation."""


class Pretend(torch.Tensor):
    """``inner``, a tensor on the CPU, as one on the pretend device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor):
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        tensor.inner = inner
        return tensor

    def __reduce_ex__(self, protocol):
        return self.inner.__reduce_ex__(protocol)  # what is read with map_location="cpu"

    def __repr__(self, *, tensor_contents=None):
        return f"Pretend({self.inner})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _execute(func, args, kwargs or {}, [])


class Accelerator(TorchDispatchMode):
    """``with Accelerator() as device:`` tensors go to :data:`DEVICE` and compute there.

    ``device.waits`` says for each wait of the host what it was for, and where.
    """

    def __init__(self):
        super().__init__()
        self.waits: list[str] = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(torch, "autocast", _autocast)
        patch.setattr(torch, "Generator", _EitherGenerator)
        self.stack.enter_context(_Numbers(self.waits))
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.stack.close()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _execute(func, args, kwargs or {}, self.waits)

    @classmethod
    def _should_skip_dynamo(cls):
        return False  # there is none here, and torch would import it, which takes seconds


class _Numbers(TorchFunctionMode):
    """Python's numbers to the device and back, which the dispatcher never sees: both are waits."""

    MAKERS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)

    def __init__(self, waits: list[str]):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.Tensor.tolist and isinstance(args[0], Pretend):
            self.waits.append(f"tolist at {_where()}")
            return args[0].inner.tolist()
        if func not in self.MAKERS or isinstance(args[-1], torch.Tensor):
            return func(*args, **kwargs)
        if func is torch.Tensor.new_tensor:
            kwargs = {"device": args[0].device, "dtype": args[0].dtype} | kwargs
        device = kwargs.pop("device", None)
        made = torch.tensor(args[-1], **kwargs)
        if not _is_pretend(device):
            return made
        self.waits.append(f"tensor of numbers at {_where()}")
        return Pretend(made)


_real_autocast, _Generator = torch.autocast, torch.Generator


def _autocast(device_type, *args, **kwargs):
    if device_type == DEVICE.type:
        return contextlib.nullcontext()
    return _real_autocast(device_type, *args, **kwargs)


class _EitherGenerator(_Generator):
    """One of the host, or of the pretend device where that is asked for."""

    def __new__(cls, device="cpu"):
        made = super().__new__(cls, "cpu" if _is_pretend(device) else device)
        made.on_device = _is_pretend(device)
        return made


def _is_pretend(device) -> bool:
    return device is not None and torch.device(device).type == DEVICE.type


def _name(func) -> str:
    return func.overloadpacket.__name__


def _execute(func, args, kwargs, waits):
    """Run an operation on the CPU and give its result the device it would have."""
    leaves = []
    inside = _inside(args, leaves)
    options = {key: _inside(value, leaves) for key, value in kwargs.items()}
    asked = kwargs.get("device")
    here = any(isinstance(leaf, Pretend) for leaf in leaves)
    on_device = here if asked is None else _is_pretend(asked)
    if here or on_device:
        _refuse_two_devices(func, leaves)
        waits += [f"{why} at {_where()}" for why in _waits(func, args, kwargs, on_device)]
    if asked is not None:
        options["device"] = "cpu"
    out = func(*inside, **options)
    if not on_device:
        return out
    # What was written in place is handed back as the tensor that it was before, on either side.
    known = {id(leaf.inner if isinstance(leaf, Pretend) else leaf): leaf for leaf in leaves}
    return _outside(out, known)


def _inside(value, leaves: list):
    """``value`` with what pretends laid open; its tensors and generators go to ``leaves``."""
    if isinstance(value, list | tuple):
        return type(value)([_inside(item, leaves) for item in value])
    if isinstance(value, torch.Tensor | _Generator):
        leaves.append(value)
    return value.inner if isinstance(value, Pretend) else value


def _outside(value, known: dict):
    if isinstance(value, list | tuple):
        return type(value)([_outside(item, known) for item in value])
    if not isinstance(value, torch.Tensor):
        return value
    return known[id(value)] if id(value) in known else Pretend(value)


def _waits(func, args, kwargs, on_device: bool) -> list[str]:
    """What the host would wait for in an operation on the device, or on its way there or back."""
    name = _name(func)
    if name == "copy_":
        lazy = kwargs.get("non_blocking", args[2] if len(args) > 2 else False)
        return _copied(args[1], isinstance(args[0], Pretend), lazy)
    if name == "_to_copy":
        return _copied(args[0], on_device, kwargs.get("non_blocking"))
    if name in LOOKUPS:
        index = [i for i in args[1] if i is not None]
        by_mask = any(i.dtype in (torch.bool, torch.uint8) for i in index)
        if by_mask and not (len(args) > 2 and args[2].numel() == 1):  # which fills, and needs none
            return ["lookup by a mask"]
        return ["lookup by numbers of the host"] * any(not isinstance(i, Pretend) for i in index)
    return [name] * (name in HIDDEN_READS or not READS.isdisjoint(func.tags))


def _copied(source, to_device: bool, lazy) -> list[str]:
    """Without ``non_blocking`` a copy is over when it returns; one to the host is used at once."""
    if isinstance(source, Pretend) == to_device or (to_device and lazy):
        return []
    return [f"copy {'to' if to_device else 'from'} the device"]


def _refuse_two_devices(func, leaves) -> None:
    name = _name(func)
    if any(isinstance(t, _Generator) and not getattr(t, "on_device", False) for t in leaves):
        raise TwoDevices(f"{func} on the device with a generator of the host")
    host = [t for t in leaves if isinstance(t, torch.Tensor) and not isinstance(t, Pretend)]
    if not host or len(host) == len(leaves):  # of which nothing but the shape is taken
        return
    if any(_is_pretend(t.device) for t in host):
        raise TwoDevices(f"{func} with numbers that came to the device around the dispatcher")
    if name in COPIES or (name in LOOKUPS and isinstance(leaves[0], Pretend)):
        return
    number = torch.Tag.pointwise in func.tags or name in TAKES_A_NUMBER
    written = func._schema.is_mutable and host[0] is leaves[0]
    if written or any(t.dim() > 0 or not number for t in host):
        raise TwoDevices(f"{func}: {[tuple(t.shape) for t in host]} on the host, others not")


def _where() -> str:
    """The innermost line outside of torch, and of this file."""
    frames = [f for f in traceback.extract_stack() if "/torch/" not in f.filename]
    frame = next(f for f in reversed(frames) if f.filename != __file__)
    return f"{frame.filename}:{frame.lineno}"
