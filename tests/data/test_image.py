import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile

from openmix.data.base import Folder
from openmix.data.image import read_image
from openmix.data.loaders import FolderLoader, Order
from openmix.errors import ConfigError, DataError

RAMP = np.linspace(0, 65535, 32 * 40).reshape(32, 40).astype(np.uint16)
EIGHT = np.round(RAMP / 257).astype(np.uint8)


def big_endian_tiff(path):
    Image.frombytes("I;16B", (40, 32), RAMP.astype(">u2").tobytes()).save(path)


def pgm(path, top=65535):
    values = np.round(RAMP * (top / 65535)).astype(">u2")
    path.write_bytes(f"P5\n40 32\n{top}\n".encode() + values.tobytes())


def twelve_bits(path):
    values = (RAMP.ravel() >> 4).astype(int)
    packed = sum(int(value) << 12 * place for place, value in enumerate(values[::-1]))
    data = packed.to_bytes(len(values) * 3 // 2, "big")
    entries = {256: 40, 257: 32, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 32, 279: len(data)}
    fields = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in entries.items())
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    path.write_bytes(head + data + struct.pack("<H", len(entries)) + fields + bytes(4))


SIXTEEN = {
    "x.png": lambda path: Image.fromarray(RAMP).save(path),
    "x.tif": lambda path: Image.fromarray(RAMP).save(path),
    "b.tif": big_endian_tiff,
    "x.pgm": pgm,
    "12 bits.pgm": lambda path: pgm(path, 4095),
    "12 bits.tif": twelve_bits,
}


@pytest.mark.parametrize("name", SIXTEEN)
@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_keep_their_range(tmp_path, name, channels):
    path = tmp_path / name
    SIXTEEN[name](path)
    folder = Folder(str(tmp_path), [str(path)], np.zeros(1, np.int64), ["a"])
    [(images, _)] = FolderLoader(folder, Order(1, 1, False), channels=channels).batches()
    assert images.shape == (1, channels, 32, 40)
    # What had 12 bits may round to the neighbour.
    assert abs(images.numpy().astype(int) - EIGHT).max() <= name.startswith("12")


@pytest.mark.parametrize("dtype, words", [(np.float32, "floats"), (np.int32, "whole numbers")])
def test_values_of_unknown_range_are_refused_by_name(tmp_path, dtype, words):
    path = tmp_path / "x.tif"
    Image.fromarray((RAMP / 257).astype(dtype)).save(path)
    with pytest.raises(DataError, match=rf"x.tif holds {words}.*save it with 8 or 16 bits"):
        read_image(str(path), "RGB")


def test_colours_of_sixteen_bits_keep_their_upper_eight(tmp_path):
    rows = b"".join(b"\0" + struct.pack(">HHH", 0x0102, 0x80FF, 0xFFFF) for _ in range(2))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 2, 16, 2, 0, 0, 0))
    body = head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert np.asarray(read_image(str(tmp_path / "x.png"), "RGB"))[0, 0].tolist() == [1, 128, 255]


def test_transparency_is_dropped_and_palettes_are_looked_up(tmp_path):
    def pixel(mode):
        return np.asarray(read_image(str(path), mode))[0, 0].tolist()

    path = tmp_path / "x.png"
    Image.new("RGBA", (2, 2), (200, 100, 50, 0)).save(path)
    assert pixel("RGB") == [200, 100, 50] and pixel("L") == 124  # .299 R + .587 G + .114 B
    Image.new("LA", (2, 2), (80, 0)).save(path)
    assert pixel("RGB") == [80] * 3 and pixel("L") == 80
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    image.save(path, transparency=1)
    assert pixel("RGB") == [9, 8, 7]
    Image.new("1", (2, 2), 1).save(path)
    assert pixel("RGB") == [255] * 3 and pixel("L") == 255
    path = tmp_path / "x.tif"
    Image.new("CMYK", (2, 2), (255, 0, 0, 0)).save(path)
    assert pixel("RGB") == [0, 255, 255]


def test_the_orientation_of_a_camera_is_not_applied(tmp_path):
    image, exif = Image.new("RGB", (6, 4)), Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "x.jpg", exif=exif)
    assert read_image(str(tmp_path / "x.jpg"), "RGB").size == (6, 4)


def test_the_first_picture_counts(tmp_path):
    frames = [Image.new("L", (4, 4), grey) for grey in (40, 200)]
    for name in ("x.gif", "x.tif", "x.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert np.asarray(read_image(str(tmp_path / name), "L"))[0, 0] == 40


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks, size=(40, 32)):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


PIXELS = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(120) for _ in range(32))))
BROKEN = {
    "empty.png": b"",
    "text.txt.png": b"<html>404</html>",
    "words.png": png(chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * (2 << 20))), PIXELS),
    "short chunk.png": png(chunk(b"pHYs", b"\0"), PIXELS),
    "pixels.png": png(chunk(b"IDAT", b"no zlib")),
    "bomb.png": png(PIXELS, size=(40_000, 40_000)),
    "none.png": png(),
    "head.gif": b"GIF89a",
    "head.tif": b"II*\0\x08\0\0\0\xff\xff",
    "head.bmp": b"BM" + bytes(20),
    "x\ny.png": b"nothing",
}


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_cannot_be_decoded_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(BROKEN[name])
    with pytest.raises(DataError, match="cannot be decoded") as error:
        read_image(str(tmp_path / name), "RGB")
    assert str(error.value).startswith(str(tmp_path / name))


def test_a_truncated_jpeg_is_named(tmp_path):
    path = tmp_path / "x.jpg"
    Image.effect_noise((64, 64), 50).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DataError, match=r"x.jpg cannot be decoded \(.*truncated"):
        read_image(str(path), "RGB")


KINDS = [ValueError, struct.error, zlib.error, EOFError, OverflowError, SyntaxError, KeyError]


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_a_decoder_raises_names_the_file(tmp_path, kind, monkeypatch):
    def fail(self):
        raise kind("two\nlines")

    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(DataError, match=r"x.png cannot be decoded .*two") as error:
        read_image(str(tmp_path / "x.png"), "RGB")
    assert "\n" not in str(error.value)


def test_a_lack_of_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def fail(self):
        raise MemoryError

    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(MemoryError):
        read_image(str(tmp_path / "x.png"), "RGB")


def crop(picture):
    raise ValueError("required crop size (32, 32) is larger than (1, 1)")


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_reach_the_process_that_trains(tmp_path, workers):
    def first(transform=None):
        loader = FolderLoader(
            Folder(str(tmp_path), [str(path)], np.zeros(1, np.int64), ["a"]),
            Order(1, 1, False),
            transform=transform,
            workers=workers,
        )
        next(loader.batches())

    path = tmp_path / "x.png"
    path.write_bytes(BROKEN["words.png"])
    with pytest.raises(DataError, match=r"x.png cannot be decoded"):
        first()
    Image.new("RGB", (1, 1)).save(path)
    with pytest.raises(ConfigError, match=r"cannot take .*x.png of 1 x 1 pixels \(ValueError: "):
        first(crop)
