"""What a plain vision transformer attends to."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from openmix.errors import Unsupported


def _plain(block: nn.Module) -> nn.Module | None:
    """The self-attention of a block, if it is timm's own class.

    Its relatives rotate queries and keys, or add position biases, under the same attribute names.
    """
    from timm.models.vision_transformer import Attention  # timm is slow to import

    attention = getattr(block, "attn", None)
    return attention if type(attention) is Attention else None


def last_attention(net: nn.Module) -> nn.Module | None:
    """The self-attention of the last block, if it is plain and has a class token to read."""
    blocks = getattr(net, "blocks", None)
    if not blocks or getattr(net, "cls_token", None) is None:
        return None
    return _plain(blocks[-1])


def all_attention(net: nn.Module) -> list[nn.Module]:
    """The self-attention of every block, first to last.

    Raises:
        Unsupported: one of them is not plain.
    """
    found = [_plain(block) for block in net.blocks]
    if None in found:
        raise Unsupported(f"not every block of {type(net).__name__} has a plain self-attention")
    return found


def patch_grid(net: nn.Module) -> tuple[int, int]:
    """Rows and columns of patches that a transformer was built for."""
    return net.patch_embed.grid_size


@contextmanager
def reading_attention(
    modules: Sequence[nn.Module], read: Callable[[Tensor], None], queries: slice = slice(None)
) -> Iterator[None]:
    """Call ``read`` with the attention ``(N, heads, queries, tokens)`` of each module as it runs.

    It is the softmax before dropout, float32, without gradient, computed afresh from queries and
    keys, so that fused attention kernels stay in use; ``queries`` says for which tokens.
    """

    @torch.no_grad()
    def record(attention: nn.Module, qkv: Tensor) -> None:
        n, tokens, _ = qkv.shape
        heads = qkv.view(n, tokens, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key = attention.q_norm(heads[0, :, :, queries]), attention.k_norm(heads[1])
        with torch.autocast(qkv.device.type, enabled=False):
            scores = (query.float() * attention.scale) @ key.float().transpose(-2, -1)
            read(scores.softmax(-1))

    handles = [
        module.qkv.register_forward_hook(
            lambda _qkv, _args, out, module=module: record(module, out)
        )
        for module in modules
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _on_grid(net: nn.Module, weights: Tensor) -> Tensor:
    """Weights ``(N, tokens)`` of all tokens -> those of the patches ``(N, rows, columns)``."""
    weights = weights[:, net.num_prefix_tokens :]
    rows, columns = patch_grid(net)
    if weights.shape[1] != rows * columns:
        raise Unsupported(
            f"attention over {weights.shape[1]} patches where the network was built for "
            f"{rows}x{columns}; set backbone.img_size to the size of the images"
        )
    return weights.view(-1, rows, columns)


@contextmanager
def class_attention(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, for each forward pass in the block, how the class token attends to the patches.

    Each entry is ``(N, rows, columns)``, float32, without gradient: the last block's softmax,
    averaged over heads.
    """
    seen = []

    def read(weights: Tensor) -> None:
        seen.append(_on_grid(net, weights.mean(1)[:, 0]))

    with reading_attention([last_attention(net)], read, slice(1)):
        yield seen


@contextmanager
def patch_attention(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, for each forward pass in the block, how the patches attend to each patch.

    Each entry is ``(N, rows, columns)``, float32, without gradient: the last block's softmax,
    averaged over heads and over the patches that attend.
    """
    seen = []

    def read(weights: Tensor) -> None:
        seen.append(_on_grid(net, weights.mean((1, 2))))

    patches = slice(net.num_prefix_tokens, None)
    with reading_attention([last_attention(net)], read, patches):
        yield seen
