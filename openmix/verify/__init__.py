"""A recorded run, trained once more: whether the same numbers come out."""

from openmix.verify.verify import verify

__all__ = ["verify"]
