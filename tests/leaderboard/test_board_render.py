"""The forms of a board: golden files, one order, and names that stay names."""

import csv
import io
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmix.leaderboard.board import build
from openmix.leaderboard.load import load
from openmix.leaderboard.render import csv as csv_form
from openmix.leaderboard.render import latex, markdown, text
from openmix.records import Problem

GOLDEN = Path(__file__).parent / "golden"
PROBLEMS = [Problem("results/torn.json", "damaged: not valid JSON")]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img onerror=alert(1) src=x>',
    '=HYPERLINK("http://a")',
    "{{7*7}}",
]


PUBLISHED = [
    {
        "dataset": "CIFAR-100",
        "backbone": "ResNet-18",
        "epochs": "200",
        "recipe": "SGD",
        "method": "CutMix",
        "alpha": "0.2",
        "top1": "79.45",
        "metric": "top1 of the last epoch",
        "source_file": "table.md",
        "publication": "paper",
    }
]


def forms(runs, **options):
    frame = load(runs)
    board = build(frame, problems=PROBLEMS, published=PUBLISHED, **options)
    return {
        "leaderboard.csv": csv_form.wide(board),
        "runs.csv": csv_form.long(frame),
        "published.csv": csv_form.published(board),
        "leaderboard.md": markdown.render(board),
        "leaderboard.tex": latex.render(board),
        "leaderboard.txt": text.render(board),
    }


NAMES = ["leaderboard.csv", "runs.csv", "published.csv"]
NAMES += ["leaderboard.md", "leaderboard.tex", "leaderboard.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_the_fixed_runs_give_the_golden_files(runs, name):
    """Run once with WRITE_GOLDEN=1 after a wanted change, and read the diff."""
    found = forms(runs)[name]
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.joinpath(name).write_text(found, encoding="utf-8")
    assert found == GOLDEN.joinpath(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["leaderboard.txt", "leaderboard.csv"])
def test_ten_complete_runs_give_the_golden_files(make_run, name):
    values = {"none": [76.1, 76.4], "cutmix": [78.0, 78.9], "mixup": [77.0, 77.1], "fmix": [75, 76]}
    runs = [
        make_run(mixup, seed, float(top1), config={"epochs": 200}, dataset="cifar10")
        for mixup, seeds in values.items()
        for seed, top1 in enumerate(seeds)
    ]
    runs += [make_run("resizemix", s, 78.5 + s, dataset="cifar10") for s in (0, 1)]
    found = forms(runs)[name]
    path = GOLDEN / f"ten-{name}"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@settings(max_examples=20, deadline=None)
@given(random=st.randoms())
def test_the_order_of_records_makes_no_difference(runs, random):
    shuffled = random.sample(runs, len(runs))
    assert forms(shuffled) == forms(runs)


def test_leaving_out_any_record_never_fails(runs):
    whole = build(load(runs))
    for index in range(len(runs)):
        board = build(load(runs[:index] + runs[index + 1 :]))
        assert text.render(board)
        numbers = sum(cell.value.n for line in board.cells for cell in line if cell.value)
        before = sum(cell.value.n for line in whole.cells for cell in line if cell.value)
        assert numbers == before - (runs[index]["status"] == "done")


@pytest.mark.parametrize("rule", ["median10", "last", "val", "best"])
def test_the_selection_rule_is_named_in_every_form(runs, rule):
    found = forms(runs, rule=rule)
    assert all(rule in found[name] for name in found if name != "published.csv")
    for name in ("leaderboard.md", "leaderboard.tex", "leaderboard.txt"):
        assert ("selected on test" in found[name]) == (rule == "best")


@pytest.fixture(scope="module")
def hostile(make_run):
    runs = []
    for name in HOSTILE:
        bad = {"dataset": name, "backbone": name, "protocol": name, "variant": name}
        runs += [
            make_run(name, 0, 70.0, **bad),
            make_run(name, 1, status="failed", reason=name, **bad),
        ]
        runs.append(make_run("none", 0, 70.0, config={name: name}))
    frame = load(runs)
    return frame, build(
        frame, baseline=HOSTILE[0], problems=[Problem(name, name) for name in HOSTILE]
    )


def test_names_cannot_become_formulas(hostile):
    frame, board = hostile
    for source in (csv_form.wide(board), csv_form.long(frame)):
        cells = [cell for line in csv.reader(io.StringIO(source)) for cell in line]
        assert any(cell.startswith("'=") for cell in cells)
        for risky in (cell for cell in cells if cell[:1] in tuple("=+-@")):
            float(risky)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("-0.5", "-0.5"), ("+1e3", "+1e3"), (-0.5, -0.5), ("a=1", "a=1")]
    + [(bad, "'" + bad) for bad in ("=1+1", "+cmd", "-1+1", "@SUM(A1)")],
)
def test_only_formulas_are_guarded(value, expected):
    assert csv_form.guard(value) == expected


