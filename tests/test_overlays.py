"""The shipped overlays: the methods of one protocol share everything but the mixup."""

import re
from functools import cache
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from openmix import records
from openmix.config import check, compose, names
from openmix.config.overlay import check_overlay, overlay
from openmix.errors import ConfigError, Unsupported

PROTOCOLS = [name for name in names("exp") if compose([f"+exp={name}"]).config.protocol == name]
PRESETS = [name for name in names("exp") if "/" in name]
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def composed(name: str, *overrides: str):
    if name.startswith("imagefolder"):
        overrides += ("dataset.num_classes=3", "dataset.source.root=pictures")
    return compose([f"+exp={name}", *overrides])


def test_protocols_are_those_promised():
    assert set(PROTOCOLS) == {
        "aircraft",
        "cars",
        "cifar10",
        "cifar100",
        "cub200",
        "digits",
        "digits_noisy",
        "digits_noisy_vit",
        "fashion_mnist",
        "imagefolder",
        "imagenet",
        "imagenet300",
        "imagenet_convnext",
        "imagenet_deit",
        "imagenet_deit_bce",
        "imagenet_rsb_a3",
        "imagenet_swin",
        "inat2017",
        "inat2018",
        "places205",
        "tiny_imagenet",
    }


@pytest.mark.parametrize("name", sorted(set(names("exp")) - set(PROTOCOLS)))
def test_method_overlay_changes_nothing_but_the_mixup(name):
    method = composed(name)
    protocol = compose([f"+exp={method.config.protocol}"])
    assert records.protocol_key(method.config) == records.protocol_key(protocol.config)
    assert records.key(method.config) != records.key(protocol.config)


@cache
def preset(name):
    return composed(name)


@cache
def keys(name):
    """Of the preset's runs; the same method may stand under several protocols."""
    config = preset(name).config
    return config.protocol, records.key(config)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_where_it_is_from_and_can_run(name):
    head, source, *_ = (CONFIGS / "exp" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    assert head == "# @package _global_" and source.endswith(f": +exp={name}")
    assert "arXiv:" in source or "configs/classification/" in source
    run = preset(name)
    check(run)
    assert run.choices["exp"] == name
    assert Path(name).name.startswith(run.config.protocol + "_")


def test_the_presets_are_those_documented():
    text = (CONFIGS.parent / "docs" / "config.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+/\w+)_\*` \| (.*) \|$", text, re.MULTILINE)
    listed = {f"{row}_{method}" for row, cell in rows for method in re.findall(r"`(\w+)`", cell)}
    assert listed == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_every_value_of_a_preset_differs_from_the_default(name):
    """And no two are one setting."""
    for key, value in overlay(name, CONFIGS).values["mixup"].items():
        assert preset(name).mixup_defaults[key] != value, key
    assert [other for other in PRESETS if keys(other) == keys(name)] == [name]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_does_not_lend_its_values_to_another_mixup(name):
    run = preset(name)
    other = next(mixup for mixup in ("fmix", "cutmix") if mixup != run.choices["mixup"])
    choices = {**run.choices, "mixup": other}
    with pytest.raises(ConfigError, match=rf"use \+exp={run.config.protocol} mixup={other}"):
        check_overlay(choices, [*run.overrides, f"mixup={other}"], CONFIGS)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("+exp=openmixup/cifar100_cutmix dataset=cifar10 protocol=cifar10", "cifar10"),
        ("+exp=openmixup/cub200_mixup dataset=cars protocol=cars", "cars"),
        ("+exp=imagenet_mixup dataset=inat2017 protocol=inat2017", "inat2017"),
    ],
)
def test_a_preset_on_the_data_next_door_is_that_protocol(given, named):
    config, protocol = compose(given.split()).config, compose([f"+exp={named}"]).config
    assert records.protocol_key(config) == records.protocol_key(protocol)


def test_the_runner_of_a_protocol_keeps_its_settings_on_another_machine():
    run = compose(["+exp=imagenet_swin", "runner=cuda"])
    check(run)
    assert (run.config.runner.clip_grad, run.config.runner.amp) == (5.0, "bf16")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocol_leaves_the_mixup_alone(protocol):
    found = overlay(protocol, CONFIGS)
    assert "mixup" not in found.options and "mixup" not in found.values
    check(composed(protocol))


@pytest.mark.parametrize("protocol", ["cifar100", "imagenet_deit"])
@pytest.mark.parametrize("mixup", names("mixup"))
def test_every_mixup_joins_a_protocol_or_says_what_it_needs(protocol, mixup):
    run = composed(protocol, f"mixup={mixup}")
    alone = compose([f"mixup={mixup}"])  # may take values of the data set: as yet unresolved
    assert OmegaConf.to_container(run.config.mixup) == OmegaConf.to_container(alone.config.mixup)
    try:
        check(run)
    except Unsupported as error:
        assert " needs " in str(error)


def test_the_cifar_recipe():
    config = compose(["+exp=cifar100"]).config
    assert config.optimizer == {
        "_target_": "torch.optim.SGD",
        "_partial_": True,
        "lr": 0.1,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "nesterov": False,
        "decay_all": True,
    }
    assert (config.epochs, config.batch_size, config.runner.ema) == (200, 100, None)
    assert (config.schedule.per, config.schedule.min_lr, config.schedule.warmup_epochs) == (
        "epoch",
        0,
        0,
    )
    batch = config.augment.batch
    assert (batch.pad, batch.mode, batch.flip) == (4, "reflect", True)
