"""What there is to choose from: python tools/list.py mixups | backbones | datasets | protocols

`--markdown` prints the mixups as docs/mixups.md holds them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openmix import catalogue, terminal
from openmix.config import names
from openmix.errors import ConfigError

GROUPS = {"backbones": "backbone", "datasets": "dataset", "protocols": "exp"}


def main(arguments: list[str]) -> int:
    markdown = "--markdown" in arguments
    asked = [word for word in arguments if word != "--markdown"] or ["mixups"]
    if asked == ["mixups"]:
        print(catalogue.markdown() if markdown else catalogue.table())
        return 0
    if len(asked) == 1 and asked[0] in GROUPS:
        print("\n".join(names(GROUPS[asked[0]])))
        return 0
    kinds = ["mixups", *GROUPS]
    raise ConfigError(f"no list of {' '.join(asked)}; there are {', '.join(kinds)}")


if __name__ == "__main__":
    sys.exit(terminal.run(main, __doc__))
