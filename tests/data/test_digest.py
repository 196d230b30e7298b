import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from openmix.data import fashion_mnist
from openmix.data.base import Arrays, list_folder
from openmix.data.digest import Digest, differ, digest, load

DIGITS = {"_target_": "openmix.data.sources.digits", "root": "data"}


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8)).save(tmp_path / part / name / f"{number}.png")
    return tmp_path


def node(root):
    return {"_target_": "openmix.data.sources.imagefolder", "root": str(root)}


def test_digits_have_the_checksum_that_stands_in_their_records():
    assert digest(DIGITS) == Digest(
        "6d682fb3fcf1cde090e9fd03ed78cb8deb28b9d238fabdf409a20eea867627a5", 1000, 797
    )


def test_checksums_stay_what_they_were_when_data_were_tensors(tmp_path):
    for name, size in {
        "b/2.png": 3, "b/10.jpg": 5, "a b/sub/x.PNG": 7, "a b/é.jpeg": 1, "a b/sub/notes.txt": 3,
        "c/y.tiff": 11, "a/z.webp": 1,
    }.items():  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    assert list_folder(tmp_path, "").checksum() == FOLDER
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2), np.array([1, 0])
    assert Arrays(images, labels).checksum() == ARRAYS
    turned = Arrays(torch.from_numpy(images).mT.contiguous().mT, torch.tensor([1, 0]))
    assert turned.checksum() == ARRAYS


FOLDER = "f186ef3c16f4d2c6ef249f8b82a9dd9b4766b15c26678644d84b88c39a479173"
ARRAYS = "ae3fae8adaeee5d9522747659725cfd391c45f405b4d31c6ba4c2cecda12d0e8"


def test_data_are_read_once_for_digest_and_run_and_anew_for_the_next(folder):
    source = node(folder)
    before = digest(source)
    assert (before.train, before.test, before.classes) == (6, 4, ("cat", "dog"))
    (folder / "train" / "cat" / "0.png").unlink()
    train, test, same = load(source)
    assert same is before and (len(train), len(test)) == (6, 4)
    assert digest(source).train == len(load(source)[0]) == 5


def test_no_torch_for_a_digest(folder):
    sources = [DIGITS, node(folder)]
    if fashion_mnist.DEBIAN.is_dir():
        sources.append({"_target_": "openmix.data.sources.fashion_mnist", "root": str(folder)})
    program = (
        "import sys; from openmix.data.digest import digest\n"
        f"for source in {sources!r}: print(digest(source).checksum)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == [digest(source).checksum for source in sources], done.stderr


def folders(checksum, train=40, test=10, classes=("a", "b")):
    return Digest(checksum, train, test, tuple(classes)).as_dict()


@pytest.mark.parametrize(
    "now, phrase",
    [
        (folders("0"), ""),
        (folders("1", train=24), "24 training images instead of 40"),
        (
            folders("1", 24, 9),
            "24 training images instead of 40 and 9 test images instead of 10",
        ),
        (folders("1", classes=("cat", "dog")), "classes cat, dog instead of a, b"),
        (folders("1", 41, classes=("a", "b", "c")), "3 classes instead of 2: with c"),
        (folders("1", classes=("a",)), "1 classes instead of 2: without b"),
        (folders("1", classes=map(str, range(21))), "21 classes instead of 2"),
        (folders("1"), "other file names or sizes"),
        (Digest("1", 40, 10).as_dict(), "images in memory instead of an image folder"),
    ],
)
def test_what_differs(now, phrase):
    assert differ(folders("0"), now) == phrase


def test_what_differs_in_arrays_among_many_classes_and_from_an_old_record():
    before, now = (Digest(name, 40, 10).as_dict() for name in "01")
    assert differ(before, now) == "other pixels or labels"
    assert differ({"checksum": "0", "train": 24, "val": 16, "test": 10}, now) == (
        "other pixels or labels"
    )
    many, others = (folders(name, classes=[f"{name}{n:02}" for n in range(30)]) for name in "01")
    assert differ(many, others) == "other class names"
    assert len(str(many)) < 200
