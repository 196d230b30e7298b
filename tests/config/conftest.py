"""A copy of the configs to write mistakes into, and a package of targets that nobody imports."""

import shutil
import sys
from pathlib import Path

import pytest

from openmix.config.groups import CONFIGS

LAB = {
    "__init__.py": """
        from probe_lab.mixers import Blend as Reexported
        from probe_lab.mixers import *
        raise RuntimeError("this package is read, never imported")
    """,
    "mixers.py": """
        import functools
        import os
        import os as operating
        from dataclasses import dataclass, field
        from os import system
        from pathlib import Path
        from typing import Literal, NamedTuple, overload

        from torch import Tensor, nn

        from openmix.mixups.base import Mixer
        from openmix.types import Count, Positive, Probability

        from . import other
        from .other import Far as Near

        Kind = Literal["hard", "soft"]
        run = os.system
        made = functools.partial(print, 1)

        class Blend(Mixer):
            needs = ("stages",)

            def __init__(self, alpha: Positive, *, prob: Probability = 1.0, kind: Kind = "hard",
                         size: Count | None = None, spread: tuple[float, float] = (0, 1),
                         rate: "float | Tensor" = 0.1, anything=None, where: nn.Module = None):
                pass

        Blend.__doc__ = "not a binding of Blend"

        class Child(Blend):
            needs: tuple[str, ...] = ("attention",)

        class Bare(nn.Module):
            pass

        @dataclass
        class Settings:
            first: int
            second: float = 2.0
            third: list = field(default_factory=list)
            hidden: int = field(init=False)

        @dataclass
        class More(Settings):
            fourth: str = "x"

        class Point(NamedTuple):
            x: float
            y: float = 0.0

        class Odd(made):
            pass

        @overload
        def twice(a: int) -> int: ...
        def twice(a: int, b: int = 1, *rest, flag: bool, **more): ...

        try:
            import missing_package
            from missing_package import thing
        except ImportError:
            thing = None

        if True:
            def chosen(first): ...
        else:
            def chosen(second): ...
    """,
    "other.py": "class Far:\n    def __init__(self, distance: int): ...\n",
    "circle.py": "from probe_lab.circle import *\nfrom probe_lab.circle2 import ring\n",
    "circle2.py": "from probe_lab.circle import ring\n",
    "broken.py": "def f(:\n",
    "lazy.py": "def __getattr__(name): ...\n",
}


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The package ``probe_lab`` on the path; importing it raises."""
    from textwrap import dedent

    root = tmp_path_factory.mktemp("lab")
    (root / "probe_lab").mkdir()
    for name, text in LAB.items():
        (root / "probe_lab" / name).write_text(dedent(text))
    sys.path.insert(0, str(root))
    yield "probe_lab"
    sys.path.remove(str(root))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of ``configs/`` that a test may spoil."""
    return Path(shutil.copytree(CONFIGS, tmp_path / "configs"))
