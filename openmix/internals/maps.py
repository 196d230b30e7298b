"""The feature maps that leave a stage."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from openmix.internals.attention import patch_grid
from openmix.internals.stages import hooked, stages


def stage_width(net: nn.Module, index: int) -> int:
    """Channels of what leaves stage ``index``."""
    stage = stages(net)[index]
    for info in net.feature_info:
        if net.get_submodule(info["module"]) is stage:
            return info["num_chs"]
    raise LookupError(f"{type(net).__name__} does not tell the channels of its stage {index}")


@contextmanager
def stage_map(net: nn.Module, index: int) -> Iterator[list[Tensor]]:
    """Collect what leaves stage ``index`` as a map ``(N, C, rows, columns)``; tokens are laid out.

    Raises Unsupported as :func:`hooked` does.
    """
    width, seen = stage_width(net, index), []

    def keep(out: Tensor) -> Tensor:
        if out.ndim == 3:
            patches = out[:, net.num_prefix_tokens :]
            seen.append(patches.transpose(1, 2).unflatten(2, patch_grid(net)))
        else:  # some transformers have their channels last
            seen.append(out if out.shape[1] == width else out.permute(0, 3, 1, 2))
        return out

    with hooked(stages(net)[index], keep):
        yield seen
