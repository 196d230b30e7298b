"""A page on one run: python tools/report.py RUN [out=PAGE.html]

RUN is a record (results/records/.../KEY-sSEED.json) or the folder of a run (runs/.../KEY-sSEED).
The page goes into that folder, or for a record into results/reports, unless out= names a file.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import home, terminal
from openmix.errors import ConfigError


def main(words: list[str]) -> int:
    """Write the page and print its path."""
    outs = [word.removeprefix("out=") for word in words if word.startswith("out=")]
    runs = [word for word in words if not word.startswith("out=")]
    if len(runs) != 1 or len(outs) > 1:
        raise ConfigError("name one run: python tools/report.py RUN [out=PAGE.html]")
    from openmix.report import write  # pandas; a mistyped line need not wait for it

    print(write(*(Path(home.folder(word)) for word in runs + outs)))
    return 0


if __name__ == "__main__":
    sys.exit(terminal.run(main, __doc__))
