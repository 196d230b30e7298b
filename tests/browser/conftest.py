"""Pages in a real Chromium, which may load nothing and complain about nothing."""

import math
import shutil

import pytest
from playwright.sync_api import sync_playwright

from openmix import records

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of a process."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """``show(source, color_scheme="dark")`` opens a page; it must stay silent and offline."""
    contexts, heard = [], []

    def open_page(source, **options):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(source, encoding="utf-8")
        context = browser.new_context(**options)
        context.set_default_timeout(5000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("dialog", lambda dialog: (heard.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda r: r.url.startswith(("file:", "blob:")) or heard.append(r.url))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


def _record(mixup, seed, top1, *, protocol="cifar100", epochs=20, **fields):
    """A run with a plausible history; ``top1`` is None for one that is not done."""
    done = top1 is not None
    config = {
        "epochs": epochs,
        "dataset": {"num_classes": 100, "label_noise": 0.0, "source": {"_target_": protocol}},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9},
        "runner": {"amp": "none", "device": "auto"},
        "mixup": {"_target_": f"m.{mixup}", "alpha": 1.0},
        "seed": seed,
    }
    values = {"top1": top1, "top5": 99.0, "nll": 0.9, "ece": 5.5} if done else {}
    rise = [1 - math.exp(-6 * (epoch + 1) / epochs) for epoch in range(epochs)]
    wave = [math.sin(12.9898 * (epoch + 31 * seed + len(mixup))) for epoch in range(epochs)]
    history = [
        {
            "epoch": epoch + 1,
            "train_loss": 5 - 4 * rise[epoch] + 0.03 * wave[epoch],
            "lr": 0.1,
            "top1": top1 * rise[epoch] + 0.3 * wave[epoch],
            "top5": 99.0,
            "nll": 4 - 3 * rise[epoch],
            "ece": 5.0,
        }
        for epoch in range(epochs if done else 0)
    ]
    cost = {
        "images_per_second": 9000.0,
        "peak_memory_mb": 1800.0,
        "train_seconds": 3600.0 + 400 * len(mixup) + seed,
        "parameters": 11220132,
        "steps": 10000,
        "world_size": 1,
    }
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
        "protocol": protocol,
        "dataset": protocol,
        "backbone": "resnet18",
        "mixup": mixup,
        "variant": "",
        "seed": seed,
        "epochs": epochs,
        "overrides": [f"+exp={protocol}", f"mixup={mixup}", f"seed={seed}"],
        "config": config,
        "selection": "median10",
        "metrics": {"median10": values, "last": values, "best": values} if done else {},
        "history": history,
        "cost": cost if done else {},
        "environment": {"python": "3.11.7", "torch": "2.15.0", "device": "H100"},
        "code": {"commit": "0123456789abcdef0123456789abcdef01234567", "dirty": False},
        "data": {"checksum": "ab" * 32, "train": 50000, "val": 0, "test": 10000},
        "hashes": {},
        "restarts": seed % 2,
        "started": "2030-01-01T00:00:00+00:00",
        "finished": "2030-01-01T01:00:00+00:00",
    }
    return record | fields


@pytest.fixture(scope="session")
def record():
    return _record
