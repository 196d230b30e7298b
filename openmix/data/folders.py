"""Image folders with one subfolder a class: ImageNet and your own."""

from pathlib import Path

from openmix.config.suggest import listing
from openmix.data.base import Folder, list_folder
from openmix.errors import DataError


def imagenet(root: str) -> tuple[Folder, Folder]:
    """ImageNet-1k from root/train/<wnid>/* and root/val/<wnid>/*; val serves as the test set."""
    hint = (
        "get ILSVRC2012 from image-net.org, unpack it to train/<wnid> and val/<wnid>, "
        "and set dataset.source.root"
    )
    return _pair(Path(root), "val", hint)


def imagefolder(root: str) -> tuple[Folder, Folder]:
    """Your own images from root/train/<class>/* and root/test/<class>/* (or root/val/...)."""
    name = "test" if (Path(root) / "test").is_dir() else "val"
    return _pair(Path(root), name, "expected train/<class>/* and val/<class>/* below it")


def _pair(root: Path, test_name: str, hint: str) -> tuple[Folder, Folder]:
    train, test = list_folder(root / "train", hint), list_folder(root / test_name, hint)
    if train.classes != test.classes:
        differ = listing(set(train.classes) ^ set(test.classes))
        raise DataError(
            f"{root}: classes of train and {test_name} differ in {differ}; "
            "give both folders the same class folders"
        )
    return train, test
