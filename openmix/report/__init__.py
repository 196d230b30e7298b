"""One page on one run: what it was, how it went, what it saw, and how to repeat it."""

from openmix.report.report import write

__all__ = ["write"]
