"""What a picture is asked for, checked before torch is imported."""

from collections.abc import Sequence

from openmix.config import Composed, check, compose
from openmix.config.groups import key_of
from openmix.errors import Unsupported
from openmix.viz.photos import PHOTOS, SIZE

NETWORKS = (["backbone=resnet18_224"], ["backbone=vit_tiny", "backbone.patch_size=16"])
"""Small networks to look inside of, where no backbone is asked for; the first that will do is."""


def configure(overrides: Sequence[str]) -> Composed:
    """The config of a mixup on the photographs, with the first network that it can work on.

    Raises:
        ConfigError: the overrides are wrong.
        Unsupported: no network at hand (or not the one asked for) has what the mixup needs.
    """
    given = {key_of(override) for override in overrides}
    networks = ([],) if "backbone" in given else NETWORKS
    data = ["dataset=imagenet", f"dataset.num_classes={len(PHOTOS)}", f"dataset.size={SIZE}"]
    for network in networks:
        composed = compose([*data, *network, *overrides])
        try:
            check(composed)
            return composed
        except Unsupported as error:
            refused = error
    raise refused
