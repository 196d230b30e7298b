import pytest
import torch
from torch import nn

from openmix.errors import Unsupported
from openmix.mixups import TLAlign


@pytest.fixture
def vit(tiny):
    """A tiny transformer in eval mode whose tokens do not look everywhere alike."""

    def make(size=(32, 32)):
        net = tiny("vit", size).eval()
        with torch.no_grad():
            for block in net.blocks:
                block.attn.qkv.weight.mul_(30)
            net.pos_embed.mul_(30)
        return net

    return make


def attention_of_all_blocks(net, x):
    """Head means ``(N, tokens, tokens)``, where the plain implementation has them, float64."""
    seen, handles = [], []
    for block in net.blocks:
        block.attn.fused_attn = False
        hook = block.attn.attn_drop.register_forward_pre_hook
        handles.append(hook(lambda _m, args: seen.append(args[0].double().mean(1))))
    with torch.no_grad():
        net(x)
    for handle in handles:
        handle.remove()
    return seen


def shown(x, partner, grid):
    """Images patch by patch: 1 in the grid keeps the own patch, 0 takes the partner's."""
    out = x.clone()
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            if not grid[row, column]:
                at = (..., slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
                out[at] = x[partner][at]
    return out


@pytest.mark.parametrize("size", [(32, 32), (24, 40)], ids=str)
def test_labels_of_all_classes_carried_token_by_token(size, vit, batch):
    """Dense labels of all 10 classes, a loop over images, blocks and tokens."""
    net, (x, y) = vit(size), batch(4, size)
    partner = torch.tensor([2, 0, 3, 1])
    grid = torch.ones(size[0] // 8, size[1] // 8)
    grid[1:3, 0:2] = 0
    mixed = TLAlign()(net, x, y, lam=0.5, partner=partner, mask=grid[None, None])
    images = shown(x, partner, grid)
    torch.testing.assert_close(mixed.logits, net(images))
    attention, area = attention_of_all_blocks(net, images), grid.mean().item()
    for i in range(4):
        own, other = y[i].double(), y[partner[i]].double()
        labels = [area * own + (1 - area) * other]
        labels += [own if keep else other for keep in grid.flatten().tolist()]
        for block in attention:
            seen = [
                sum(weight * label for weight, label in zip(row, labels, strict=True))
                for row in block[i].tolist()
            ]
            labels = [(a + b) / 2 for a, b in zip(labels, seen, strict=True)]
        torch.testing.assert_close(mixed.target[i].double(), labels[0], rtol=0, atol=1e-5)
    spread = mixed.target[torch.arange(4), y.argmax(1)]
    assert (spread - area).abs().max() > 0.01  # attention is not just area


@pytest.mark.parametrize("per_sample", [False, True])
def test_boxes_are_made_of_whole_patches(per_sample, vit, batch):
    net, seen = vit(), []
    net.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    x, y = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 32, 32), batch()[1]
    torch.manual_seed(0)
    for _ in range(20):
        TLAlign(per_sample=per_sample)(net, x, y)
    patches = torch.cat(seen).unfold(2, 8, 8).unfold(3, 8, 8).flatten(4)
    assert (patches == patches[..., :1]).all()
    assert len({tuple(row.tolist()) for row in patches[:, 0, :, :, 0].flatten(1)}) > 20


def test_the_target_is_not_differentiated_and_fused_attention_gives_the_same(vit, batch):
    net, (x, y) = vit(), batch()
    results = []
    for fused in (True, False):
        for block in net.blocks:
            block.attn.fused_attn = fused
        torch.manual_seed(1)
        results.append(TLAlign()(net, x, y))
    assert not results[0].target.requires_grad and results[0].logits.requires_grad
    torch.testing.assert_close(results[0].target, results[1].target)


def test_a_block_that_cannot_be_read_is_refused(vit):
    class Other(nn.Module):
        pass

    net = vit()
    net.blocks[0].attn = Other()
    with pytest.raises(Unsupported, match="not every block of VisionTransformer"):
        TLAlign().setup(net)
