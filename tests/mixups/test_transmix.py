import pytest
import torch
from hydra.utils import instantiate

from openmix import internals
from openmix.config.compose import compose
from openmix.mixups import CutMix, TransMix


@pytest.fixture
def vit(tiny):
    """A tiny transformer in eval mode whose class token does not look everywhere alike."""

    def make(size=(32, 32)):
        net = tiny("vit", size).eval()
        with torch.no_grad():
            net.blocks[-1].attn.qkv.weight.mul_(40)
            net.pos_embed.mul_(30)
        return net

    return make


def unfused_attention(net, x):
    """Class token to patches ``(N, patches)``, read where the plain implementation has it."""
    attention, seen = net.blocks[-1].attn, []
    attention.fused_attn = False
    handle = attention.attn_drop.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    with torch.no_grad():
        net(x)
    handle.remove()
    return seen[0].double().mean(1)[:, 0, 1:]


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("size", [(32, 32), (24, 40)], ids=str)
@pytest.mark.parametrize("per_sample", [False, True])
def test_weight_by_hand(fused, size, per_sample, vit, batch):
    """(area + attention) / 2 of each image, patch by patch in a loop."""
    net, (x, _), y = vit(size), batch(5, size), torch.eye(10)[:5]
    net.blocks[-1].attn.fused_attn = fused
    mixer, spread = TransMix(per_sample=per_sample), []
    for seed in range(4):
        torch.manual_seed(seed)
        images, by_area = CutMix(per_sample=per_sample).mix(x, y)
        torch.manual_seed(seed)
        mixed = mixer(net, x, y)
        net.blocks[-1].attn.fused_attn = fused
        torch.testing.assert_close(mixed.logits, net(images))
        attention = unfused_attention(net, images)
        columns = size[1] // 8
        for i in range(5):
            pasted = (images[i] != x[i]).any(0)
            own = total = 0.0
            for patch, a in enumerate(attention[i].tolist()):
                row, column = divmod(patch, columns)
                total += a
                own += a * (not pasted[8 * row, 8 * column])  # nearest: a patch's first pixel
            weight = (by_area[i, i].item() + own / total) / 2
            assert mixed.target[i, i].item() == pytest.approx(weight, abs=1e-5)
            spread.append(abs(own / total - by_area[i, i].item()))
        assert len(set(mixed.target.diagonal().tolist())) > 1
    assert max(spread) > 0.05  # attention is not just area, or the test says nothing


def test_fused_and_plain_attention_give_the_same(vit, batch):
    net, (x, y) = vit(), batch()
    results = []
    for fused in (True, False):
        net.blocks[-1].attn.fused_attn = fused
        torch.manual_seed(0)
        results.append(TransMix()(net, x, y))
    torch.testing.assert_close(results[0].logits, results[1].logits)
    torch.testing.assert_close(results[0].target, results[1].target)


def test_attention_is_that_before_dropout(vit, batch):
    net, (x, y) = vit(), batch()
    torch.manual_seed(0)
    without = TransMix()(net, x, y, lam=0.6, partner=1).target
    net.blocks[-1].attn.attn_drop.p = 0.9
    net.train()
    torch.manual_seed(0)
    torch.testing.assert_close(TransMix()(net, x, y, lam=0.6, partner=1).target, without)


def test_weights_are_not_differentiated(vit, batch):
    net, (x, y) = vit(), batch()
    mixed = TransMix()(net.train(), x, y)
    assert mixed.logits.requires_grad and not mixed.target.requires_grad


def test_attention_within_a_given_mask():
    """Attention (1, 2, 3, 4) / 10 on 2 x 2 patches, own part the left half: (1/2 + 4/10) / 2."""
    mask = torch.tensor([[1.0, 1, 0, 0]]).expand(1, 1, 4, 4)
    attention = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]) / 20  # the rest goes to the class token
    assert TransMix().weight(mask, attention).tolist() == [[pytest.approx(0.45)]]


def test_the_authors_setting_mixes_a_fifth_by_mixup_with_the_plain_label(tiny):
    """White image 0 among black ones: a fractional share tells Mixup, which labels by it."""
    net = tiny("vit").eval()
    mixer = instantiate(compose(["mixup=transmix"]).config.mixup, _convert_="all")
    x, y, seen = torch.zeros(3, 3, 32, 32), torch.eye(10)[:3], []
    x[0] = 1
    net.register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    plain = 0
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(400):
            target = mixer(net, x, y).target
            shown = seen.pop()[0]
            share = shown.mean().item()
            if ((shown > 0) & (shown < 1)).any():
                plain += 1
                assert target[0, 0].item() == pytest.approx(share, abs=1e-6)
            else:
                assert share / 2 - 1e-6 <= target[0, 0].item() <= (1 + share) / 2 + 1e-6
    assert abs(plain - 80) < 4 * (400 * 0.2 * 0.8) ** 0.5


def test_the_class_token_is_found_in_the_last_block_only(vit, batch):
    net, (x, _) = vit(), batch()
    with internals.class_attention(net) as first:
        net(x)
    with torch.no_grad():
        net.blocks[0].attn.qkv.weight.mul_(3)
    with internals.class_attention(net) as second:
        net(x)
    expected = unfused_attention(net, x)
    torch.testing.assert_close(second[0].flatten(1).double(), expected, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(first[0], second[0]) and second[0].shape == (6, 4, 4)
