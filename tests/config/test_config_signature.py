"""Signatures are read from source: names, defaults and annotations, through every re-export."""

import inspect
import sys

import pytest

from openmix.config.signature import attribute, signature
from openmix.config.source import locate
from openmix.config.values import mistake
from openmix.errors import ConfigError

# what each target takes, in a few names; True for **kwargs
TARGETS = [
    ("torch.optim.SGD", {"params", "lr", "momentum", "nesterov"}, False),
    ("torch.optim.AdamW", {"params", "lr", "betas", "weight_decay"}, False),
    ("timm.create_model", {"model_name", "pretrained"}, True),
    ("timm.optim.Lamb", {"params", "lr", "max_grad_norm"}, False),
    ("torchvision.transforms.v2.RandomResizedCrop", {"size", "scale", "antialias"}, False),
    ("torch.nn.CrossEntropyLoss", {"weight", "label_smoothing"}, False),
    ("mmengine.hooks.EarlyStoppingHook", {"monitor", "patience"}, False),
    ("openmix.mixups.fmix.FMix", {"alpha", "decay", "variant"}, False),
    ("openmix.mixups.transmix.TransMix", {"alpha"}, False),
    ("openmix.mixups.base.Mixer", set(), False),
]


@pytest.mark.parametrize("target, names, any_key", TARGETS)
def test_targets_of_every_allowed_package_are_read(target, names, any_key):
    found = signature(target)
    assert names <= set(found.names)
    assert found.accepts_any is any_key
    assert found.parameters or not names


def test_reading_agrees_with_importing():
    """Over all public classes of torch.optim: names, order and which are required."""
    torch_optim = pytest.importorskip("torch.optim")
    for name in torch_optim.__all__:
        made = getattr(torch_optim, name)
        if inspect.isclass(made):
            true = inspect.signature(made.__init__).parameters.values()
            true = [(p.name, p.default is p.empty) for p in list(true)[1:]]
            found = signature(f"torch.optim.{name}")
            assert [(p.name, p.required) for p in found.parameters] == true, name


def shape(target):
    found = signature(target)
    return [f"{p.name}{'' if p.required else '?'}" for p in found.parameters]


def test_classes_functions_and_records(lab):
    mixers = f"{lab}.mixers"
    blend = ["alpha", "prob?", "kind?", "size?", "spread?", "rate?", "anything?", "where?"]
    assert shape(f"{mixers}.Blend") == blend
    assert shape(f"{mixers}.Child") == blend
    assert shape(f"{lab}.Reexported") == blend
    assert shape(f"{lab}.Child") == blend, "through a star import"
    assert shape(f"{mixers}.Near") == ["distance"]
    assert shape(f"{mixers}.other.Far") == ["distance"]
    assert shape(f"{mixers}.Bare") == []
    assert shape(f"{mixers}.Settings") == ["first", "second?", "third?"]
    assert shape(f"{mixers}.More") == ["first", "second?", "third?", "fourth?"]
    assert shape(f"{mixers}.Point") == ["x", "y?"]
    assert shape(f"{mixers}.twice") == ["a", "b?", "flag"]
    assert shape(f"{mixers}.chosen") == ["first"]
    twice = signature(f"{mixers}.twice")
    assert twice.accepts_any
    assert twice.accepts_args
    assert [p.name for p in twice.positional] == ["a", "b"]
    assert lab not in sys.modules


def test_what_source_does_not_tell_is_unknown_and_what_is_not_there_is_an_error(lab):
    assert signature(f"{lab}.mixers.made") is None
    assert signature(f"{lab}.mixers.Odd") is None
    assert signature(f"{lab}.lazy.whatever") is None
    with pytest.raises(ConfigError, match=r"probe_lab\.mixers has no 'Blnd'; did you mean 'Blend'"):
        signature(f"{lab}.mixers.Blnd")
    with pytest.raises(ConfigError, match="no package 'no_such_package'"):
        signature("no_such_package.Thing")


def test_a_definition_knows_where_it_stands(lab):
    assert locate(f"{lab}.Reexported").path == "probe_lab.mixers.Blend"
    assert locate(f"{lab}.mixers.system").path == "os.system"
    assert locate("torch.nn.CrossEntropyLoss").path == "torch.nn.modules.loss.CrossEntropyLoss"


def test_class_attributes_are_read_through_base_classes(lab):
    assert attribute(f"{lab}.mixers.Blend", "needs") == ("stages",)
    assert attribute(f"{lab}.mixers.Child", "needs") == ("attention",)
    assert attribute("openmix.mixups.transmix.TransMix", "needs") == ("attention",)
    assert attribute("openmix.mixups.fmix.FMix", "needs") == ()
    assert attribute(f"{lab}.mixers.twice", "needs") is None


@pytest.mark.parametrize(
    "name, right, wrong",
    [
        ("alpha", [1, 0.5, 1e9], ["abc", "0.5", True, 0, -1, None, [1]]),
        ("prob", [0, 1, 0.5], [1.1, -0.1, "x"]),
        ("kind", ["hard", "soft"], ["hrd", 1, None]),
        ("size", [1, 7, None], [0, 1.0, True, "1"]),
        ("spread", [[0, 1], [0.5, 2]], [[0], [0, 1, 2], 3, ["a", 1]]),
        ("rate", [0.1, 1], ["fast", True, [0.1]]),
        ("anything", [1, "x", None, [1]], []),
        ("where", [1, "x", None], []),
    ],
)
def test_values_are_checked_against_annotations(lab, name, right, wrong):
    [parameter] = [p for p in signature(f"{lab}.mixers.Blend").parameters if p.name == name]
    for value in right:
        assert mistake(parameter, value, "mixup.x") is None, value
    for value in wrong:
        assert mistake(parameter, value, "mixup.x").startswith("mixup.x"), value


def test_annotations_of_other_packages_are_read():
    def wrong(target, name, value):
        [parameter] = [p for p in signature(target).parameters if p.name == name]
        return mistake(parameter, value, name)

    assert wrong("torch.optim.SGD", "lr", "abc") == 'lr must be a number, not "abc"'
    assert wrong("torch.optim.AdamW", "betas", [0.9, 0.99]) is None
    assert wrong("torch.optim.AdamW", "betas", "x") == 'betas must be a list, not "x"'
    assert wrong("torch.optim.SGD", "params", "x") is None, "an alias that cannot be read"
    size = "torchvision.transforms.v2.RandomResizedCrop"
    assert wrong(size, "size", 224) is None
    assert wrong(size, "size", [224, 224]) is None
    assert wrong(size, "size", True) == "size must be a whole number or a list, not true"
    assert wrong("mmengine.hooks.EarlyStoppingHook", "patience", 1.5).startswith("patience must be")
