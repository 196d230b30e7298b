"""Five photographs in the public domain that come with scikit-image: nothing to download."""

from typing import TYPE_CHECKING, NamedTuple

from openmix.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


class Photo(NamedTuple):
    """``name`` of a function of ``skimage.data``, the square to cut, and a colour for its label."""

    name: str
    left: int
    top: int
    side: int
    colour: str


PHOTOS = {
    "cat": Photo("chelsea", 90, 0, 300, "#e69f00"),
    "coffee": Photo("coffee", 80, 0, 400, "#8c510a"),
    "rocket": Photo("rocket", 106, 0, 427, "#0072b2"),
    "person": Photo("astronaut", 40, 0, 400, "#d55e00"),
    "space": Photo("hubble_deep_field", 150, 250, 560, "#009e73"),
}
"""Label -> photograph."""

SIZE = 224


def photographs() -> "tuple[Tensor, Tensor]":
    """Images ``(5, 3, 224, 224)`` in [0, 1] and their one-hot targets ``(5, 5)``.

    Raises DataError where scikit-image is missing.
    """
    import numpy as np  # the table above is needed before there is time for these
    import torch
    from PIL import Image

    try:
        from skimage import data
    except ImportError as error:
        raise DataError(
            "the photographs come with scikit-image, which is missing; pip install scikit-image"
        ) from error
    squares = []
    for photo in PHOTOS.values():
        box = (photo.left, photo.top, photo.left + photo.side, photo.top + photo.side)
        image = Image.fromarray(getattr(data, photo.name)())
        squares.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.LANCZOS, box)))
    images = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255
    return images, torch.eye(len(PHOTOS))
