from functools import cache

import pytest
import torch
from hydra.utils import instantiate

from openmix import internals
from openmix.backbones import WideResNet, parameters, small_resnet
from openmix.config.compose import compose
from openmix.config.groups import names
from openmix.runner.build import arguments

BACKBONES = names("backbone")
LARGE = {"resnet50", "deit_small", "swin_tiny", "convnext_tiny"}


@cache
def config(backbone, dataset=None):
    dataset = dataset or ("imagenet" if backbone in LARGE else "cifar100")
    overrides = [f"backbone={backbone}", f"dataset={dataset}"]
    if backbone == "timm":
        overrides.append("backbone.model_name=resnet10t")
    return compose(overrides).config


def build(backbone, dataset=None, device="meta"):
    with torch.device(device):
        return instantiate(arguments(config(backbone, dataset), "backbone"), _convert_="all")


@pytest.mark.parametrize("backbone", BACKBONES)
def test_built_for_the_data_set(backbone):
    net, data = build(backbone), config(backbone).dataset
    x = torch.empty(2, data.channels, data.size, data.size, device="meta")
    assert net(x).shape == (2, data.num_classes)
    assert net.num_classes == data.num_classes


@pytest.mark.parametrize("backbone", ["resnet18", "wrn10_1", "vit_tiny"])
def test_built_for_other_channels_and_sizes(backbone):
    """28 px in one channel, 10 classes."""
    net = build(backbone, "fashion_mnist")
    assert net(torch.empty(2, 1, 28, 28, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_provides_is_what_is_found(backbone):
    stated = config(backbone).backbone.provides
    if backbone == "timm":
        assert stated is None
    else:
        assert len(stated) == len(set(stated))
        assert internals.provides(build(backbone)) == set(stated)


@pytest.mark.parametrize(
    ("backbone", "millions"),
    [
        ("resnet18", 11.22),
        ("resnext50_32x4d", 23.2),
        ("wrn28_8", 23.4),
        ("resnet50", 25.56),
        ("deit_small", 22.05),
        ("swin_tiny", 28.29),
        ("convnext_tiny", 28.59),
    ],
)
def test_number_of_parameters(backbone, millions):
    """CIFAR-100 heads on the small networks, ImageNet's on the large ones."""
    assert parameters(build(backbone)) / 1e6 == pytest.approx(millions, rel=2e-3)


def test_frozen_parameters_do_not_count():
    net = torch.nn.Linear(3, 2)
    net.bias.requires_grad_(False)
    assert parameters(net) == 6


def sizes(net, modules, size=32):
    """Height of the output of each of ``modules``, and its channels."""
    seen = {}
    for name in modules:
        hook = lambda _m, _a, out, name=name: seen.update({name: (out.shape[2], out.shape[1])})  # noqa: E731
        net.get_submodule(name).register_forward_hook(hook)
    net(torch.empty(2, 3, size, size, device=next(net.parameters()).device))
    return seen


@pytest.mark.parametrize("backbone", ["resnet18", "resnext50_32x4d", "wrn28_8", "wrn10_1"])
def test_small_stems_keep_32_pixels_and_feature_info_is_true(backbone):
    net = build(backbone)
    info = {i["module"]: i for i in net.feature_info}
    seen = sizes(net, ["conv1", "layer1", *info])
    assert seen["conv1"][0] == seen["layer1"][0] == 32
    for name, i in info.items():
        assert seen[name] == (32 // i["reduction"], i["num_chs"]), name


@pytest.mark.parametrize("model_name", ["resnet18", "resnext50_32x4d"])
def test_small_resnet_differs_from_timm_in_the_stem_alone(model_name):
    import timm

    with torch.device("meta"):
        small = small_resnet(model_name, num_classes=10, in_chans=1)
        large = timm.create_model(model_name, num_classes=10, in_chans=1)
    a, b = small.state_dict(), large.state_dict()
    assert a.keys() == b.keys()
    assert [k for k in a if a[k].shape != b[k].shape] == ["conv1.weight"]
    assert a["conv1.weight"].shape == (64, 1, 3, 3)


def test_stem_is_initialised_as_the_rest_is():
    torch.manual_seed(0)
    net = small_resnet("resnet18", num_classes=10)
    expected = (2 / (64 * 9)) ** 0.5  # He, fan-out
    assert net.conv1.weight.std().item() == pytest.approx(expected, rel=0.1)
    assert net.layer1[0].conv1.weight.std().item() == pytest.approx(expected, rel=0.05)


def test_wide_resnet_by_hand():
    """One block: BN-ReLU-conv twice plus the shortcut, which leaves from behind the first ReLU."""
    torch.manual_seed(0)
    block = WideResNet(10, 2, 10).layer2[0].eval()
    x = torch.randn(2, 32, 8, 8)
    scale = (1 + block.bn1.eps) ** 0.5
    relu, conv = torch.relu, torch.nn.functional.conv2d
    first = relu(x / scale)
    second = relu(conv(first, block.conv1.weight, stride=2, padding=1) / scale)
    expected = conv(second, block.conv2.weight, padding=1)
    expected = expected + conv(first, block.shortcut.weight, stride=2)
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-4)
    same = WideResNet(16, 1, 10).layer2[1].eval()
    assert same.shortcut is None


def test_wide_resnet_counts_its_layers():
    for depth, blocks in ((10, 1), (16, 2), (28, 4)):
        with torch.device("meta"):
            net = WideResNet(depth, 1, 10)
        assert [len(net.get_submodule(f"layer{k}")) for k in (1, 2, 3)] == [blocks] * 3
        convolutions = [n for n, m in net.named_modules() if isinstance(m, torch.nn.Conv2d)]
        assert len([n for n in convolutions if "shortcut" not in n]) == 6 * blocks + 1 == depth - 3
    with pytest.raises(ValueError, match=r"6n \+ 4, got 27"):
        WideResNet(27, 1, 10)


def test_wide_resnet_speaks_timms_words(tiny, batch):
    net, (x, _) = tiny("resnet").eval(), batch(2)
    features = net.forward_features(x)
    assert features.shape == (2, net.num_features, 8, 8)
    pooled = net.forward_head(features, pre_logits=True)
    torch.testing.assert_close(pooled, features.mean((2, 3)))
    torch.testing.assert_close(net.get_classifier()(pooled), net(x))


def test_wide_resnet_drops_out_in_training_alone():
    torch.manual_seed(0)
    net, x = WideResNet(10, 1, 10, dropout=0.5), torch.randn(4, 3, 16, 16)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))
