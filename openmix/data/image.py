"""One image file, decoded to 8 bits, or one line that names it."""

import numpy as np
from PIL import Image, UnidentifiedImageError

from openmix.config.suggest import one_line
from openmix.errors import DataError


def read_image(path: str, mode: str) -> Image.Image:
    """The first picture of a file, converted to `mode` "RGB" or "L" as Pillow does it.

    Transparency is dropped (the colours below it show), a palette is looked up, and the orientation
    that a camera notes in EXIF is not applied. Grey values of 16 bits are divided by 257 and
    rounded (of colours of 16 bits Pillow keeps the upper 8); floats and 32 bits are refused, since
    nobody knows their range. Raises DataError, naming the file, for whatever a decoder raises.
    """
    try:
        with Image.open(path) as file:
            return _eight_bits(file, path).convert(mode)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # decoders raise ValueError, struct.error, zlib.error, ...
        raise DataError(
            f"{path} cannot be decoded ({reason(error)}); delete it or get it again"
        ) from error


def reason(error: Exception) -> str:
    """What a library complains of, in a few words."""
    if isinstance(error, UnidentifiedImageError):  # its own words are the path once more
        return "no image of a kind that this Pillow reads"
    return one_line(getattr(error, "strerror", None) or str(error), 80) or type(error).__name__


def _eight_bits(image: Image.Image, path: str) -> Image.Image:
    sixteen = image.mode == "I" and image.format in ("PNG", "PPM")  # read and scaled so by Pillow
    if image.mode.startswith("I;16") or sixteen:
        # Pillow's convert() cuts at 255, which leaves white.
        top = 2 ** _tiff_bits(image) - 1
        pixels = (np.asarray(image, np.uint32) * 510 + top) // (2 * top)
        return Image.fromarray(pixels.astype(np.uint8))
    if image.mode in ("I", "F"):
        kind = {"I": "whole numbers", "F": "floats"}[image.mode]
        raise DataError(f"{path} holds {kind} of unknown range; save it with 8 or 16 bits")
    return image


def _tiff_bits(image: Image.Image) -> int:
    """Bits of a grey value; a TIFF of 12 bits is read as one of 16, as it is."""
    return image.tag_v2[258][0] if image.format == "TIFF" else 16
