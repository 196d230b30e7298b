"""Hand-made runs for boards."""

import pytest

from openmix import records


def _make_run(mixup, seed, top1=None, *, recipe=None, variant="", config=None, **fields):
    """One record; ``top1`` is its accuracy, ``config`` changes top-level entries of its config."""
    config = {
        "epochs": 200,
        "dataset": {"num_classes": 100, "label_noise": 0.0},
        "optimizer": {"lr": 0.1},
        "mixup": {"_target_": f"m.{mixup}", **(recipe or {})},
        **(config or {}),
    }
    metrics = {"top1": top1, "top5": None, "nll": 4.0 - top1 / 25, "ece": 5.5} if top1 else {}
    record = {
        "schema": records.SCHEMA,
        "task": "classification",
        "method": "supervised",
        "primary": "top1",
        "measures": {name: metric.measure() for name, metric in records.METRICS.items()},
        "sources": {},
        "status": "done",
        "reason": "",
        "key": records.key(config),
        "protocol_key": records.protocol_key(config),
        "protocol": "cifar100",
        "dataset": "cifar100",
        "backbone": "resnet18",
        "mixup": mixup,
        "variant": variant,
        "seed": seed,
        "epochs": config["epochs"],
        "overrides": [f"mixup={mixup}"],
        "config": config,
        "selection": "median10",
        "metrics": {"median10": metrics, "last": metrics, "best": metrics} if top1 else {},
        "history": [],
        "cost": {"images_per_second": 1234.5, "peak_memory_mb": 100.0, "parameters": 77850},
        "environment": {"python": "3.11.7", "torch": "2.13.0", "device": "cpu"},
        "code": {"commit": "0" * 40, "dirty": False},
        "data": {"checksum": "0", "train": 50000, "val": 0, "test": 10000},
        "hashes": {},
        "restarts": 0,
        "started": "2030-01-01T00:00:00Z",
        "finished": "2030-01-01T01:00:00Z",
    }
    return record | fields


@pytest.fixture(scope="session")
def make_run():
    return _make_run


@pytest.fixture(scope="session")
def runs():
    """Three protocols; seeds done, failed, single and missing; a variant; an unsupported method."""
    noisy = {
        "config": {"epochs": 30, "dataset": {"num_classes": 10, "label_noise": 0.4}},
        "dataset": "digits_noisy",
        "backbone": "wrn10_1",
        "protocol": "quickstart",
    }
    longer = {"config": {"epochs": 400}}
    failed = {"status": "failed", "reason": "loss is not finite at step 812"}
    needs = (
        "transmix needs attention, which backbone resnet18 does not have; try backbone=deit_small"
    )
    found = [_make_run("none", seed, top1) for seed, top1 in enumerate([76.1, 76.4, 75.9])]
    found += [_make_run("cutmix", seed, top1) for seed, top1 in enumerate([78.0, 78.9, 78.2])]
    found += [
        _make_run("cutmix", 0, 77.5, recipe={"alpha": 0.2}, variant="alpha=0.2"),
        _make_run("transmix", 0, status="unsupported", reason=needs),
        _make_run("none", 0, 77.0, **longer),
        _make_run("cutmix", 0, 79.6, **longer),
        _make_run("cutmix", 1, 80.2, **longer),
        _make_run("cutmix", 2, **failed, **longer),
    ]
    found += [_make_run("none", seed, top1, **noisy) for seed, top1 in enumerate([69.8, 70.9])]
    found += [_make_run("mixup", seed, top1, **noisy) for seed, top1 in enumerate([82.1, 83.7])]
    return [*found, _make_run("cutmix", 0, **failed, **noisy)]
