"""The optimizer: parameter groups, mixed precision, accumulation and clipping."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from mmengine.optim import OptimWrapper
from torch import nn
from torch.optim import Optimizer

AMP = {"none": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def parameter_groups(model: nn.Module, weight_decay: float, decay_all: bool) -> list[dict]:
    """Parameters to optimise; without ``decay_all``, norms, biases and what the network names in
    ``no_weight_decay`` (class token, position embedding) go to a group that does not decay."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    if decay_all:
        return [{"params": [p for _, p in named]}]
    net = getattr(model, "net", model)
    exempt = {f"net.{name}" for name in getattr(net, "no_weight_decay", set)()}
    free = [p for name, p in named if p.ndim <= 1 or name.endswith(".bias") or name in exempt]
    ids = {id(p) for p in free}
    return [
        {"params": [p for _, p in named if id(p) not in ids], "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


class Precision(OptimWrapper):
    """mmengine's wrapper with autocast on any device and clipping that never waits for it.

    mmengine's own AMP wrapper refuses the CPU, and its clipping reads the norm at every step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        device: torch.device,
        amp: str = "none",
        accumulate: int = 1,
        clip_grad: float | None = None,
    ):
        clip = {"max_norm": clip_grad} if clip_grad else None
        super().__init__(optimizer, accumulative_counts=accumulate, clip_grad=clip)
        self.device, self.dtype = device, AMP[amp]
        self.scaler = torch.amp.GradScaler(device.type, enabled=amp == "fp16")

    def optim_context(self, model: nn.Module) -> AbstractContextManager:
        if self._accumulative_counts == 1:
            return self.autocast()
        return self._accumulating(model)

    @contextmanager
    def _accumulating(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), self.autocast():
            yield

    def autocast(self) -> AbstractContextManager:
        """The precision of a forward pass, in training and in evaluation."""
        if self.dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        # Dividing by 1 would be two more operations a step.
        return loss if self._accumulative_counts == 1 else super().scale_loss(loss)

    def backward(self, loss: torch.Tensor, **kwargs: object) -> None:
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: object) -> None:
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def _clip_grad(self) -> None:
        params = [p for g in self.optimizer.param_groups for p in g["params"]]
        self.clip_func(params, **self.clip_grad_kwargs)

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Passes done so far; checkpoints lie between steps, so none is left half accumulated."""
        self._inner_count, self._max_counts = init_counts, max_counts
        self._remainder_counts = max_counts % self._accumulative_counts


def build(
    model: nn.Module, factory: Callable[..., Optimizer], decay_all: bool, **precision: object
) -> Precision:
    """Optimise ``model`` by ``factory(groups)``; ``precision`` goes to :class:`Precision`."""
    decay = factory.keywords.get("weight_decay", 0.0)
    return Precision(factory(parameter_groups(model, decay, decay_all)), **precision)
