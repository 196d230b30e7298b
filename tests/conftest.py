"""What all tests share: one thread, and tiny networks. Imports torch only where it is asked for."""

import copy
import os
from functools import cache

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere

import pytest

CLASSES = 10


@cache
def prototype(kind, size):
    import torch

    torch.manual_seed(0)
    if kind == "resnet":
        from openmix.backbones import WideResNet

        return WideResNet(depth=10, width=1, num_classes=CLASSES)
    from timm.models import VisionTransformer

    return VisionTransformer(
        img_size=size, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=CLASSES
    )


@pytest.fixture
def tiny():
    """``tiny("resnet")``, ``tiny("vit", (24, 32))``: a fresh network of 10 classes, training."""
    return lambda kind, size=(32, 32): copy.deepcopy(prototype(kind, size))


@pytest.fixture
def batch():
    """``batch(6)``: random images ``(6, 3, 32, 32)`` and one-hot targets ``(6, 10)``."""
    import torch

    def make(n=6, size=(32, 32), seed=0):
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(CLASSES, (n,), generator=generator)
        x = torch.randn(n, 3, *size, generator=generator)
        return x, torch.nn.functional.one_hot(labels, CLASSES).float()

    return make
