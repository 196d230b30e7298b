import pytest
import torch

from openmix import internals
from openmix.mixups import TokenMix
from openmix.ops.blocks import blocks


@pytest.mark.parametrize(("count", "reached"), [(112, 0.99), (151, 0.82)])
def test_how_often_blocks_cover_what_is_wanted(count, reached):
    """Shares measured on the authors' code, 14 x 14 patches; never is more covered."""
    torch.manual_seed(0)
    sizes = [len(blocks(14, 14, count)) for _ in range(1500)]
    assert max(sizes) == count
    assert sum(size == count for size in sizes) / 1500 == pytest.approx(reached, abs=0.035)


def test_blocks_by_hand(monkeypatch):
    """4 x 4 patches, 5 wanted: a 2 x 2 block at (1, 2), one patch in it, one at (0, 0)."""
    draws = iter([
        [0.75, 0.5, 0.4, 0.99],  # area 1 + .75 * 4, square, row int(.4 * 3), column int(.99 * 3)
        [0.0, 0.5, 0.4, 0.5],  # area 1 at row int(.4 * 4) = 1, column 2: nothing new
        [0.0, 0.5, 0.0, 0.0],
    ])  # fmt: skip
    monkeypatch.setattr("openmix.ops.draw.uniform", lambda _n: next(draws))
    assert blocks(4, 4, 5) == [0, 6, 7, 10, 11]


def test_nothing_to_cover_and_nothing_that_fits():
    assert blocks(4, 4, 0) == [] and blocks(1, 1, 1) == []


def test_the_authors_share_is_112_of_196_patches():
    torch.manual_seed(0)
    masks = [TokenMix().mask(torch.empty(1), 14, 14) for _ in range(50)]
    assert max((mask == 0).sum().item() for mask in masks) == 112


def test_labels_are_the_content_that_stays_visible(tiny, batch):
    """Image by image, patch by patch; in train mode the content is that of eval mode."""
    net, (x, y) = tiny("vit").train(), batch(4)
    with torch.no_grad():
        net.blocks[-1].attn.qkv.weight.mul_(40)
        net.pos_embed.mul_(30)
    mask = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1]])
    partner = torch.tensor([3, 0, 1, 2])
    seen = []
    net.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    mixed = TokenMix()(net, x, y, partner=partner, mask=mask[None, None])
    pixels = mask.repeat_interleave(8, 0).repeat_interleave(8, 1)
    assert torch.equal(seen[0], x)
    torch.testing.assert_close(seen[1], pixels * x + (1 - pixels) * x[partner])
    with internals.class_attention(net.eval()) as attention:
        net(x)
    for i in range(4):
        own, other = attention[0][i].double(), attention[0][partner[i]].double()
        kept = sum(own[r, c] for r in range(4) for c in range(4) if mask[r, c])
        shown = sum(other[r, c] for r in range(4) for c in range(4) if not mask[r, c])
        expected = y[i] * kept / own.sum() + y[partner[i]] * shown / other.sum()
        torch.testing.assert_close(mixed.target[i].double(), expected.double(), rtol=0, atol=1e-5)
    assert (mixed.target.sum(1) - 1).abs().max() > 1e-3
