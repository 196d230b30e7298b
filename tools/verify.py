"""Train a recorded run again and compare: python tools/verify.py RECORD, or KEY seed=N

RECORD is a file (results/records/.../KEY-sSEED.json). KEY, or its first digits, is looked for in
your records and in those that ship, or in records=FOLDER. The run is trained by the code of its own
commit, where this checkout has it, in runs/verify (out=FOLDER for another place); no record is
touched. The last line is `identical bits`, `within the interval of its cell ...` (exit code 0) or
`differs by ...` (exit code 1).

paths.data=, dataset.source.root= and runner.* that are no part of a key may be given as well.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import terminal


def main(words: list[str]) -> int:
    """Verify one record."""
    from openmix.verify import verify  # pandas; help need not wait for it

    return verify(words)


if __name__ == "__main__":
    sys.exit(terminal.run(main, __doc__))
