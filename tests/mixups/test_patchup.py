import pytest
import torch

from openmix.mixups import CutMix, ManifoldMix, PatchUp
from openmix.ops import draw

PARTNER = torch.tensor([2, 0, 1, 4, 5, 3])


def blocks_by_hand(seeds, block):
    """1 outside, 0 inside the squares around the seeds of ``(C, H, W)``."""
    keep = torch.ones(seeds.shape)
    for channel, row, column in seeds.nonzero().tolist():
        reach = block // 2
        rows = slice(max(row - reach, 0), row + reach + 1)
        keep[channel, rows, max(column - reach, 0) : column + reach + 1] = 0
    return keep


@pytest.mark.parametrize("size", [(16, 16), (9, 14), (6, 8), (1, 3)])
def test_blocks_are_squares_around_seeds(size, monkeypatch):
    """Block 7, or the largest odd one that fits; odds gamma H W / (b^2 (H - b + 1) (W - b + 1))."""
    height, width = size
    block = {(16, 16): 7, (9, 14): 7, (6, 8): 5, (1, 3): 1}[size]
    odds = 0.75 * height * width / (block**2 * (height - block + 1) * (width - block + 1))
    uniform = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(torch, "rand", lambda *_, **__: uniform)
    keep = PatchUp().keep(torch.empty(6, 3, *size))
    assert torch.equal(keep[0], blocks_by_hand(uniform[0] < odds, block))


def test_about_gamma_is_changed():
    """Blocks overlap and are cut at the edges, so less: 1 - (1 - odds)^49 inside the map."""
    torch.manual_seed(0)
    keep = torch.cat([PatchUp(gamma=0.5).keep(torch.empty(1, 64, 32, 32)) for _ in range(60)])
    odds = 0.5 * 32**2 / (49 * 26**2)
    assert keep[..., 3:29, 3:29].mean().item() == pytest.approx((1 - odds) ** 49, abs=0.01)


@pytest.mark.parametrize("lam", [0.3, torch.linspace(0.1, 0.9, 6)])
@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_by_hand(mode, lam, tiny, batch, monkeypatch):
    """Feature by feature, and the authors' three terms, which are twice the loss of the target."""
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer, seen = PatchUp(mode=mode), {}
    keep = (torch.rand(1, 16, 32, 32) < 0.6).float()
    monkeypatch.setattr(mixer, "keep", lambda features: keep)
    net.layer2.register_forward_pre_hook(lambda _m, args: seen.update(h=args[0]))
    logits, target, _ = mixer(net, x, y, lam=lam, partner=PARTNER, layer=1)
    h = net.layer1(net.conv1(x))
    unchanged, log_p = keep.double().mean().item(), logits.log_softmax(1).double()
    for n in range(6):
        weight = float(lam if isinstance(lam, float) else lam[n])
        own, other = h[n], h[PARTNER[n]]
        inside = weight * own + (1 - weight) * other if mode == "soft" else other
        expected = torch.where(keep[0] == 1, own, inside)
        torch.testing.assert_close(seen["h"][n], expected)
        label = y[n].double(), y[PARTNER[n]].double()
        changed = weight * label[0] + (1 - weight) * label[1] if mode == "soft" else label[1]
        whole = unchanged * label[0] + (1 - unchanged) * changed
        torch.testing.assert_close(target[n].double(), whole, rtol=0, atol=1e-6)
        terms = [unchanged * label[0], (1 - unchanged) * changed, whole]
        three = -sum((t * log_p[n]).sum() for t in terms)
        twice = -2 * (target[n].double() * log_p[n]).sum()
        torch.testing.assert_close(twice, three, rtol=1e-5, atol=1e-6)


def test_layer_0_is_cutmix(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer = PatchUp(layers=(0,))
    torch.manual_seed(3)
    draw.uniform()
    draw.integer(0, 1)
    images, labels = CutMix().mix(x, y)
    torch.manual_seed(3)
    logits, target, _ = mixer(net, x, y)
    assert torch.equal(target, labels) and mixer.lam < 1
    torch.testing.assert_close(logits, net(images))


def test_soft_over_everything_is_manifold_mixup(tiny, batch, monkeypatch):
    net, (x, y) = tiny("resnet").eval(), batch()
    mixer = PatchUp()
    monkeypatch.setattr(mixer, "keep", lambda features: torch.zeros(1, *features.shape[1:]))
    ours = mixer(net, x, y, lam=0.3, partner=2, layer=2)
    plain = ManifoldMix()(net, x, y, lam=0.3, partner=2, layer=2)
    torch.testing.assert_close(ours.logits, plain.logits)
    torch.testing.assert_close(ours.target, plain.target)


def test_prob_is_the_share_of_mixed_batches(tiny, batch):
    net, (x, y) = tiny("resnet").eval(), batch(2, (8, 8))
    torch.manual_seed(0)
    mixer = PatchUp(mode="hard", prob=0.7, layers=(1,))
    with torch.no_grad():
        same = [torch.equal(mixer(net, x, y).target, y) for _ in range(300)]
    assert sum(same) / 300 == pytest.approx(0.3, abs=0.08)


def test_even_blocks_are_refused():
    with pytest.raises(ValueError, match="block must be odd, got 4"):
        PatchUp(block=4)
