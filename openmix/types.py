"""Ranges of numbers, for the annotations of whatever a config can set.

Written in a signature, a range documents a parameter to its reader and is enforced before anything
is built: ``def __init__(self, alpha: Positive = 1.0)`` makes ``mixup.alpha=-1`` one line and exit
code 2. They are plain ``Annotated`` types, so type checkers and Python itself see ``float`` or
``int``. Every name in this file can be used in an annotation without further ado.
"""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Probability = Annotated[float, Ge(0), Le(1)]
Fraction = Annotated[float, Ge(0), Lt(1)]
"""A share that cannot be all of it."""
Decay = Annotated[float, Gt(0), Lt(1)]
"""The factor of an exponential moving average."""
Count = Annotated[int, Ge(1)]
Whole = Annotated[int, Ge(0)]
Seed = Annotated[int, Ge(0), Lt(2**31)]

__all__ = [
    "Count",
    "Decay",
    "Fraction",
    "NonNegative",
    "Positive",
    "Probability",
    "Seed",
    "Whole",
]
