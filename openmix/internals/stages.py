"""The stages of a network, and changing what enters or leaves a module."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from torch import Tensor, nn

from openmix.errors import Unsupported


def stages(net: nn.Module) -> list[nn.Module]:
    """The modules that end the network's stages, first to last.

    Convolutional and hierarchical networks have stages of their own; a plain transformer is cut
    into four of (nearly) equal depth. The stem is no stage.
    """
    blocks = getattr(net, "blocks", None)
    if isinstance(blocks, nn.Sequential | nn.ModuleList) and hasattr(net, "num_prefix_tokens"):
        ends = {round(len(blocks) * quarter / 4) for quarter in (1, 2, 3, 4)} - {0}
        return [blocks[end - 1] for end in sorted(ends)]
    try:
        found = [net.get_submodule(info["module"]) for info in getattr(net, "feature_info", ())]
    except AttributeError:  # some of timm's networks name modules there that they do not have
        return []
    return [module for module in found if any(True for _ in module.parameters())]


def hooked(module: nn.Module, fn: Callable[[Tensor], Tensor]) -> AbstractContextManager[None]:
    """Replace the output of ``module`` by ``fn(output)`` inside the block.

    Raises:
        Unsupported: the network did not pass through ``module`` exactly once.
    """
    return _once(module, module.register_forward_hook, lambda _module, _args, out: fn(out))


def fed(module: nn.Module, fn: Callable[[Tensor], Tensor]) -> AbstractContextManager[None]:
    """Call ``module`` with ``fn(input)`` inside the block; raises as :func:`hooked` does."""
    return _once(module, module.register_forward_pre_hook, lambda _module, args: fn(args[0]))


@contextmanager
def _once(module: nn.Module, register: Callable, hook: Callable[..., Tensor]) -> Iterator[None]:
    runs = 0

    def counted(*args) -> Tensor:
        nonlocal runs
        runs += 1
        return hook(*args)

    handle = register(counted)
    try:
        yield
    finally:
        handle.remove()
    if runs != 1:
        raise Unsupported(f"the network ran its {type(module).__name__} {runs} times, not once")
