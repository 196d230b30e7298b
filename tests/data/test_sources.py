import gzip
import hashlib
import pickle
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from openmix.data import cifar, fashion_mnist, sources, tiny_imagenet
from openmix.data.base import Arrays, list_folder
from openmix.errors import DataError


def refused(make, *fragments):
    with pytest.raises(DataError) as error:
        make()
    message = str(error.value)
    assert "\n" not in message
    for fragment in fragments:
        assert str(fragment) in message


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    raw = header + array.tobytes()
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


@pytest.fixture
def fashion(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 6), ("test", 3)):
        images, labels = fashion_mnist.FILES[part]
        write_idx(raw / f"{images}.gz", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        write_idx(raw / labels, np.arange(count, dtype=np.uint8))
    return raw


def test_digits():
    train, test = sources.digits()
    assert train.images.shape == (1000, 1, 8, 8) and test.images.shape == (797, 1, 8, 8)
    assert train.images.dtype == np.uint8 and train.images.max() == 255
    assert np.bincount(np.concatenate([train.labels, test.labels])).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    assert train.checksum() == ("b044c6faff3bf140cf2df01565d2269903b9f8368bd655340793be2093b27831")
    assert train.checksum() != test.checksum()


def test_fashion_reads_gzipped_and_plain(fashion, tmp_path):
    train, test = sources.fashion_mnist(str(tmp_path))
    assert train.images.shape == (6, 1, 28, 28) and test.images.shape == (3, 1, 28, 28)
    assert (
        train.images[0, 0, 0, :3].tolist()
        == np.random.default_rng(0).integers(0, 256, 3, dtype=np.uint8).tolist()
    )
    assert train.labels.tolist() == list(range(6))


def test_fashion_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    refused(
        lambda: sources.fashion_mnist(str(tmp_path)),
        "train-images-idx3-ubyte",
        tmp_path / "FashionMNIST" / "raw",
        tmp_path / "debian",
        "apt-get install dataset-fashion-mnist",
        "dataset.source.download=true",
    )


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"])
@pytest.mark.parametrize("keep", [0, 3, 7, 10, -1])
def test_fashion_truncated(fashion, tmp_path, name, keep):
    path = fashion / name
    path.write_bytes(path.read_bytes()[:keep])
    refused(lambda: sources.fashion_mnist(str(tmp_path)), path, "delete it and get it again")


def test_fashion_flipped_bit_in_gzip(fashion, tmp_path):
    path = fashion / "train-images-idx3-ubyte.gz"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    refused(lambda: sources.fashion_mnist(str(tmp_path)), path)


def test_fashion_wrong_pair(fashion, tmp_path):
    write_idx(fashion / "t10k-labels-idx1-ubyte", np.zeros(4, dtype=np.uint8))
    refused(lambda: sources.fashion_mnist(str(tmp_path)), "do not belong together")


@pytest.mark.skipif(
    not fashion_mnist.DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)
def test_fashion_real(tmp_path):
    train, test = sources.fashion_mnist(str(tmp_path))
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert abs(train.images.mean() / 255 - 0.2860) < 1e-4


def test_download_that_fails_is_told_in_one_line(tmp_path, monkeypatch):
    import torchvision

    def offline(root, download):
        raise OSError("no route\nto host")

    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(torchvision.datasets, "FashionMNIST", offline)
    monkeypatch.setattr(torchvision.datasets, "CIFAR10", offline)
    for source in (sources.fashion_mnist, sources.cifar10):
        refused(lambda source=source: source(str(tmp_path), download=True), tmp_path, "(no route)")


def test_download_is_not_asked_for_what_is_there(fashion, tmp_path, monkeypatch):
    monkeypatch.setattr(fashion_mnist, "fetch", None)
    assert len(sources.fashion_mnist(str(tmp_path), download=True)[0]) == 6


@pytest.fixture
def batches(tmp_path):
    md5 = {}
    for number in (1, 2):
        rows = np.full((5, 3072), number, dtype=np.uint8)
        rows[:, 1024:2048] = 50 + number
        raw = pickle.dumps({"data": rows, "labels": [number] * 5})
        (tmp_path / f"batch_{number}").write_bytes(raw)
        md5[f"batch_{number}"] = hashlib.md5(raw).hexdigest()
    return tmp_path, md5


def test_cifar_reads_and_joins(batches):
    folder, md5 = batches
    part = cifar.read(folder, md5, "labels")
    assert part.images.shape == (10, 3, 32, 32) and part.images.dtype == np.uint8
    assert part.images[:, :, 3, 4].tolist() == [[1, 51, 1]] * 5 + [[2, 52, 2]] * 5
    assert part.labels.tolist() == [1] * 5 + [2] * 5


class Bomb:
    """Unpickling this leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_cifar_never_unpickles_what_is_not_verified(batches):
    folder, md5 = batches
    (folder / "batch_2").write_bytes(pickle.dumps(Bomb(folder / "exploded")))
    refused(
        lambda: cifar.read(folder, md5, "labels"),
        folder / "batch_2",
        "md5",
        "dataset.source.download=true",
    )
    assert not (folder / "exploded").exists()


def test_cifar_missing(batches, tmp_path):
    folder, md5 = batches
    (folder / "batch_1").unlink()
    refused(lambda: cifar.read(folder, md5, "labels"), folder / "batch_1")
    refused(
        lambda: sources.cifar10(str(tmp_path)),
        "cifar-10-batches-py",
        "dataset.source.download=true",
    )
    refused(
        lambda: sources.cifar100(str(tmp_path)), "cifar-100-python", "dataset.source.download=true"
    )


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8)}),
        pickle.dumps({"data": np.zeros((2, 99), np.uint8), "labels": [0, 1]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}),
        pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]})[:-50],
        b"",
    ],
)
def test_cifar_batch_of_another_make(tmp_path, content):
    refused(lambda: cifar.parse(content, "labels", tmp_path / "batch"), tmp_path / "batch")


def test_cifar_digests_are_torchvisions():
    from torchvision.datasets import CIFAR10, CIFAR100

    assert dict(CIFAR10.train_list) == cifar.CIFAR10_TRAIN
    assert dict(CIFAR10.test_list) == cifar.CIFAR10_TEST
    assert dict(CIFAR100.train_list) == cifar.CIFAR100_TRAIN
    assert dict(CIFAR100.test_list) == cifar.CIFAR100_TEST


def picture(path, colour, size=64, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (size, size), colour).save(path)


@pytest.fixture
def tiny(tmp_path):
    folder = tmp_path / "tiny-imagenet-200"
    rows = []
    for label, wnid in enumerate(("n01", "n02", "n03")):
        for number in range(4):
            colour = (40 * label, 10 * number, 0)
            picture(folder / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", colour)
        picture(folder / "val" / "images" / f"val_{label}.JPEG", 90 + label, mode="L")
        rows.insert(0, f"val_{label}.JPEG\t{wnid}\t0\t0\t62\t62\n")
    (folder / "val" / "val_annotations.txt").write_text("".join(rows))
    return folder


def test_tiny_imagenet(tiny):
    train, test = sources.tiny_imagenet(str(tiny.parent))
    assert train.images.shape == (12, 3, 64, 64) and test.images.shape == (3, 3, 64, 64)
    assert train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert test.labels.tolist() == [2, 1, 0]
    assert test.images[:, :, 0, 0].tolist() == [[92] * 3, [91] * 3, [90] * 3]
    assert abs(train.images[5, :, 9, 9] - np.array([40, 10, 0])).max() <= 4


def test_tiny_imagenet_sorted_val(tiny):
    _, flat = sources.tiny_imagenet(str(tiny.parent))
    for label, wnid in enumerate(("n01", "n02", "n03")):
        picture(tiny / "val" / wnid / f"val_{label}.JPEG", 90 + label, mode="L")
    shutil.rmtree(tiny / "val" / "images")
    (tiny / "val" / "val_annotations.txt").unlink()
    _, test = sources.tiny_imagenet(str(tiny.parent))
    assert np.array_equal(test.images, flat.images[::-1])
    assert test.labels.tolist() == [0, 1, 2]


def test_tiny_imagenet_cache(tiny, monkeypatch):
    train, test = sources.tiny_imagenet(str(tiny.parent))
    decoded = []
    decode = tiny_imagenet.decode
    monkeypatch.setattr(tiny_imagenet, "decode", lambda part: decoded.append(part) or decode(part))

    def again():
        decoded.clear()
        pair = sources.tiny_imagenet(str(tiny.parent))
        assert [part.checksum() for part in pair] == [train.checksum(), test.checksum()]
        return len(decoded)

    cache = tiny / "openmix.npz"
    assert again() == 0
    whole = cache.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"nonsense" * 9):
        cache.write_bytes(damaged)
        assert again() == 2
        assert again() == 0
    changed = bytearray(cache.read_bytes())
    changed[len(changed) // 2] ^= 255
    cache.write_bytes(changed)
    assert again() == 2
    assert sorted(path.name for path in tiny.iterdir()) == ["openmix.npz", "train", "val"]
    picture(tiny / "train" / "n01" / "images" / "n01_new.JPEG", 9)
    assert len(sources.tiny_imagenet(str(tiny.parent))[0]) == 13


def test_tiny_imagenet_without_room_for_a_cache(tiny, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiny_imagenet.os, "replace", full)
    with pytest.warns(UserWarning, match="not cached"):
        train, _ = sources.tiny_imagenet(str(tiny.parent))
    assert len(train) == 12
    assert sorted(path.name for path in tiny.iterdir()) == ["train", "val"]


def test_tiny_imagenet_bad_files(tiny):
    root = str(tiny.parent)
    bad = tiny / "train" / "n02" / "images" / "n02_1.JPEG"
    whole = bad.read_bytes()
    bad.write_bytes(whole[:200])
    refused(lambda: sources.tiny_imagenet(root), bad)
    picture(bad, 3, size=32)
    refused(lambda: sources.tiny_imagenet(root), bad, "64 x 64")
    bad.write_bytes(whole)
    (tiny / "val" / "images" / "val_1.JPEG").unlink()
    refused(lambda: sources.tiny_imagenet(root), "val_1.JPEG")
    (tiny / "val" / "val_annotations.txt").write_text("val_0.JPEG\tn99\n")
    refused(lambda: sources.tiny_imagenet(root), "n99")
    shutil.rmtree(tiny / "train")
    refused(lambda: sources.tiny_imagenet(root), tiny / "train", "tiny-imagenet-200.zip")


@pytest.fixture
def own(tmp_path):
    for part, count in (("train", 2), ("val", 1)):
        for name in ("cat", "dog"):
            for number in range(count):
                picture(tmp_path / part / name / f"{number}.png", number, size=8)
    return tmp_path


@pytest.mark.parametrize("source", [sources.imagenet, sources.imagefolder])
def test_folders(own, source):
    (own / "train" / "cat" / "notes.txt").write_text("not a picture")
    (own / "train" / ".hidden").mkdir()
    train, test = source(str(own))
    assert train.classes == test.classes == ["cat", "dog"]
    assert train.labels.tolist() == [0, 0, 1, 1] and test.labels.tolist() == [0, 1]
    assert train.paths[2] == str(own / "train" / "dog" / "0.png")


def test_imagefolder_prefers_test(own):
    for name in ("cat", "dog"):
        for number in range(3):
            picture(own / "test" / name / f"{number}.png", 0, size=8)
    assert len(sources.imagefolder(str(own))[1]) == 6


def test_folder_checksum_is_of_names_sizes_labels(own, tmp_path_factory):
    first = list_folder(own / "train", "").checksum()
    copy = tmp_path_factory.mktemp("copy") / "train"
    shutil.copytree(own / "train", copy)
    assert list_folder(copy, "").checksum() == first
    (copy / "dog" / "0.png").rename(copy / "dog" / "7.png")
    renamed = list_folder(copy, "").checksum()
    (copy / "dog" / "7.png").write_bytes(b"12345")
    assert len({first, renamed, list_folder(copy, "").checksum()}) == 3


def test_folders_bad(own):
    root = str(own)
    (own / "train" / "emu").mkdir()
    refused(lambda: sources.imagefolder(root), own / "train" / "emu", "no images")
    picture(own / "train" / "emu" / "0.png", 0)
    refused(lambda: sources.imagefolder(root), "classes of train and val differ in emu")
    shutil.rmtree(own / "val")
    refused(lambda: sources.imagenet(root), own / "val", "image-net.org", "dataset.source.root")
    refused(lambda: sources.imagefolder(str(own / "nowhere")), own / "nowhere" / "train")


def test_arrays_checksum_sees_shape_pixels_labels():
    images, labels = np.zeros((2, 1, 4, 4), dtype=np.uint8), np.array([0, 1])
    other = images.copy()
    other[1, 0, 3, 3] = 1
    checksums = {
        Arrays(images, labels).checksum(),
        Arrays(images.reshape(2, 4, 2, 2), labels).checksum(),
        Arrays(other, labels).checksum(),
        Arrays(images, labels[::-1]).checksum(),
    }
    assert len(checksums) == 4
    assert Arrays(images.copy(), labels.copy()).checksum() in checksums
