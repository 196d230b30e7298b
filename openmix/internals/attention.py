"""What a plain vision transformer attends to."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from openmix.errors import Unsupported


def last_attention(net: nn.Module) -> nn.Module | None:
    """The self-attention of the last block, if it is plain and has a class token to read.

    Only timm's own class will do: its relatives rotate queries and keys, or add position biases,
    under the same attribute names.
    """
    blocks = getattr(net, "blocks", None)
    if not blocks or getattr(net, "cls_token", None) is None:
        return None
    from timm.models.vision_transformer import Attention  # timm is slow to import

    attention = getattr(blocks[-1], "attn", None)
    return attention if type(attention) is Attention else None


@contextmanager
def class_attention(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, for each forward pass in the block, how the class token attends to the patches.

    Each entry is ``(N, rows, columns)``, float32, without gradient: the softmax of the last block
    before dropout, averaged over heads. It is computed afresh from queries and keys, for one row
    only, so that fused attention kernels stay in use.
    """
    attention, seen = last_attention(net), []

    @torch.no_grad()
    def record(_module: nn.Module, _args: tuple, qkv: Tensor) -> None:
        n, tokens, _ = qkv.shape
        heads = qkv.view(n, tokens, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key = attention.q_norm(heads[0, :, :, :1]), attention.k_norm(heads[1])
        with torch.autocast(qkv.device.type, enabled=False):
            scores = (query.float() * attention.scale) @ key.float().transpose(-2, -1)
            weights = scores.softmax(-1).mean(1)[:, 0, net.num_prefix_tokens :]
        rows, columns = net.patch_embed.grid_size
        if weights.shape[1] != rows * columns:
            raise Unsupported(
                f"attention over {weights.shape[1]} patches where the network was built for "
                f"{rows}x{columns}; set backbone.img_size to the size of the images"
            )
        seen.append(weights.view(n, rows, columns))

    handle = attention.qkv.register_forward_hook(record)
    try:
        yield seen
    finally:
        handle.remove()
