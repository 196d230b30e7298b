"""The tokens that leave a transformer's last block."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from openmix.internals.stages import hooked


@contextmanager
def patch_tokens(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect the normalised patch tokens ``(N, patches, channels)`` of the forward pass inside.

    They keep their gradient. Raises Unsupported as :func:`hooked` does.
    """
    seen = []

    def keep(tokens: Tensor) -> Tensor:
        seen.append(tokens[:, net.num_prefix_tokens :])
        return tokens

    with hooked(net.norm, keep):
        yield seen
