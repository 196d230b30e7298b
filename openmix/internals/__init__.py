"""Looking inside a network: the only package that knows how backbones are built.

Written on timm's vocabulary (``blocks``, ``feature_info``, ``num_prefix_tokens``), which the
backbones of :mod:`openmix.backbones` speak as well.
"""

from collections.abc import Callable, Iterable

from torch import nn

from openmix.errors import Unsupported
from openmix.internals.activation import linear_head
from openmix.internals.attention import (
    all_attention,
    class_attention,
    last_attention,
    patch_attention,
    patch_grid,
    reading_attention,
)
from openmix.internals.average import Average
from openmix.internals.features import classifier, inputs_of, pooling
from openmix.internals.maps import stage_map, stage_width
from openmix.internals.modes import evaluating
from openmix.internals.saliency import gradient_saliency, input_saliency
from openmix.internals.stages import fed, hooked, stages
from openmix.internals.teacher import Frozen
from openmix.internals.tokens import patch_tokens

__all__ = [
    "FINDERS",
    "Average",
    "Frozen",
    "all_attention",
    "class_attention",
    "classifier",
    "evaluating",
    "fed",
    "gradient_saliency",
    "hooked",
    "input_saliency",
    "inputs_of",
    "last_attention",
    "linear_head",
    "patch_attention",
    "patch_grid",
    "patch_tokens",
    "pooling",
    "provides",
    "reading_attention",
    "require",
    "stage_map",
    "stage_width",
    "stages",
]

FINDERS: dict[str, tuple[Callable[[nn.Module], object], str]] = {
    "stages": (stages, "feature stages (timm's feature_info)"),
    "cam": (linear_head, "a convolutional network with a linear classifier"),
    "attention": (last_attention, "a transformer with a class token, such as backbone=deit_small"),
}
"""What a mixer may need -> how it is found, and what to call it."""


def provides(net: nn.Module) -> set[str]:
    """Which of :data:`FINDERS` find something in ``net``."""
    return {name for name, (find, _) in FINDERS.items() if find(net)}


def require(net: nn.Module, needs: Iterable[str], mixer: str) -> None:
    """Raise Unsupported where ``net`` lacks something of ``needs``."""
    for name in needs:
        find, description = FINDERS[name]
        if not find(net):
            raise Unsupported(f"{mixer} needs {description}; {type(net).__name__} has none")
