"""Make the leaderboard from the records: python tools/leaderboard.py [key=value ...]

records=results/records   folders of records, separated by commas
with=reference            join the records that ship with openmix
out=results/leaderboard   where leaderboard.csv, .md, .tex, .html, runs.csv and published.csv go
select=median10           which epochs count: median10 | last | val | best (selected on test)
metric=top1               top1 | top5 | nll | ece
baseline=none             the mixup that Δ is taken to
dataset= backbone= protocol= seed=    keep only these, separated by commas
"""

import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import terminal
from openmix.leaderboard.options import parse
from openmix.leaderboard.publish import publish


def main(words: list[str]) -> int:
    gc.disable()  # nothing here goes in circles, and to look costs a tenth of the time
    board = publish(parse(words))
    for problem in board.problems:
        print(f"left out: {problem.path}: {problem.reason}", file=sys.stderr)
    print(board.text, *board.paths, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(terminal.run(main, __doc__))
