import os
from pathlib import Path

import pytest
from PIL import Image

from openmix.data import sources, walk
from openmix.data.base import list_folder
from openmix.errors import DataError


def picture(path, size=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size, size), (9, 99, 199)).save(path)


@pytest.fixture
def root(tmp_path):
    for part in ("train", "val"):
        for name in ("a", "b"):
            for number in range(2):
                picture(tmp_path / part / name / f"{number}.png")
    return tmp_path


def found(root):
    folder = list_folder(root / "train", "")
    assert len(folder.checksum()) == 64
    return [path.removeprefix(f"{folder.root}/") for path in folder.paths]


def refused(root, *words):
    with pytest.raises(DataError) as error:
        list_folder(root / "train", "hint").checksum()
    for word in words:
        assert word in str(error.value)


SOUND = ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]


@pytest.mark.parametrize(
    "name",
    [
        "a/.ipynb_checkpoints/0-checkpoint.png",
        "a/._0.png",
        "a/__MACOSX/0.png",
        "__MACOSX/0.png",
        "a/@eaDir/0.png/SYNOPHOTO_THUMB_M.png",
        ".cache/0.png",
        ".preview.png",
    ],
)
def test_what_is_hidden_or_made_by_a_system_is_no_image(root, name):
    picture(root / "train" / name)
    assert found(root) == SOUND


@pytest.mark.parametrize(
    "name", ["a/Thumbs.db", "a/notes.TXT", "README", "a/list.csv", "b/.DS_Store"]
)
def test_files_that_are_no_images_may_lie_beside_them(root, name):
    (root / "train" / name).write_bytes(b"no image")
    assert found(root) == SOUND


@pytest.mark.parametrize("target", [".", "..", "../..", "../../.."])
def test_a_circular_link_adds_nothing(root, target):
    (root / "train" / "a" / "0up").symlink_to(target)
    assert found(root) == SOUND


def test_a_circular_link_below_a_linked_root_adds_nothing(root):
    (root / "train" / "a" / "up").symlink_to(root / "train")
    (root / "link").symlink_to(root)
    assert found(root / "link") == SOUND


def test_links_are_followed_and_a_folder_is_read_once(root):
    picture(root / "elsewhere" / "deep" / "2.png")
    (root / "train" / "a" / "more").symlink_to(root / "elsewhere")
    (root / "train" / "a" / "once").symlink_to(root / "elsewhere" / "deep")
    (root / "train" / "b" / "9.png").symlink_to(root / "elsewhere" / "deep" / "2.png")
    assert found(root) == ["a/0.png", "a/1.png", "a/more/deep/2.png", *SOUND[2:], "b/9.png"]


@pytest.mark.parametrize("link, target", [("c", "a"), ("b/c", "../a")])
def test_a_folder_of_two_classes_is_refused(root, link, target):
    (root / "train" / link).symlink_to(target)
    refused(root, str(root / "train" / "a"), str(root / "train" / link), "remove one of the links")


def test_images_to_train_on_are_none_to_test_on(root):
    (root / "test").symlink_to("train")
    with pytest.raises(DataError, match=r"test is .*train itself, by a link"):
        sources.imagefolder(str(root))


@pytest.mark.parametrize("link", ["a/gone.png", "a/gone", "gone"])
@pytest.mark.parametrize("target", ["/nowhere/x.png", "gone"])
def test_a_link_to_nothing_is_named(root, link, target):
    (root / "train" / link).symlink_to(root / "train" / link if target == "gone" else target)
    refused(root, str(root / "train" / link))


def test_a_pipe_is_not_waited_for(root):
    os.mkfifo(root / "train" / "a" / "pipe.png")
    refused(root, "pipe.png", "no plain file")