def test_names_cannot_become_markup_or_terminal_codes(make_run, hostile):
    table = markdown.render(hostile[1])
    assert not re.search(r"(?<!\\)[<>]", table)
    lines = [line for line in table.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    board = build(load([make_run("a|b\x1b[2Jc\nd", 0, 70.0)]))
    assert "a|b [2Jc d" in text.render(board)
    assert r"a\|b \[2Jc d" in markdown.render(board)


def test_names_cannot_become_latex(make_run):
    name = r"\input{/etc/passwd}$x_1^2 & 5% #1 ~ <a|b>"
    bad = {"dataset": name, "variant": name, "reason": name, "status": "failed"}
    board = build(load([make_run(name, 0, **bad), make_run("none", 0, 70.0)]))
    found = latex.render(board)
    ours = {"begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule", "textbf"}
    ours |= {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater"}
    ours |= {"textbar", "textquotedbl", "textquotesingle", "pm", "Delta", "usepackage"}
    assert set(re.findall(r"\\([a-zA-Z]+)", found)) <= ours
    assert r"\textbackslash{}input\{/etc/passwd\}\$x\_1\textasciicircum{}2 \& 5\% \#1" in found
    plain = re.sub(r"\\.", "", found)
    assert plain.count("{") == plain.count("}") and "#" not in plain
    lines = [line for line in plain.splitlines() if line.count("&")]
    assert len({line.count("&") for line in lines[:3]}) == 1


CLAIMS = r"P\(best\)|open to|best mean\.|is best|\*\*|textbf|\d\*|too few runs"


@pytest.mark.parametrize("mixup", ["none", "cutmix"])
def test_a_single_run_claims_nothing_in_any_form(make_run, mixup):
    found = forms([make_run(mixup, 0, 70.0)])
    for name in ("leaderboard.md", "leaderboard.tex", "leaderboard.txt"):
        assert not re.search(CLAIMS, found[name]) and f"{mixup} alone, 1 run" in found[name]
    (line,) = csv.DictReader(io.StringIO(found["leaderboard.csv"]))
    names = ("rank", "rank_low", "rank_high", "mean_rank", "p_top1", "p_top3")
    assert {line[name] for name in names} == {""} and line["top"] == "False"
    ten = [make_run(name, s, 70.0 + s) for name in ("none", "cutmix") for s in (0, 1)]
    assert all(re.search(CLAIMS, forms(ten)[f"leaderboard.{e}"]) for e in ("md", "tex", "txt"))


def test_incomplete_rows_stand_in_a_block_of_their_own(make_run):
    runs = [make_run(name, seed, 70.0 + seed) for name in ("none", "mixup") for seed in (0, 1)]
    runs += [make_run("aaa", 0, 99.0), make_run("zzz", 0, status="unsupported", reason="no cam")]
    found = forms(runs)
    order = ["none", "mixup", "aaa", "zzz"]
    table = found["leaderboard.txt"].split("\n\n")[1].splitlines()[2:]
    assert [line.split()[0] for line in table] == ["mixup", "none", "-", "aaa", "zzz"]
    assert re.search(r"zzz +unsupported +no cam", found["leaderboard.txt"])
    assert found["leaderboard.txt"].count("incomplete 1/2") == 1
    ranked, others = found["leaderboard.md"].split("## Incomplete")
    assert "aaa" not in ranked
    assert (
        "| aaa, incomplete 1/2 |" in others
        and "| zzz, incomplete 0/2 | unsupported (no cam)" in others
    )
    tex = found["leaderboard.tex"].split("\\bottomrule")[0].split("\\midrule")
    assert [["aaa" in part, "none &" in part] for part in tex[1:]] == [[False, True], [True, False]]
    lines = list(csv.DictReader(io.StringIO(found["leaderboard.csv"])))
    assert [line["complete"] for line in lines] == ["True", "True", "False", "False"]
    assert [line["rank"] == "" for line in lines] == [False, False, True, True]
    assert sorted(line["mixup"] for line in lines) == sorted(order)
