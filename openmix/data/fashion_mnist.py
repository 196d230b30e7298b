"""Fashion-MNIST from the standard idx files, plain or gzipped."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from openmix.data.base import Arrays
from openmix.data.download import download as fetch
from openmix.errors import DataError

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_UBYTE = 0x08


def fashion_mnist(root: str, download: bool = False) -> tuple[Arrays, Arrays]:
    """60,000 training and 10,000 test images (1, 28, 28).

    Looks in root/FashionMNIST/raw, root/fashion-mnist and Debian's /usr/share/datasets;
    `download` fetches the files through torchvision where they are in none of them.
    """
    place = Path(root).expanduser()
    folders = [place / "FashionMNIST" / "raw", place / "fashion-mnist", DEBIAN]
    if download and not any(_complete(folder) for folder in folders):
        fetch("FashionMNIST", str(place))
    for folder in folders:
        if _complete(folder):
            return _read(folder, "train"), _read(folder, "test")
    raise DataError(
        f"Fashion-MNIST ({FILES['train'][0]}[.gz] and three more) is in none of "
        f"{', '.join(map(str, folders))}; run `apt-get install dataset-fashion-mnist` "
        "or set dataset.source.download=true"
    )


def _complete(folder: Path) -> bool:
    return all(_find(folder, name) for names in FILES.values() for name in names)


def _find(folder: Path, name: str) -> Path | None:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _read(folder: Path, part: str) -> Arrays:
    images_path, labels_path = (_find(folder, name) for name in FILES[part])
    images, labels = read_idx(images_path), read_idx(labels_path)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{images_path} and {labels_path.name} do not belong together "
            f"({images.shape} images, {labels.shape} labels); {_REMEDY}"
        )
    return Arrays(images[:, None], labels.astype(np.int64))


_REMEDY = "delete it and get it again (dataset.source.download=true)"


def read_idx(path: Path) -> np.ndarray:
    """Read one idx file of unsigned bytes, gzipped or not, as uint8 of its own shape.

    Raises DataError, naming the file, where its header or its length is wrong.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); {_REMEDY}") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != _UBYTE or len(raw) < 4 + 4 * raw[3]:
        raise DataError(f"{path} is not an idx file of unsigned bytes; {_REMEDY}")
    shape = struct.unpack_from(f">{raw[3]}I", raw, 4)
    body = bytearray(raw[4 + 4 * len(shape) :])
    if len(body) != math.prod(shape):
        raise DataError(
            f"{path} is damaged: {len(body)} bytes of data where its header says {shape}; {_REMEDY}"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)