def test_a_folder_that_cannot_be_read_is_named(root, monkeypatch):
    scan = os.scandir

    def locked(path):
        if str(path).endswith("inner"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    (root / "train" / "a" / "inner").mkdir()
    monkeypatch.setattr(walk.os, "scandir", locked)
    refused(root, "train/a/inner", "Permission denied")


@pytest.mark.parametrize(
    "ending", ["jfif", "JPE", "gif", "avif", "jp2", "TIF", "pbm", "tga", "ico"]
)
def test_other_endings_are_read(root, ending):
    picture(root / "train" / "a" / f"2.{ending.lower()}", size=16)
    (root / "train" / "a" / f"2.{ending.lower()}").rename(root / "train" / "a" / f"2.{ending}")
    assert found(root) == [*SOUND[:2], f"a/2.{ending}", *SOUND[2:]]


@pytest.mark.parametrize("name", ["a/x.heic", "a/x.SVG", "b/x.raw", "b/x.npy", "x.dcm"])
def test_images_that_cannot_be_read_are_named(root, name):
    (root / "train" / name).write_bytes(b"\0" * 64)
    refused(root, name, "convert it to PNG or JPEG")


@pytest.mark.parametrize("name", ["a/x", "a/0.png~", "a/x.jpg_large", "b/y.png.part"])
def test_images_of_unknown_ending_are_named(root, name):
    picture(root / "train" / "odd.png")
    (root / "train" / "odd.png").rename(root / "train" / name)
    refused(root, name, "rename it")


def test_images_beside_the_class_folders_are_named(root):
    picture(root / "train" / "stray.png")
    refused(root, "stray.png lies in no class folder")


def test_images_without_class_folders(root):
    picture(root / "flat" / "0.png")
    with pytest.raises(DataError, match="holds images but no class folders; hint"):
        list_folder(root / "flat", "hint")


def test_a_file_in_place_of_a_folder(root):
    (root / "file").write_text("")
    with pytest.raises(DataError, match=r"no folder .*file; hint"):
        list_folder(root / "file", "hint")


def test_an_empty_file_is_named_before_it_is_decoded(root):
    (root / "train" / "b" / "1.png").write_bytes(b"")
    refused(root, "train/b/1.png is empty")


def test_names_with_blanks_line_breaks_and_other_alphabets(root):
    names = ["a b.png", "a\nb.png", "ä 图.png", os.fsdecode(b"\xff.png")]
    for name in names:
        picture(root / "train" / "b" / name)
    assert found(root)[4:] == [f"b/{name}" for name in sorted(names)]


def test_an_unlabelled_test_folder_gives_way_to_val(root, capsys):
    picture(root / "test" / "1.png")
    _, test = sources.imagefolder(str(root))
    assert test.root == str(root / "val")
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"testing on {root / 'val'}" in told
    picture(root / "test" / "unknown" / "1.png")
    with pytest.raises(DataError, match=r"lies in no class folder"):
        sources.imagefolder(str(root))
    (root / "test" / "1.png").unlink()
    with pytest.raises(DataError, match=r"differ in a, b, unknown.*move test away to test on val"):
        sources.imagefolder(str(root))


def test_an_unlabelled_test_folder_alone_is_refused(root, capsys):
    (root / "val").rename(root / "test")
    for name in "ab":
        (root / "test" / name / "0.png").rename(root / "test" / f"{name}.png")
        (root / "test" / name / "1.png").unlink()
        (root / "test" / name).rmdir()
    with pytest.raises(DataError, match=r"test holds images but no class folders; expected"):
        sources.imagefolder(str(root))


@pytest.mark.parametrize("source", [sources.imagefolder, sources.imagenet])
def test_home(root, source, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    assert source(f"~/{root.name}")[0].root == str(root / "train")


@pytest.mark.parametrize(
    "source, file",
    [
        (sources.cifar10, "cifar-10-batches-py/data_batch_1"),
        (sources.fashion_mnist, "fashion-mnist"),
        (sources.tiny_imagenet, "tiny-imagenet-200/train"),
    ],
)
def test_home_of_the_others(tmp_path, source, file, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("openmix.data.fashion_mnist.DEBIAN", Path("/nowhere"))
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(DataError) as error:
        source("~")
    assert str(tmp_path / file) in str(error.value)
