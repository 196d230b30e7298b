import pytest
import torch
import torch.nn.functional as F

from openmix import internals
from openmix.mixups import SMMix
from openmix.mixups.smmix import squares


def mixed_by_loops(x, attention, partner, side, patch):
    """Images and own patches, by looking at every square of every image."""
    rows, columns = attention.shape[1:]
    out, own = x.clone(), torch.ones(len(x), rows, columns, dtype=torch.bool)

    def sums(a):
        return {
            (r, c): a[r : r + side, c : c + side].double().sum().item()
            for r in range(rows - side + 1)
            for c in range(columns - side + 1)
        }

    for i, j in enumerate(partner.tolist()):
        least, most = sums(attention[i]), sums(attention[j])
        r, c = min(least, key=least.get)
        s, d = max(most, key=most.get)
        height = width = side * patch
        r0, c0, s0, d0 = (patch * at for at in (r, c, s, d))
        out[i, :, r0 : r0 + height, c0 : c0 + width] = x[j, :, s0 : s0 + height, d0 : d0 + width]
        own[i, r : r + side, c : c + side] = False
    return out, own


@pytest.mark.parametrize("grid", [(4, 4), (5, 7)], ids=str)
@pytest.mark.parametrize("side", [1, 2, 3])
def test_least_attended_square_shows_the_partners_most_attended(grid, side):
    torch.manual_seed(0)
    x, attention = torch.randn(6, 3, grid[0] * 4, grid[1] * 4), torch.rand(6, *grid)
    for partner in (torch.tensor([3, 5, 0, 1, 2, 4]), 2):
        rows = partner if isinstance(partner, torch.Tensor) else (torch.arange(6) - partner) % 6
        images, own = squares(x, attention, partner, side)
        expected, kept = mixed_by_loops(x, attention, rows, side, 4)
        assert torch.equal(images, expected) and torch.equal(own, kept)


def test_the_three_losses_by_hand(tiny, batch):
    """CE + (CE of own part + CE of other part) / 2 + KL, as the mean over all rows gives them."""
    net, (x, y), partner = tiny("vit").eval(), batch(4), torch.tensor([2, 3, 1, 0])
    with torch.no_grad():
        net.blocks[-1].attn.qkv.weight.mul_(40)
        net.pos_embed.mul_(30)
        net.head.weight.mul_(10)
    mixer = SMMix()
    mixer.setup(net)
    mixed = mixer(net, x, y, partner=partner, side=2)
    loss = F.cross_entropy(mixed.logits, mixed.target) + mixed.losses["agreement"]

    with internals.patch_attention(net) as seen:
        unmixed = net(x).double()
    images, own = mixed_by_loops(x, seen[0], partner, 2, 8)
    tokens = net.forward_features(images)[:, 1:].double()
    z, head = net(images).double(), mixer.part_head.double()
    total = 0.0
    for i in range(4):
        kept = own[i].flatten()
        a, b = y[i].argmax(), y[partner[i]].argmax()
        log_p = z[i].log_softmax(0)
        total -= 0.75 * log_p[a] + 0.25 * log_p[b]
        total -= head(tokens[i, kept].mean(0)).log_softmax(0)[a] / 2
        total -= head(tokens[i, ~kept].mean(0)).log_softmax(0)[b] / 2
        soft = (0.75 * unmixed[i] + 0.25 * unmixed[partner[i]]).softmax(0)
        total += (soft * (soft.log() - log_p)).sum()
    torch.testing.assert_close(loss.double(), total / 4, rtol=1e-5, atol=1e-5)


def test_patch_attention_is_the_mean_over_heads_and_patches(tiny, batch):
    """Against the weights that timm's plain implementation hands to its dropout."""
    net, (x, _), plain = tiny("vit", (24, 32)).eval(), batch(3, (24, 32)), []
    with torch.no_grad():
        net.blocks[-1].attn.qkv.weight.mul_(40)
    with internals.patch_attention(net) as seen:
        net(x)
    net.blocks[-1].attn.fused_attn = False
    net.blocks[-1].attn.attn_drop.register_forward_pre_hook(lambda _m, a: plain.append(a[0]))
    net(x)
    expected = plain[0][:, :, 1:, 1:].mean((1, 2)).view(3, 3, 4)
    torch.testing.assert_close(seen[0], expected)
    assert expected.std() > 1e-3 and not seen[0].requires_grad


def test_sides_of_14_patches_are_3_to_10():
    torch.manual_seed(0)
    sides = [SMMix().side(14, 14) for _ in range(400)]
    assert set(sides) == set(range(3, 11))
    with pytest.raises(ValueError, match="low must not exceed high"):
        SMMix(0.5, 0.4)
