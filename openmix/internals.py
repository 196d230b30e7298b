"""Looking inside a network: the only file that knows how backbones are built.

Written on timm's vocabulary (``blocks``, ``feature_info``, ``num_prefix_tokens``), which the
backbones of :mod:`openmix.backbones` speak as well.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from openmix.errors import Unsupported


def stages(net: nn.Module) -> list[nn.Module]:
    """The modules that end the network's stages, first to last.

    Convolutional and hierarchical networks have stages of their own; a plain transformer is cut
    into four of (nearly) equal depth. The stem is no stage.
    """
    blocks = getattr(net, "blocks", None)
    if isinstance(blocks, nn.Sequential | nn.ModuleList) and hasattr(net, "num_prefix_tokens"):
        quarters = [round(len(blocks) * (k + 1) / 4) for k in range(4)]
        return [blocks[end - 1] for end in quarters if end > 0]
    found = [net.get_submodule(info["module"]) for info in getattr(net, "feature_info", ())]
    return [module for module in found if any(True for _ in module.parameters())]


def last_attention(net: nn.Module) -> nn.Module | None:
    """The self-attention of the last block, if it is plain and has a class token to read."""
    blocks = getattr(net, "blocks", None)
    if not blocks or not getattr(net, "num_prefix_tokens", 0) or net.cls_token is None:
        return None
    attention = getattr(blocks[-1], "attn", None)
    readable = all(hasattr(attention, name) for name in ("qkv", "q_norm", "k_norm", "num_heads"))
    return attention if readable and not hasattr(attention, "rope") else None


FINDERS: dict[str, tuple[Callable[[nn.Module], object], str]] = {
    "stages": (stages, "feature stages (timm's feature_info)"),
    "attention": (last_attention, "a transformer with a class token, such as backbone=deit_small"),
}
"""What a mixer may need -> how it is found, and what to call it."""


def provides(net: nn.Module) -> set[str]:
    """Which of :data:`FINDERS` find something in ``net``."""
    return {name for name, (find, _) in FINDERS.items() if find(net)}


def require(net: nn.Module, needs: Iterable[str], mixer: str) -> None:
    """Raise Unsupported where ``net`` lacks something of ``needs``."""
    for name in needs:
        find, description = FINDERS[name]
        if not find(net):
            raise Unsupported(f"{mixer} needs {description}; {type(net).__name__} has none")


@contextmanager
def hooked(module: nn.Module, fn: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Replace the output of ``module`` by ``fn(output)`` inside the block."""
    handle = module.register_forward_hook(lambda _module, _args, out: fn(out))
    try:
        yield
    finally:
        handle.remove()


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
        seen.append(weights.view(n, *net.patch_embed.grid_size))

    handle = attention.qkv.register_forward_hook(record)
    try:
        yield seen
    finally:
        handle.remove()
