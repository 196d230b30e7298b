"""The forms of a board: golden files, one order, and names that stay names."""

import base64
import csv
import hashlib
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmix.leaderboard.board import build
from openmix.leaderboard.load import load
from openmix.leaderboard.render import csv as csv_form
from openmix.leaderboard.render import html, markdown, text
from openmix.records import Problem

GOLDEN = Path(__file__).parent / "golden"
PROBLEMS = [Problem("results/torn.json", "damaged: not valid JSON")]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img onerror=alert(1) src=x>',
    '=HYPERLINK("http://a")',
    "{{7*7}}",
]


def forms(runs, **options):
    frame = load(runs)
    board = build(frame, problems=PROBLEMS, **options)
    return {
        "leaderboard.csv": csv_form.wide(board),
        "runs.csv": csv_form.long(frame),
        "leaderboard.md": markdown.render(board),
        "leaderboard.html": html.render(board),
        "leaderboard.txt": text.render(board),
    }


@pytest.mark.parametrize(
    "name", ["leaderboard.csv", "runs.csv", "leaderboard.md", "leaderboard.html", "leaderboard.txt"]
)
def test_the_fixed_runs_give_the_golden_files(runs, name):
    """Run once with WRITE_GOLDEN=1 after a wanted change, and read the diff."""
    found = forms(runs)[name]
    if name == "leaderboard.html":
        found = found[found.index("<main>") :]
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.joinpath(name).write_text(found, encoding="utf-8")
    assert found == GOLDEN.joinpath(name).read_text(encoding="utf-8")


@settings(max_examples=20, deadline=None)
@given(random=st.randoms())
def test_the_order_of_records_makes_no_difference(runs, random):
    shuffled = random.sample(runs, len(runs))
    assert forms(shuffled) == forms(runs)


def test_leaving_out_any_record_never_fails(runs):
    whole = build(load(runs))
    for index in range(len(runs)):
        board = build(load(runs[:index] + runs[index + 1 :]))
        assert html.render(board) and text.render(board)
        numbers = sum(cell.value.n for line in board.cells for cell in line if cell.value)
        before = sum(cell.value.n for line in whole.cells for cell in line if cell.value)
        assert numbers == before - (runs[index]["status"] == "done")


@pytest.mark.parametrize("rule", ["median10", "last", "val", "best"])
def test_the_selection_rule_is_named_in_every_form(runs, rule):
    found = forms(runs, rule=rule)
    assert all(rule in found[name] for name in found)
    for name in ("leaderboard.md", "leaderboard.html", "leaderboard.txt"):
        assert ("selected on test" in found[name]) == (rule == "best")


def test_counts_agree_with_their_nouns(make_run):
    page = forms([make_run("none", 0, 70.0)])["leaderboard.html"]
    assert "1 method, 1 protocol, 1 run<" in page


class Page(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_data(self, data):
        self.words.append(data)


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


def test_names_cannot_become_html(hostile):
    page = Page(html.render(hostile[1]))
    assert not {"script", "img", "link", "iframe", "a"} & set(page.tags)
    assert not [
        a for a in page.attributes if a[1].startswith("on") or a[1] in ("src", "href", "style")
    ]
    shown = "".join(page.words)
    assert all(name in shown for name in HOSTILE)


def test_the_page_allows_its_own_style_and_nothing_else(hostile):
    source = html.render(hostile[1])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)[1]
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "url(" not in style and "@import" not in style


def test_the_table_is_one_for_screen_readers(runs):
    page = Page(forms(runs)["leaderboard.html"])
    assert [page.tags.count(tag) for tag in ("table", "caption", "h1", "main")] == [1, 1, 1, 1]
    scopes = [value for tag, name, value in page.attributes if tag == "th" and name == "scope"]
    assert (scopes.count("col"), scopes.count("row")) == (4, 5) and page.tags.count("th") == 9
    assert ("html", "lang", "en") in page.attributes


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
