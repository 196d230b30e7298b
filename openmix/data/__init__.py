"""Data sets, batched augmentation, and loaders that can start at any batch."""
