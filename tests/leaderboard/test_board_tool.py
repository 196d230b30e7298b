"""The command: what it writes, and one line with a remedy for what it cannot do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openmix import records
from openmix.errors import ConfigError
from openmix.leaderboard import places
from openmix.leaderboard.arrange import Column
from openmix.leaderboard.options import SHIPPED, Options, parse
from openmix.leaderboard.publish import publish

ROOT = Path(__file__).resolve().parents[2]


def call(folder, *words):
    return subprocess.run(
        [sys.executable, ROOT / "tools/leaderboard.py", *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "OPENMIX_RECORDS"}
        | {"XDG_CACHE_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("board")
    for run in runs:
        records.write(folder / "results/records", run)
    folder.joinpath("results/records/torn.json").write_text('{"schema": 1')
    return folder


NAMES = ["leaderboard.csv", "runs.csv", "published.csv"]
NAMES += ["leaderboard.md", "leaderboard.tex", "leaderboard.html"]


def test_it_prints_the_board_and_writes_its_forms(folder):
    done = call(folder, "protocol=quickstart", "out=boards")
    assert done.returncode == 0
    assert done.stderr == "left out: results/records/torn.json: damaged: not valid JSON\n"
    assert done.stdout.splitlines()[-6:] == [f"boards/{name}" for name in NAMES]
    assert "82.90" in done.stdout
    assert all(folder.joinpath("boards", name).stat().st_size > 50 for name in NAMES)
    assert "cifar100" not in folder.joinpath("boards/runs.csv").read_text()
    assert "torn.json" in folder.joinpath("boards/leaderboard.html").read_text()
    assert "torn.json" in folder.joinpath("boards/leaderboard.md").read_text()


def test_seeds_can_be_chosen(folder):
    done = call(folder, "seed=1", "out=seeds", "protocol=quickstart")
    assert done.returncode == 0 and "83.70" in done.stdout and "82.90" not in done.stdout


def settle(folder):
    then = time.time() - 60
    for path in folder.rglob("*.json"):
        os.utime(path, (then, then))


def state(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture
def published(tmp_path, runs, monkeypatch):
    """``published()`` makes the board of some records and returns the outcome."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for run in runs:
        records.write(tmp_path / "results/records", run)
    settle(tmp_path)
    return lambda *words: publish(parse(words))


def test_a_board_of_which_nothing_changed_is_not_made_again(published, tmp_path, monkeypatch):
    first = published()
    before = state(tmp_path / "results/leaderboard")
    monkeypatch.setattr("openmix.leaderboard.make.make", lambda *_: pytest.fail("made again"))
    assert published() == first
    assert state(tmp_path / "results/leaderboard") == before


