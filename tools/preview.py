"""Show what a mixup does: python tools/preview.py mixup=fmix [mixup.alpha=0.5] [seed=1]

out=PICTURE       a .png or .jpg (results/previews/NAME.png); all else is as for tools/train.py
backbone=NAME     the (untrained) network, for mixups that look inside one

Several mixups or settings make a gallery, a row each: mixup=mixup,cutmix or 'mixup=glob(*)'. A
folder in place of the picture (out=docs/gallery) gets one for each family: blend.jpg, cut.jpg ...
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import home, terminal
from openmix.catalogue import mixups
from openmix.config import Composed, expand
from openmix.viz.request import configure


def main(words: list[str]) -> int:
    """Write the picture and print its path."""
    overrides = [word for word in words if not word.startswith("out=")]
    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    grid = [configure(run) for run in expand(overrides)]
    name = grid[0].choices["mixup"] if len(grid) == 1 else "gallery"
    out = Path(home.folder((outs or [f"results/previews/{name}.png"])[-1]))
    from openmix.viz.preview import gallery, preview  # torch takes seconds to import

    if not out.suffix:
        for family, members in families(grid).items():
            print(gallery(members).save(out / f"{family}.jpg"))
    else:
        print((gallery(grid) if len(grid) > 1 else preview(grid[0])).save(out))
    return 0


def families(grid: list[Composed]) -> dict[str, list[Composed]]:
    """The requests by the family of their mixup; no mixing has none, and no picture."""
    family = {entry.name: entry.family for entry in mixups()}
    found: dict[str, list[Composed]] = {}
    for composed in grid:
        found.setdefault(family[composed.choices["mixup"]], []).append(composed)
    found.pop("none", None)
    return found


if __name__ == "__main__":
    sys.exit(terminal.run(main, __doc__))
