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
        ends = {round(len(blocks) * quarter / 4) for quarter in (1, 2, 3, 4)} - {0}
        return [blocks[end - 1] for end in sorted(ends)]
    try:
        found = [net.get_submodule(info["module"]) for info in getattr(net, "feature_info", ())]
    except AttributeError:  # some of timm's networks name modules there that they do not have
        return []
    return [module for module in found if any(True for _ in module.parameters())]


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
