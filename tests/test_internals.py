import pytest
import timm
import torch
from timm.models import VisionTransformer
from torch import nn

from openmix import internals
from openmix.errors import Unsupported


def vit(depth=2, **settings):
    torch.manual_seed(0)
    net = VisionTransformer(
        img_size=16, patch_size=8, embed_dim=16, depth=depth, num_heads=2, num_classes=3, **settings
    )
    return net.eval()


def built(name, **settings):
    with torch.device("meta"):
        return timm.create_model(name, num_classes=10, **settings)


def test_stages_of_a_residual_network(tiny):
    net = tiny("resnet")
    assert internals.stages(net) == [net.layer1, net.layer2, net.layer3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", ["layer1", "layer2", "layer3", "layer4"]),
        ("convnext_atto", ["stages.0", "stages.1", "stages.2", "stages.3"]),
        ("swin_tiny_patch4_window7_224", ["layers.0", "layers.1", "layers.2", "layers.3"]),
        ("deit_tiny_patch16_224", ["blocks.2", "blocks.5", "blocks.8", "blocks.11"]),
    ],
)
def test_stages_of_timm(name, expected):
    net = built(name)
    assert internals.stages(net) == [net.get_submodule(module) for module in expected]


@pytest.mark.parametrize(
    ("depth", "last"),
    [
        (1, [0]),
        (2, [0, 1]),
        (3, [0, 1, 2]),
        (4, [0, 1, 2, 3]),
        (6, [1, 2, 3, 5]),
        (12, [2, 5, 8, 11]),
    ],
)
def test_quarters_of_a_transformer(depth, last):
    """No block ends two stages, and the last block ends the last."""
    net = vit(depth)
    found = internals.stages(net)
    assert found == [net.blocks[i] for i in last]


def test_stages_are_passed_in_order_and_once(tiny, batch):
    for kind in ("resnet", "vit"):
        net, order = tiny(kind), []
        for i, stage in enumerate(internals.stages(net)):
            stage.register_forward_hook(lambda *_, i=i, order=order: order.append(i))
        net(batch(2)[0])
        assert order == list(range(len(internals.stages(net))))


@pytest.mark.parametrize("name", ["mvitv2_tiny", "twins_pcpvt_small", "vgg11"])
def test_stages_that_feature_info_does_not_tell(name):
    """It names modules that are not there, or that hold no weights."""
    assert internals.stages(built(name)) == []


def test_nothing_is_found_in_a_plain_network():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert internals.stages(net) == [] and internals.last_attention(net) is None
    assert internals.provides(net) == set()


def test_last_attention():
    net = vit()
    assert internals.last_attention(net) is net.blocks[-1].attn
    assert internals.last_attention(vit(class_token=False, global_pool="avg")) is None
    registers = vit(class_token=False, reg_tokens=2, global_pool="avg")
    assert internals.last_attention(registers) is None


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "swin_tiny_patch4_window7_224",
        "xcit_nano_12_p16_224",
        "eva02_tiny_patch14_224",  # rotary positions, and its qkv layer is never called
        "vit_pe_core_tiny_patch16_384",  # rotary positions
        "vit_relpos_base_patch16_cls_224",  # biases by relative position
        "naflexvit_base_patch16_gap",
    ],
)
def test_no_attention_that_cannot_be_read_plainly(name):
    assert internals.last_attention(built(name)) is None


def test_require_says_what_is_missing_and_where():
    internals.require(vit(), ("stages", "attention"), "Method")
    with pytest.raises(Unsupported, match=r"^Method needs feature stages .*; Linear has none$"):
        internals.require(nn.Linear(2, 2), ("stages",), "Method")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"reg_tokens": 3},
        {"qk_norm": True},
        {"no_embed_class": True, "reg_tokens": 1, "pre_norm": True},
        {"init_values": 0.1, "global_pool": "avg"},
    ],
    ids=str,
)
@pytest.mark.parametrize("fused", [True, False])
def test_class_attention_is_the_softmax_of_the_last_block(settings, fused):
    """Against the weights that timm's plain implementation hands to its dropout."""
    net = vit(**settings)
    with torch.no_grad():
        net.blocks[-1].attn.qkv.weight.mul_(30)
    attention, plain = net.blocks[-1].attn, []
    attention.fused_attn = fused
    x = torch.randn(3, 3, 16, 16)
    with internals.class_attention(net) as seen:
        net(x)
        net(x[:1])
    assert [len(a) for a in seen] == [3, 1] and seen[0].shape == (3, 2, 2)
    assert seen[0].dtype == torch.float32 and not seen[0].requires_grad
    attention.fused_attn = False
    attention.attn_drop.register_forward_pre_hook(lambda _m, args: plain.append(args[0]))
    net(x)
    expected = plain[0].mean(1)[:, 0, net.num_prefix_tokens :]
    torch.testing.assert_close(seen[0].flatten(1), expected)
    assert seen[0].std() > 1e-3
    assert (seen[0].sum((1, 2)) < 1).all()  # the prefix tokens hold the rest


def test_two_prefix_tokens_of_a_distilled_transformer():
    torch.manual_seed(0)
    net = timm.models.deit.VisionTransformerDistilled(
        img_size=16, patch_size=8, embed_dim=16, depth=2, num_heads=2, num_classes=3
    ).eval()
    assert net.num_prefix_tokens == 2
    with internals.class_attention(net) as seen:
        net(torch.randn(2, 3, 16, 16))
    assert seen[0].shape == (2, 2, 2)


def test_patches_lie_row_by_row():
    """A bright patch in row 0, column 1 of 2 x 3 is the one the class token turns to."""
    torch.manual_seed(0)
    net = VisionTransformer(
        img_size=(16, 24), patch_size=8, embed_dim=16, depth=1, num_heads=2, num_classes=3
    ).eval()
    with internals.class_attention(net) as seen:
        net(torch.zeros(1, 3, 16, 24))
        bright = torch.zeros(1, 3, 16, 24)
        bright[..., 0:8, 8:16] = torch.randn(8, 8)
        net(bright)
    ratio = seen[1][0] / seen[0][0]
    change = (ratio / ratio.median() - 1).abs()
    assert change.argmax() == 1 and change[0, 1] > 1e-4


def test_hooked_replaces_and_restores():
    net = nn.Sequential(nn.Identity(), nn.Identity())
    x = torch.ones(2)
    with internals.hooked(net[0], lambda out: out * 3):
        assert net(x).tolist() == [3, 3]
    assert net(x).tolist() == [1, 1] and not net[0]._forward_hooks
    with pytest.raises(RuntimeError), internals.hooked(net[0], lambda out: out * 3):
        raise RuntimeError
    assert not net[0]._forward_hooks


def test_fed_replaces_what_goes_in_and_restores():
    net = nn.Sequential(nn.Identity(), nn.Linear(2, 2))
    x = torch.ones(2)
    with internals.fed(net[1], lambda features: features * 3):
        found = net(x)
    torch.testing.assert_close(found, net[1](x * 3))
    assert not net[1]._forward_pre_hooks


@pytest.mark.parametrize("change", [internals.hooked, internals.fed])
@pytest.mark.parametrize("runs", [0, 2])
def test_a_module_that_is_not_run_once_is_refused(runs, change):
    """Labels would be mixed and features not, or twice."""
    layer = nn.Identity()
    message = f"the network ran its Identity {runs} times"
    with pytest.raises(Unsupported, match=message), change(layer, lambda features: features):
        for _ in range(runs):
            layer(torch.ones(1))
    assert not layer._forward_hooks and not layer._forward_pre_hooks
