"""Augmentation of whole batches of images in memory; no loop over images, no wait for a GPU.

Every class has `prepare(images) -> store`, called once, and
`__call__(store, index, generator) -> (B, C, H, W)`, where `index` (B,) is on the host and the
result on the device of the store. All random numbers come from `generator` on the host, so that
a batch is the same on every device.
"""

import math

import torch
import torch.nn.functional as F
from numpy.lib.stride_tricks import sliding_window_view
from torch import Generator, Tensor

from openmix.errors import ConfigError


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy from host to `device` without waiting for it."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class CropFlip:
    """Pad all sides by `pad` pixels, crop at random to the old size, mirror half of the images.

    mode: what the padding holds, "reflect" or "zeros". Bytes in, bytes out.
    """

    def __init__(self, pad: int = 4, mode: str = "reflect", flip: bool = True):
        if pad < 0 or mode not in ("reflect", "zeros"):
            raise ConfigError(f"CropFlip needs pad >= 0 and mode reflect or zeros: {pad=}, {mode=}")
        self.pad, self.mode, self.flip = pad, mode, flip

    def prepare(self, images: Tensor) -> Tensor:
        """Padded images (N, C, H + 2 pad, W + 2 pad), same type and device."""
        if self.mode == "zeros":
            return F.pad(images, (self.pad,) * 4)
        height, width = images.shape[2:]
        if self.pad >= min(height, width):
            raise ConfigError(
                f"augment.batch.pad={self.pad} reflects more than {height} x {width} images have; "
                f"take at most {min(height, width) - 1} or mode=zeros"
            )
        rows, columns = (_reflected(length, self.pad) for length in (height, width))
        return images[:, :, rows.to(images.device)][..., columns.to(images.device)]

    def __call__(self, store: Tensor, index: Tensor, generator: Generator) -> Tensor:
        """Augmented images (B, C, H, W) of the type of the store."""
        count = len(index)
        top, left = torch.randint(2 * self.pad + 1, (2, count), generator=generator)
        flip = torch.zeros(count, dtype=torch.long)
        if self.flip:
            flip.random_(2, generator=generator)
        height, width = (length - 2 * self.pad for length in store.shape[2:])
        crop = _crop_on_host if store.device.type == "cpu" else _crop_on_device
        return crop(store, index, top, left, flip, height, width)


class Flip(CropFlip):
    """Mirror half of the images."""

    def __init__(self) -> None:
        super().__init__(pad=0)


def _reflected(length: int, pad: int) -> Tensor:
    """Positions -pad .. length + pad - 1, mirrored at both ends without repeating the edge."""
    return (length - 1) - (torch.arange(-pad, length + pad).abs() - (length - 1)).abs()


def _crop_on_host(
    store: Tensor, index: Tensor, top: Tensor, left: Tensor, flip: Tensor, height: int, width: int
) -> Tensor:
    # numpy copies whole rows out of a window view; torch would compute an index for every byte.
    channels = store.shape[1]
    windows = sliding_window_view(store.numpy(), (channels, height, width), axis=(1, 2, 3))[:, 0]
    batch = windows[index.numpy(), top.numpy(), left.numpy()]
    flipped = flip.numpy().nonzero()[0]
    batch[flipped] = batch[flipped, ..., ::-1]
    return torch.from_numpy(batch)


def _crop_on_device(
    store: Tensor, index: Tensor, top: Tensor, left: Tensor, flip: Tensor, height: int, width: int
) -> Tensor:
    image, top, left, flip = to_device(torch.stack([index, top, left, flip]), store.device)[
        ..., None, None, None
    ]
    channel, row, column = (
        torch.arange(length, device=store.device) for length in (store.shape[1], height, width)
    )
    column = torch.where(flip.bool(), width - 1 - column, column)
    return store[image, channel[:, None, None], top + row[:, None], left + column]


