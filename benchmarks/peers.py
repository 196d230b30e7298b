"""What mixing is measured against: bounds of the hardware, other packages, the plain forms."""

import numpy as np
import torch
from scipy import stats
from timing import Call
from torch import Tensor

from openmix.ops import draw


def lerp(x: Tensor) -> Call:
    """Read two batches, write one that is kept: what no method that blends can undercut."""
    other, out = x.roll(1, 0), torch.empty_like(x)
    return lambda: torch.lerp(x, other, 0.3, out=out)


def box_copy(x: Tensor) -> Call:
    """Copy, in place, a box of the mean area that CutMix pastes: 0.32 of the image."""
    height, width = (round(size * 0.32**0.5) for size in x.shape[-2:])
    box = (..., slice(3, 3 + height), slice(3, 3 + width))
    source, target = x[box], x.clone()[box]
    return lambda: target.copy_(source)


def two_matmuls(features: Tensor) -> Call:
    """The products of AlignMix: costs between all places, features carried by a plan."""
    own = features.flatten(2)
    other, plan = own.roll(1, 0), torch.rand(len(own), own.shape[2], own.shape[2])
    return lambda: (own.transpose(1, 2) @ other, own @ plan)


def packages(x: Tensor, labels: Tensor, classes: int) -> dict[str, Call | None]:
    """Methods as timm, torchvision and kornia have them, ``method/package``.

    None where the package is not installed. timm works in place, on a copy made once.
    """
    from timm.data.mixup import Mixup
    from timm.data.random_erasing import RandomErasing
    from torchvision.transforms import v2

    kept = x.clone()
    timm = {
        "mixup": Mixup(mixup_alpha=1.0, label_smoothing=0, num_classes=classes),
        "cutmix": Mixup(0.0, cutmix_alpha=1.0, label_smoothing=0, num_classes=classes),
        "random_erasing": RandomErasing(max_area=0.4, device=str(x.device)),
    }
    vision = {"mixup": v2.MixUp(num_classes=classes), "cutmix": v2.CutMix(num_classes=classes)}
    found = {
        "mixup/timm": lambda: timm["mixup"](kept, labels),
        "cutmix/timm": lambda: timm["cutmix"](kept, labels),
        "random_erasing/timm": lambda: timm["random_erasing"](kept),
        "mixup/torchvision": lambda: vision["mixup"](x, labels),
        "cutmix/torchvision": lambda: vision["cutmix"](x, labels),
    }
    try:
        import kornia.augmentation as kornia
    except ImportError:
        return found | dict.fromkeys(["mixup/kornia", "cutmix/kornia", "random_erasing/kornia"])
    mixup, cutmix = kornia.RandomMixUpV2(p=1.0), kornia.RandomCutMixV2(p=1.0)
    erasing = kornia.RandomErasing(p=0.5, scale=(0.02, 0.4))
    return found | {
        "mixup/kornia": lambda: mixup(x, labels),
        "cutmix/kornia": lambda: cutmix(x, labels),
        "random_erasing/kornia": lambda: erasing(x),
    }


def fmix_by_numpy(height: int, width: int) -> np.ndarray:
    """One mask of FMix, step by step as the authors make it.

    In float64, λ from scipy, the frequencies computed anew, the image stretched to [0, 1] and all
    of its pixels sorted.
    """
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    scale = 1 / np.maximum(np.sqrt(fy**2 + fx**2), 1 / max(height, width)) ** 3
    real, imaginary = scale * np.random.randn(2, *scale.shape)
    grey = np.fft.irfft2(real + 1j * imaginary, (height, width)).ravel()
    grey = (grey - grey.min()) / np.ptp(grey)
    order, count = grey.argsort()[::-1], round(stats.beta.rvs(1, 1) * len(grey))
    grey[order[:count]], grey[order[count:]] = 1, 0
    return grey.reshape(height, width)


def fmix_one_mask(x: Tensor) -> Tensor:
    """The batch through one mask of :func:`fmix_by_numpy`."""
    mask = torch.from_numpy(fmix_by_numpy(*x.shape[-2:])).to(x)
    return mask * x + (1 - mask) * x[torch.randperm(len(x), device=x.device)]


def fmix_loop(x: Tensor) -> Tensor:
    """A mask for each image, image by image."""
    mask = torch.from_numpy(np.stack([fmix_by_numpy(*x.shape[-2:]) for _ in x])).to(x)[:, None]
    return mask * x + (1 - mask) * x[torch.randperm(len(x), device=x.device)]


def saliencymix_by_opencv(x: Tensor) -> Call | None:
    """SaliencyMix with OpenCV's detector, image by image; None without opencv-contrib-python."""
    import cv2

    if not hasattr(cv2, "saliency"):
        return None
    detector = cv2.saliency.StaticSaliencyFineGrained_create()
    height, width = x.shape[-2:]

    def mix() -> Tensor:
        out, partner = x.clone(), torch.randperm(len(x)).tolist()
        side = (1 - draw.beta(1.0)) ** 0.5
        rows, columns = int(height * side) // 2, int(width * side) // 2
        for i, j in enumerate(partner):
            low, high = x[j].amin(), x[j].amax()
            pixels = (255 * (x[j] - low) / (high - low)).byte().permute(1, 2, 0).cpu().numpy()
            _, maps = detector.computeSaliency(np.ascontiguousarray(pixels))
            cy, cx = np.unravel_index(maps.argmax(), maps.shape)
            inside = (
                slice(max(cy - rows, 0), cy + rows),
                slice(max(cx - columns, 0), cx + columns),
            )
            out[i, :, *inside] = x[j, :, *inside]
        return out

    return mix


def aligned_densely(own: Tensor, other: Tensor, eps: float, iterations: int) -> Tensor:
    """AlignMix's carried features, every difference of two places at once: ``(N, P, P, C)``."""
    a, b = own.transpose(1, 2), other.transpose(1, 2)
    log_plan = (a[:, :, None] - b[:, None]).square().sum(-1) / -eps
    for _ in range(iterations):
        log_plan = log_plan.log_softmax(2).log_softmax(1)
    return other @ log_plan.exp().transpose(1, 2)
