"""A look at a network's outputs that leaves no trace in it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Run ``net`` in evaluation mode and without gradients; every module gets its own mode back."""
    training = [module for module in net.modules() if module.training]
    for module in training:
        module.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True
        # Autocast would hand the weights it cast here, without gradients, to the trained pass.
        torch.clear_autocast_cache()