class RandomResizedCrop:
    """Crop a random box, resize it to the size of the image, mirror half of the images.

    The boxes are drawn as in torchvision: `scale` is the range of their share of the area, `ratio`
    that of width / height. The result is that of torchvision's antialiased resize of the
    crop (for a crop, always enlarging), floats in 0..255 that are not rounded to whole numbers.
    """

    _tries = 10

    def __init__(
        self,
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip: bool = True,
        interpolation: str = "bicubic",
    ):
        if not 0 < scale[0] <= scale[1] <= 1 or not 0 < ratio[0] <= ratio[1]:
            raise ConfigError(
                f"RandomResizedCrop needs 0 < scale[0] <= scale[1] <= 1 and "
                f"0 < ratio[0] <= ratio[1]: {scale=}, {ratio=}"
            )
        if interpolation not in _KERNELS:
            raise ConfigError(
                f"RandomResizedCrop has no interpolation {interpolation!r}; take bicubic, bilinear"
            )
        self.scale, self.ratio, self.flip = tuple(scale), tuple(ratio), flip
        self.kernel = _KERNELS[interpolation]

    def prepare(self, images: Tensor) -> Tensor:
        """The images as they are."""
        return images

    def __call__(self, store: Tensor, index: Tensor, generator: Generator) -> Tensor:
        """Augmented images (B, C, H, W), float32 in 0..255."""
        height, width = store.shape[2:]
        boxes = self.boxes(len(index), height, width, generator)
        flip = torch.zeros(len(index))
        if self.flip:
            flip.random_(2, generator=generator)
        top, left, tall, wide, flip = to_device(torch.stack([*boxes, flip]), store.device)
        rows = _resize_weights(top, tall, height, self.kernel)
        columns = _resize_weights(left, wide, width, self.kernel)
        columns = torch.where(flip.bool()[:, None, None], columns.flip(1), columns)
        crops = store[to_device(index, store.device)].float()
        return (rows[:, None] @ crops @ columns[:, None].mT).clamp_(0, 255)

    def boxes(self, count: int, height: int, width: int, generator: Generator) -> list[Tensor]:
        """Whole-numbered (top, left, height, width), each (count,) float32 on the host.

        Of ten tries the first that fits counts; where none does, the largest centred box
        within `ratio`.
        """
        draws = torch.rand(4, self._tries, count, generator=generator, dtype=torch.float64)
        area = height * width * (self.scale[0] + draws[0] * (self.scale[1] - self.scale[0]))
        low, high = map(math.log, self.ratio)
        ratio = torch.exp(low + draws[1] * (high - low))
        wide, tall = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (wide > 0) & (wide <= width) & (tall > 0) & (tall <= height)
        first = fits.int().argmax(0, keepdim=True)
        wide, tall, down, right, fits = (
            values.gather(0, first)[0] for values in (wide, tall, draws[2], draws[3], fits)
        )
        wide = torch.where(fits, wide, min(width, round(height * self.ratio[1])))
        tall = torch.where(fits, tall, min(height, round(width / self.ratio[0])))
        top = torch.where(fits, (down * (height - tall + 1)).floor(), (height - tall) // 2)
        left = torch.where(fits, (right * (width - wide + 1)).floor(), (width - wide) // 2)
        return [values.float() for values in (top, left, tall, wide)]


def _resize_weights(start: Tensor, length: Tensor, size: int, kernel) -> Tensor:
    """Rows that resize [start, start + length) of an axis to the whole axis: (B, size, size).

    Entry (b, o, i) is the weight of input pixel i in output pixel o; rows sum to 1.
    """
    pixel = torch.arange(size, device=start.device, dtype=torch.float32)
    start, length = start[:, None, None], length[:, None, None]
    centre = start + (pixel[:, None] + 0.5) * (length / size) - 0.5
    weights = kernel((pixel - centre).abs())
    weights = weights * ((pixel >= start) & (pixel < start + length))
    return weights / weights.sum(-1, keepdim=True)


def _cubic(distance: Tensor) -> Tensor:
    # a = -0.5, as in PIL and in torchvision's antialiased resize; torch's plain resize has -0.75.
    near = (1.5 * distance - 2.5) * distance.square() + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))


def _linear(distance: Tensor) -> Tensor:
    return (1 - distance).clamp_min(0)


_KERNELS = {"bicubic": _cubic, "bilinear": _linear}
