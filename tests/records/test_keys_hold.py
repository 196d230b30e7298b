"""Every record that ships is the run that its command asks for today."""

from collections import defaultdict
from pathlib import Path

from openmix import records
from openmix.config import compose
from openmix.identity import Identity

ROOT = Path(__file__).resolve().parents[2] / "results"


def test_the_overrides_of_every_record_give_its_keys():
    kept = [records.read(file) for file in sorted(ROOT.glob("**/records/**/*.json"))]
    runs = defaultdict(list)
    for record in kept:
        words = [word for word in record["overrides"] if not word.startswith("seed=")]
        runs[tuple(words)].append(record)
    assert len(kept) >= 150
    for words, same in runs.items():
        found = Identity.of(compose(words))
        for record in same:
            told = {name: record[name] for name in ("key", "protocol_key", "dataset", "variant")}
            assert told == {name: getattr(found, name) for name in told}, words
