"""The shipped overlays: the methods of one protocol share everything but the mixup."""

import pytest
from omegaconf import OmegaConf

from openmix import records
from openmix.config import check, compose, names
from openmix.errors import Unsupported

PROTOCOLS = [name for name in names("exp") if compose([f"+exp={name}"]).config.protocol == name]


def composed(name: str, *overrides: str):
    if name.startswith("imagefolder"):
        overrides += ("dataset.num_classes=3", "dataset.source.root=pictures")
    return compose([f"+exp={name}", *overrides])


def test_protocols_are_those_promised():
    assert set(PROTOCOLS) == {
        "cifar10",
        "cifar100",
        "digits",
        "digits_noisy",
        "fashion_mnist",
        "imagefolder",
        "imagenet",
        "imagenet_deit",
        "tiny_imagenet",
    }


@pytest.mark.parametrize("name", sorted(set(names("exp")) - set(PROTOCOLS)))
def test_method_overlay_changes_nothing_but_the_mixup(name):
    method = composed(name)
    protocol = compose([f"+exp={method.config.protocol}"])
    assert records.protocol_key(method.config) == records.protocol_key(protocol.config)
    assert records.key(method.config) != records.key(protocol.config)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_protocol_leaves_the_mixup_alone(protocol):
    for mixup in names("mixup"):
        run = composed(protocol, f"mixup={mixup}")
        alone = compose([f"mixup={mixup}"])  # may take values of the data set: as yet unresolved
        assert OmegaConf.to_container(run.config.mixup) == OmegaConf.to_container(
            alone.config.mixup
        )
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