CHANGES = {
    "option": lambda: ["metric=nll"],
    "page": lambda: Path("results/leaderboard/leaderboard.md").unlink() or [],
    "edit": lambda: Path("results/leaderboard/leaderboard.md").write_text("mine") and [],
    "memory": lambda: next(Path("home").rglob("board-*.json")).write_text("{") and [],
    "record": lambda: settle_one(next(Path("results/records").rglob("*.json"))),
    "folder": lambda: ["records=results/records,gone"],
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changed_the_board_is_made_again(published, monkeypatch, change):
    first, made = published(), []
    monkeypatch.setattr("openmix.leaderboard.make.make", lambda *a: made.append(a) or first)
    published(*[word for word in CHANGES[change]() if isinstance(word, str)])
    assert len(made) == 1


def settle_one(path):
    os.utime(path, (time.time() - 30,) * 2)
    return []


def test_records_that_changed_just_now_are_not_trusted_to_lie_still(
    published, tmp_path, monkeypatch
):
    first = published()
    (tmp_path / "results/leaderboard/runs.csv").unlink()
    next(Path("results/records").rglob("*.json")).touch()
    made = []
    monkeypatch.setattr("openmix.leaderboard.make.make", lambda *a: made.append(a) or first)
    published()
    published()
    assert len(made) == 2


def test_one_or_many_folders_in_any_order_give_the_same_bytes(published, tmp_path, runs):
    whole = published("out=whole")
    for index, run in enumerate(reversed(runs)):
        records.write(tmp_path / "parts" / str(index % 3), run)
    parts = ",".join(f"parts/{index}" for index in (2, 0, 1))
    for out in ("cold", "warm"):
        assert published(f"records={parts}", f"out={out}").text == whole.text
        for path in whole.paths:
            found = tmp_path / out / Path(path).relative_to("whole")
            assert found.read_bytes() == (tmp_path / path).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["metrc=top1"], "unknown key 'metrc'; did you mean 'metric'?"),
        (["select=median"], "unknown select=median; did you mean 'median10'?"),
        (["metric=acc"], "unknown metric=acc; known: top1, top5, nll, ece"),
        (["--out", "x"], "'--out' is not key=value; keys: records, with, out"),
        (["with=paper"], "unknown with=paper; known: reference"),
        (["dataset=cifar10"], "no records of dataset=cifar10; did you mean 'cifar100'?"),
        (["records=gone"], "no records in gone (gone: no such folder); train first"),
        (["out=results/records/torn.json"], "torn.json"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(folder, words, message):
    done = call(folder, *words)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("error: ") and message in done.stderr


def test_help_names_every_key(folder):
    done = call(folder, "--help")
    assert done.returncode == 0
    assert all(f"{name.rstrip('_')}=" in done.stdout for name in Options.__dataclass_fields__)


def test_options_are_read_before_anything_heavy_is_imported():
    program = "import sys; from openmix.leaderboard.options import parse; parse(['metric=nll']); "
    program += "import openmix.leaderboard.publish; "
    program += "sys.exit(bool({'pandas', 'scipy', 'numpy', 'jinja2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_options_have_defaults_and_values_may_hold_equals_signs():
    assert parse(["baseline=cutmix alpha=0.2"]) == Options(baseline="cutmix alpha=0.2")
    with pytest.raises(ConfigError, match="unknown key ''"):
        parse(["=1"])


def test_the_shipped_records_join_ones_own_or_stand_alone(published, tmp_path, monkeypatch, runs):
    monkeypatch.setitem(SHIPPED, "reference", tmp_path / "shipped")
    for run in runs[:3]:
        records.write(tmp_path / "shipped", run)
    for run in runs[3:]:
        records.write(tmp_path / "own", run)
    assert published("records=own", "with=reference").text == published().text
    alone = published("records=shipped")
    Path("results/records").rename("elsewhere")
    assert published("with=reference") == alone and not alone.problems
    with pytest.raises(ConfigError, match=r"train first: .* with=reference"):
        published()
    outcome = published("records=gone", "with=reference")
    assert outcome.problems == [("gone", "no such folder")]


def test_protocols_that_share_no_method_get_a_board_each_and_nothing_stale_stays(
    published, tmp_path, runs
):
    one = published("protocol=quickstart")
    out = tmp_path / "results/leaderboard"
    assert {path.name for path in out.iterdir()} == set(NAMES)
    (out / "mine").mkdir()
    (out / "mine/leaderboard.md").write_text("a board that I have put there")

    many = published()
    labels = ["cifar100-resnet18-cifar100-epochs-200", "cifar100-resnet18-cifar100-epochs-400"]
    labels.append("digits_noisy-wrn10_1-quickstart-40-label-noise")
    index = {"boards.csv", "runs.csv", "leaderboard.md", "leaderboard.html"}
    assert {path.name for path in out.iterdir()} == {*index, *labels, "mine"}
    for folder in labels:
        assert {path.name for path in (out / folder).iterdir()} == set(NAMES)
        for ending in ("md", "html"):
            assert f"{folder}/leaderboard.{ending}" in (out / f"leaderboard.{ending}").read_text()
    assert sorted(many.paths) == sorted(
        path.relative_to(tmp_path).as_posix()
        for path in out.rglob("*.*")
        if "mine" not in str(path)
    )
    (part,) = [path for path in out.glob("digits*/leaderboard.csv")]
    assert "82.9" in part.read_text() and "78.37" not in part.read_text()
    assert "82.90" in many.text and "78.37" in many.text
    assert (
        "No method has every run of all 3 protocols, so each has a board of its own." in many.text
    )
    assert published() == many, "from memory"

    extra = runs[0] | {"protocol": "extra", "protocol_key": "f" * 12, "key": "f" * 12}
    file = records.write(tmp_path / "results/records", extra)
    assert "extra" in "".join(published().paths)
    file.unlink()
    assert published() == many
    assert {path.name for path in out.iterdir()} == {*index, *labels, "mine"}
    (out / labels[0] / "notes.txt").write_text("mine")
    assert published("protocol=quickstart") == one
    assert {path.name for path in out.iterdir()} == {*NAMES, "mine", labels[0]}
    assert [path.name for path in (out / labels[0]).iterdir()] == ["notes.txt"]
    assert (out / "mine/leaderboard.md").exists()


def test_names_in_a_list_of_boards_lead_nowhere_else(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/runs.csv").write_text("1")
    out = tmp_path / "out"
    out.mkdir()
    (out / "boards.csv").write_text("folder,protocol,methods,runs\n../precious,a,1,1\n\n")
    places.clear(out, ())
    assert (tmp_path / "precious/runs.csv").exists() and not (out / "boards.csv").exists()
    (out / "boards.csv").write_text("club,members\nchess,12\n")
    places.clear(out, ())
    assert (out / "boards.csv").exists(), "somebody else's"


def test_folders_of_boards_are_told_apart_without_regard_to_case():
    def columns(*heads):
        return [Column("d", "b", protocol, notes, "0") for protocol, notes in heads]

    assert places.names(columns(("a", ()), ("b/c", ()))) == ["a", "b-c"]
    assert places.names(columns(("a", ()), ("A", ("x",)))) == ["d-b-a", "d-b-A-x"]
    assert places.names(columns(("runs.csv", ()), ("a", ()))) == ["d-b-runs.csv", "d-b-a"]
    assert places.names(columns(("a", ("%",)), ("a", ("&",)))) == ["1-d-b-a-", "2-d-b-a-"]
