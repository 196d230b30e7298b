"""Image folders with one subfolder a class: ImageNet and your own."""

import os
import sys
from pathlib import Path

from openmix.config.suggest import listing
from openmix.data.base import Folder, list_folder
from openmix.data.walk import entries, is_folder
from openmix.errors import DataError


def imagenet(root: str) -> tuple[Folder, Folder]:
    """ImageNet-1k from root/train/<wnid>/* and root/val/<wnid>/*; val serves as the test set."""
    hint = (
        "get ILSVRC2012 from image-net.org, unpack it to train/<wnid> and val/<wnid>, "
        "and set dataset.source.root"
    )
    return _pair(Path(root).expanduser(), "val", hint)


def imagefolder(root: str) -> tuple[Folder, Folder]:
    """Your own images from root/train/<class>/* and root/test/<class>/* (or root/val/...).

    A test folder without class folders, as competitions give it, has no labels to test with: where
    there is a val folder, that one is taken, and a line on stderr says so.
    """
    place = Path(root).expanduser()
    test, val = str(place / "test"), str(place / "val")
    name = "test" if os.path.isdir(test) else "val"
    if name == "test" and os.path.isdir(val) and not any(map(is_folder, entries(test))):
        name = "val"
        if os.environ.get("RANK", "0") == "0":
            print(f"{test} has no class folders, so no labels: testing on {val}", file=sys.stderr)
    return _pair(place, name, f"expected train/<class>/* and {name}/<class>/* below {place}")


def _pair(root: Path, test_name: str, hint: str) -> tuple[Folder, Folder]:
    train, test = list_folder(root / "train", hint), list_folder(root / test_name, hint)
    if os.path.realpath(train.root) == os.path.realpath(test.root):
        raise DataError(
            f"{test.root} is {train.root} itself, by a link; test on images that are not trained on"
        )
    if train.classes != test.classes:
        differ = listing(set(train.classes) ^ set(test.classes))
        besides = test_name == "test" and os.path.isdir(root / "val")
        raise DataError(
            f"{root}: classes of train and {test_name} differ in {differ}; give both folders the "
            f"same class folders{', or move test away to test on val' if besides else ''}"
        )
    return train, test
