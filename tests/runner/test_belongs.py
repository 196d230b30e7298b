"""A result, or half of one, is given only for the data and the code that it came from."""

import json
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openmix import belongs, records
from openmix.command import REFUSED, REQUEUE, train
from openmix.config import code_digest
from openmix.errors import ConfigError

SMALL = (
    "dataset=imagefolder",
    "augment=imagenet",
    "dataset.num_classes=3",
    "dataset.size=16",
    "augment.train.0.size=16",
    "augment.test.0.size=16",
    "augment.test.1.size=16",
    "backbone=wrn10_1",
    "batch_size=8",
    "runner.workers=0",
)


@pytest.fixture
def flowers(tmp_path, image_folder, monkeypatch):
    """A folder of images of one's own, in a place of one's own."""
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(image_folder, tmp_path / "here/flowers")


@pytest.fixture
def asked(capsys):
    """``asked(root, ...)``: the exit code of a run on a folder, and the error that it told."""

    def ask(root, *words, epochs=1):
        code = train([*SMALL, f"epochs={epochs}", f"dataset.source.root={root}", *words], False)
        return code, capsys.readouterr().err.rpartition("error: ")[2].strip()

    return ask


def add(root, name="train/class0/new.png"):
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(root / name)


def kept():
    return [records.read(file) for file in sorted(Path("results/records").rglob("*.json"))]


def test_two_folders_are_two_runs_and_a_moved_one_is_the_same(flowers, asked):
    pets = shutil.copytree(flowers, flowers.parent / "pets")
    add(pets)
    assert asked(flowers)[0] == asked(pets)[0] == 0
    assert [(r["dataset"], r["data"]["train"]) for r in kept()] == [("flowers", 24), ("pets", 25)]
    assert len({r["key"] for r in kept()}) == 2
    before = kept()
    moved = shutil.move(flowers, flowers.parents[1] / "flowers")
    assert asked(moved)[0] == 0 and kept() == before


def test_a_result_is_not_given_for_data_that_changed(flowers, asked):
    assert asked(flowers)[0] == 0
    add(flowers)
    code, error = asked(flowers)
    assert code == REFUSED and "25 training images instead of 24" in error
    assert "force=true" in error and "dataset.name=" in error and "(top1 " in error
    assert asked(flowers, "dataset.name=more")[0] == 0
    assert [(r["dataset"], r["data"]["train"]) for r in kept()] == [("flowers", 24), ("more", 25)]
    assert asked(flowers, "force=true")[0] == 0
    assert [r["data"]["train"] for r in kept()] == [25, 25]


def test_a_result_is_not_given_where_its_data_are_gone(flowers, asked):
    assert asked(flowers)[0] == 0
    code, error = asked(flowers.parent / "elsewhere/flowers")
    assert code == REFUSED and "no folder" in error


@pytest.mark.parametrize("change", ["fewer", "renamed"])
def test_a_run_does_not_go_on_with_other_data(flowers, asked, at_pass, change):
    at_pass({4})
    assert asked(flowers, epochs=3)[0] == REQUEUE
    if change == "fewer":
        for part, name in (("train", "1.png"), ("val", "2.png")):
            (flowers / part / "class1" / name).unlink()
    else:
        for part in ("train", "val"):
            (flowers / part / "class1").rename(flowers / part / "lilies")
    code, error = asked(flowers, epochs=3)
    told = {"fewer": "23 training images instead of 24", "renamed": "classes lilies instead of"}
    assert code == REFUSED and told[change] in error and "since the run was interrupted" in error
    assert kept() == []
    assert asked(flowers, "force=true", epochs=3)[0] == 0
    assert kept()[0]["restarts"] == 0


BAND = "from openmix.mixups.mixup import Mixup\n\n\nclass Band(Mixup):\n    shade = 0.5\n"


@pytest.fixture
def band(tmp_path, monkeypatch):
    """``band(text)``: write the file of a mixup of one's own, as a new process would read it."""
    monkeypatch.syspath_prepend(tmp_path)
    caches = (code_digest._behind, code_digest.find_module)
    (tmp_path / "bandlab").mkdir()
    (tmp_path / "bandlab/__init__.py").touch()

    def write(text):
        (tmp_path / "bandlab/band.py").write_text(text)
        for cache in caches:
            cache.cache_clear()

    write(BAND)
    yield write
    for name in ("bandlab", "bandlab.band"):  # the next test has another
        sys.modules.pop(name, None)
    for cache in caches:
        cache.cache_clear()


WORDS = [
    "+exp=digits",
    "dataset.train_limit=100",
    "epochs=1",
    "mixup._target_=bandlab.band.Band",
    "+mixup.alpha=1.0",
    "allow_targets=[bandlab.]",
]


def test_a_result_is_not_given_for_code_that_changed(band, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(WORDS, False) == 0
    [record] = kept()
    assert set(record["sources"]) == {"bandlab.band", "openmix.mixups.mixup"}
    band("# A shade.\n" + BAND)
    assert train(WORDS, False) == 0
    band(BAND.replace("0.5", "0.25"))
    capsys.readouterr()
    assert train([*WORDS, "seed=1"], False) == 0
    capsys.readouterr()
    assert train(WORDS, False) == REFUSED
    error = capsys.readouterr().err
    top1 = record["metrics"]["median10"]["top1"]
    assert f"band.py has changed since this result (top1 {top1:.4g})" in error
    assert "force=true" in error and error.count("\n") == 1
    assert train(["force=true", *WORDS], False) == 0


def test_a_run_does_not_go_on_with_other_code(band, tmp_path, monkeypatch, capsys, at_pass):
    monkeypatch.chdir(tmp_path)
    at_pass({1}, lambda runner: signal.raise_signal(signal.SIGTERM))
    assert train(WORDS, False) == REQUEUE
    band(BAND.replace("0.5", "0.25"))
    assert train(WORDS, False) == REFUSED
    assert "band.py has changed since the run was interrupted" in capsys.readouterr().err


def test_a_grid_with_a_foreign_result_does_no_work(flowers, asked, capsys):
    assert asked(flowers)[0] == 0
    add(flowers)
    grid = [*SMALL, "epochs=1", f"dataset.source.root={flowers}", "seed=1,0"]
    assert train(grid, True) == REFUSED
    assert [r["seed"] for r in kept()] == [0]


def test_a_record_from_before_is_held_against_its_checksum_alone(flowers, asked):
    assert asked(flowers)[0] == 0
    [record] = kept()
    old = record | {"data": {k: v for k, v in record["data"].items() if k != "source"}}
    traces = belongs.traces(record["config"])
    assert belongs.change(belongs.of_record(old | {"sources": {}}), traces, "") is None
    old["data"]["checksum"] = "0" * 64
    with pytest.raises(ConfigError, match="other file names or sizes"):
        belongs.refuse(belongs.of_record(old), traces, "")


def test_traces_are_plain(flowers, asked):
    assert asked(flowers)[0] == 0
    [record] = kept()
    assert json.loads(json.dumps(record["data"]["source"])) == record["data"]["source"]
    assert record["data"]["source"]["classes"] == ["class0", "class1", "class2"]
