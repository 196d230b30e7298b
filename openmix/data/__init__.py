"""Data sets, batched augmentation, and loaders that can start at any batch."""

from openmix.data.pipeline import Data, build

__all__ = ["Data", "build"]
