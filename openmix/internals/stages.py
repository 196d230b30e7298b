"""The stages of a network, and changing what leaves one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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


@contextmanager
def hooked(module: nn.Module, fn: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the output of ``module`` by ``fn(output)`` inside the block.

    Raises:
        Unsupported: the network did not pass through ``module`` exactly once.
    """
    runs = 0

    def replace(_module: nn.Module, _args: tuple, out: Tensor) -> Tensor:
        nonlocal runs
        runs += 1
        return fn(out)

    handle = module.register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()
    if runs != 1:
        raise Unsupported(f"the network ran its {type(module).__name__} {runs} times, not once")
