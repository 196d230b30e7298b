"""The page as a file: what it says without a browser, what it allows, and that it is repeatable."""

import base64
import hashlib
import json
import re
import zlib
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmix.leaderboard.board import build
from openmix.leaderboard.load import load
from openmix.leaderboard.render import html
from openmix.records import Problem

HOSTILE = ["<script>alert(1)</script>", '"><img onerror=alert(1) src=x>', "{{7*7}}"]
LIBRARY = "38017a5586acd9c6eb6bbfe8b6938e1a25bdc717c5acfcb07e0c9d663282c59d"
"""SHA-256 of js/dataTables.min.js in the release 3.1.5 of datatables.net on npm."""


def page_of(runs, **options):
    frame = load(runs)
    return html.render(build(frame, **options), frame)


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
def source(runs):
    return page_of(runs, problems=[Problem("results/torn.json", "damaged: not valid JSON")])


def unpacked(source):
    text = re.search(r'id="runs">([^<]*)<', source)[1]
    return json.loads(zlib.decompress(base64.b64decode(text), wbits=-zlib.MAX_WBITS))


@settings(max_examples=10, deadline=None)
@given(random=st.randoms())
def test_the_order_of_records_makes_no_difference(runs, random):
    assert page_of(random.sample(runs, len(runs))) == page_of(runs)


def test_leaving_out_any_record_never_fails(runs):
    for index in range(len(runs)):
        left = runs[:index] + runs[index + 1 :]
        assert len(unpacked(page_of(left))["runs"]) == len(left)


@pytest.mark.parametrize("metric", ["top1", "nll", "ece"])
@pytest.mark.parametrize("rule", ["median10", "last", "best"])
def test_metric_and_rule_are_named_and_best_is_called_optimistic(runs, rule, metric):
    page = page_of(runs, rule=rule, metric=metric)
    main = page[page.index("<main>") : page.index('id="runs"')]
    assert f"{rule}: " in main
    assert ("selected on test" in main) == (rule == "best")


def test_every_cell_leads_to_all_its_runs(runs, source):
    data = unpacked(source)
    board = build(load(runs))
    cells = data["cells"][: len(board.rows) * len(board.columns)]
    assert sorted(number for cell in cells for number in cell["runs"]) == list(range(len(runs)))
    for cell in cells:
        for number in cell["runs"]:
            command = data["texts"][data["runs"][number]["command"]]
            assert command.split()[:2] == ["python", "tools/train.py"]
            assert f"mixup={cell['row'].split()[0]}" in command
    numbered = re.findall(r'data-cell="(\d+)"', source)
    assert sorted(map(int, numbered)) == list(range(len(data["cells"])))


def test_commands_and_configs_keep_what_was_run(make_run):
    odd = make_run("fmix", 3, 70.0, recipe={"alpha": 0.2})
    odd["overrides"] = ["mixup=fmix", "mixup.alpha=0.2", "paths.data=my data; rm x"]
    data = unpacked(page_of([odd]))
    run = data["runs"][0]
    shown = "python tools/train.py mixup=fmix mixup.alpha=0.2 'paths.data=my data; rm x'"
    assert data["texts"][run["command"]] == shown
    assert data["texts"][run["verify"]] == f"python tools/verify.py {odd['key']} seed=3"
    config = "\n".join(data["texts"][number] for number in data["configs"][run["config"]])
    assert "mixup.alpha: 0.2" in config and "optimizer.lr: 0.1" in config
    assert "commit\t" + "0" * 40 in data["texts"][run["origin"]]


def test_curves_come_back_within_their_digits(make_run):
    history = [{"epoch": e, "top1": 50 + e / 3, "train_loss": 3 / e} for e in range(1, 41)]
    data = unpacked(page_of([make_run("none", 0, 63.0, history=history)]))
    for curve, name, digits in zip(
        data["runs"][0]["curves"], ["top1", "train_loss"], [2, 3], strict=True
    ):
        place, told, *steps = curve
        values = [sum(steps[: i + 1]) / 10**told for i in range(len(steps))]
        epochs = data["epochs"][place]
        assert told == digits and epochs[-1] == 40
        expected = {entry["epoch"]: entry[name] for entry in history}
        assert values == pytest.approx([expected[e] for e in epochs], abs=0.51 / 10**digits)


def test_names_cannot_become_html(make_run):
    runs = []
    for name in HOSTILE:
        bad = {"dataset": name, "backbone": name, "protocol": name, "variant": name}
        runs += [
            make_run(name, 0, 70.0, **bad),
            make_run(name, 1, status="failed", reason=name, **bad),
            make_run("none", 0, 70.0, config={name: name}),
        ]
    problems = [Problem(name, name) for name in HOSTILE]
    source = page_of(runs, baseline=HOSTILE[0], problems=problems)
    page = Page(source)
    assert not {"img", "link", "iframe", "a", "object", "form"} & set(page.tags)
    assert page.tags.count("script") == 3
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] in ("href", "style")]
    assert not [a for a in page.attributes if a[1] == "src"]
    shown = "".join(page.words)
    assert all(name in shown for name in HOSTILE)


def test_the_page_allows_its_own_style_and_scripts_and_nothing_else(source):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.replace("&#39;", "'").split("; "))
    style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)[1]
    scripts = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["style-src"] == digest(style)
    assert rules["script-src"].split() == [digest(script) for script in scripts]
    assert "unsafe" not in policy and "http" not in policy
    assert "url(" not in style and "@import" not in style


def digest(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_table_library_is_the_released_one_and_carries_its_licence(source):
    library = html.LIBRARY.joinpath("dataTables.min.js").read_bytes()
    assert hashlib.sha256(library).hexdigest() == LIBRARY
    assert "The MIT License" in source and "SpryMedia" in source


def test_the_tables_are_ones_for_screen_readers(source):
    page = Page(source)
    assert [page.tags.count(tag) for tag in ("h1", "main", "dialog")] == [1, 1, 1]
    assert page.tags.count("th") == sum(a[:2] == ("th", "scope") for a in page.attributes)
    assert ("html", "lang", "en") in page.attributes
    drawn = [a for a in page.attributes if a[0] == "svg" and a[1] in ("aria-label", "aria-hidden")]
    assert page.tags.count("svg") == len(drawn)


def test_counts_agree_with_their_nouns(make_run):
    assert "1 method, 1 protocol, 1 run." in page_of([make_run("none", 0, 70.0)])


def test_a_page_of_single_runs_names_no_winner(make_run, source):
    for runs in (["none"], ["none", "cutmix"]):
        page = page_of([make_run(name, 0, 70.0) for name in runs])
        main = page[page.index("<main>") : page.index('id="runs"')]
        assert "What the runs say" in main
        for claim in ("wins", "P(best)", "open to", "Bold", "<strong>", "Critical", "Performance"):
            assert claim not in main
    assert "What wins" in source


def test_problems_stand_at_the_foot(source):
    foot = source[source.index("<footer>") : source.index("</footer>")]
    assert "results/torn.json" in foot and "damaged: not valid JSON" in foot
