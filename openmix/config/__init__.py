"""Compose and check the config of a run, without importing torch or anything it names."""

from openmix.config.check import check
from openmix.config.compose import Composed, compose
from openmix.config.grid import expand
from openmix.config.groups import names

__all__ = ["Composed", "check", "compose", "expand", "names"]
