"""Finding the image files below a folder, whatever else lies there."""

import os
from collections.abc import Container

from openmix.errors import DataError

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".avif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".tga", ".pcx", ".qoi"),
    *(".ico", ".mpo"),
)
"""Endings of what is read. Fixed, so that a data set does not depend on the Pillow at hand."""

UNREADABLE = (
    *(".heic", ".heif", ".jxl", ".svg", ".svgz", ".npy", ".exr", ".hdr", ".dcm", ".nii", ".psd"),
    *(".eps", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"),
)
"""Endings of images that are refused, as Pillow does not read them or not as they are meant."""

TEXT = (".txt", ".csv", ".tsv", ".json", ".xml", ".md", ".html", ".yaml", ".yml")
"""Endings of what may lie beside images; anything else is looked into."""

SYSTEMS = ("__MACOSX", "@eaDir")


def entries(folder: str) -> list[os.DirEntry]:
    """What a folder holds, sorted by name, without what is hidden or made by a system."""
    try:
        with os.scandir(folder) as found:
            shown = [e for e in found if e.name[0] != "." and e.name not in SYSTEMS]
    except OSError as error:
        raise DataError(f"folder {folder} cannot be read ({error.strerror})") from error
    return sorted(shown, key=lambda each: each.name)


def is_folder(entry: os.DirEntry) -> bool:
    """Whether it is a folder, not a file; DataError for a link that leads nowhere and the like."""
    try:
        if entry.is_dir():
            return True
        if entry.is_file():
            return False
        reason = "the file it links to is missing" if entry.is_symlink() else "it is no plain file"
    except OSError as error:
        reason = error.strerror
    raise DataError(f"{entry.path} cannot be read: {reason}; delete it or get it again")


def is_image(entry: os.DirEntry) -> bool:
    """Whether a file is an image by its ending; DataError for images that are not read."""
    ending = os.path.splitext(entry.name)[1].lower()
    if ending in EXTENSIONS:
        return True
    if ending in UNREADABLE or (ending not in TEXT and _opens(entry.path)):
        raise DataError(
            f"{entry.path} is an image that is not read by its ending; "
            "convert it to PNG or JPEG, rename it, or delete it"
        )
    return False


def _opens(path: str) -> bool:
    from PIL import Image  # only for odd files

    try:
        Image.open(path).close()
    except Exception:  # whatever it is, it is no image
        return False
    return True


def images_below(folder: str, above: Container[str]) -> tuple[list[str], dict[str, str]]:
    """Paths of the images, sorted, and of all folders by their real paths.

    Links are followed, but no folder is read twice and none of those `above`, so that a circular
    link adds nothing. Raises DataError where a file or folder cannot be told or read.
    """
    images: list[str] = []
    folders: dict[str, str] = {}
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        place = os.path.realpath(path)
        if place in folders or place in above:
            continue
        folders[place] = path
        inner = []
        for entry in entries(path):
            if is_folder(entry):
                inner.append(entry.path)
            elif is_image(entry):
                images.append(entry.path)
        waiting += reversed(inner)
    return sorted(images), folders
