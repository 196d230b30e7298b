"""The leaderboard as a reader meets it: with mouse, keyboard, screen reader, and without script."""

import random

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from openmix.leaderboard.board import build
from openmix.leaderboard.load import load
from openmix.leaderboard.render import csv, html, index
from openmix.records import Problem

TOP1 = {"none": 76.0, "mixup": 77.1, "cutmix": 78.4, "fmix": 78.2, "cutout": 75.2}
PROTOCOLS = {"cifar10": 18.0, "cifar100": 0.0, "tiny": -14.0}
REASON = "transmix needs attention, which backbone resnet18 does not have; try backbone=deit_small"
HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', '=HYPERLINK("http://a")']


@pytest.fixture(scope="module")
def runs(record):
    """Five complete methods, one unsupported, one that lacks a protocol."""
    draw = random.Random(0)
    found = []
    for protocol, shift in PROTOCOLS.items():
        for seed in range(3):
            common = draw.gauss(0, 0.2)
            for name, top1 in TOP1.items():
                value = top1 + shift + common + draw.gauss(0, 0.1)
                found.append(record(name, seed, value, protocol=protocol))
            if protocol != "tiny":
                found.append(record("samix", seed, 78.9 + shift + common, protocol=protocol))
        refused = {"status": "unsupported", "reason": REASON, "protocol": protocol}
        found.append(record("transmix", 0, None, **refused))
    return found


@pytest.fixture(scope="module")
def frame(runs):
    return load(runs)


@pytest.fixture(scope="module")
def board(frame):
    paper = {"dataset": "CIFAR-100", "backbone": "ResNet-18", "epochs": "20", "method": "CutMix"}
    paper |= {"recipe": "R", "alpha": "1", "top1": "60.0", "metric": "top1", "publication": "p"}
    problems = [Problem("results/torn.json", "damaged: not valid JSON")]
    return build(frame, problems=problems, published=[paper])


@pytest.fixture(scope="module")
def source(board, frame):
    return html.render(board, frame)


def methods(page, table="#board"):
    return page.locator(f"{table} tbody tr:not(.block) th[scope=row]").all_inner_texts()


def names(page, table="#board"):
    return [text.split()[0] for text in methods(page, table)]


def head(page, column):
    return page.locator("#board thead th").filter(has_text=column)


def means(page, column):
    """Numbers of a column from top to bottom, None for a cell without one."""
    place = head(page, column).evaluate("th => th.cellIndex")
    cells = page.locator(f"#board tbody tr:not(.block) > :nth-child({place + 1})")
    return [_number(text.split()[0]) for text in cells.all_inner_texts()]


def _number(text):
    try:
        return float(text)
    except ValueError:
        return None


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_accessibility_rule_is_broken(show, source, scheme, width):
    page = show(source, color_scheme=scheme, viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert Axe().run(page).response["violations"] == []
    page.locator("#board button.cell").first.click()
    page.locator("#panel dl").first.wait_for()
    page.evaluate("document.querySelectorAll('#panel details').forEach(d => { d.open = true })")
    assert Axe().run(page).response["violations"] == []


def test_the_list_of_boards_and_the_board_of_one_run_break_no_rule_either(show, board, record):
    frame = load([record("none", 0, 70.0)])
    one = build(frame, problems=board.problems)
    pages = index.html(board, {"a": one, "b-c": one}), html.render(one, frame)
    for source in pages:
        page = show(source, viewport={"width": 390, "height": 900})
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    links = show(pages[0]).locator("main a")
    assert [link.get_attribute("href") for link in links.all()] == [
        "a/leaderboard.html",
        "b-c/leaderboard.html",
    ]


def test_a_click_on_a_head_sorts_best_first_then_worst_and_keeps_the_incomplete_below(show, source):
    page = show(source)
    before = names(page)
    assert set(before[-2:]) == {"samix", "transmix"}
    head(page, "cifar100").locator(".dt-column-order").click()
    expect(head(page, "cifar100")).to_have_attribute("aria-sort", "descending")
    ranked = means(page, "cifar100")
    assert ranked[:5] == sorted(ranked[:5], reverse=True) and names(page)[0] == "cutmix"
    assert names(page)[-2:] == ["samix", "transmix"]
    assert "sorted by cifar100" in page.locator("#live").inner_text()
    head(page, "cifar100").locator(".dt-column-order").click()
    expect(head(page, "cifar100")).to_have_attribute("aria-sort", "ascending")
    assert means(page, "cifar100")[:5] == sorted(ranked[:5])
    assert names(page)[-2:] == ["samix", "transmix"], "cells without a number come last either way"
    assert page.locator("[aria-sort]").count() == 1


def test_a_head_sorts_by_keyboard(show, source):
    page = show(source)
    button = head(page, "tiny").locator(".dt-column-order")
    button.focus()
    page.keyboard.press("Enter")
    expect(head(page, "tiny")).to_have_attribute("aria-sort", "descending")
    found = [value for value in means(page, "tiny") if value]
    assert found == sorted(found, reverse=True) and len(found) == 5


def test_search_and_verdict_leave_what_fits_and_say_how_many(show, source, board):
    page = show(source)
    page.get_by_label("Find").fill("cut")
    assert sorted(names(page)) == ["cutmix", "cutout"]
    assert page.locator("#live").inner_text() == "2 of 7 methods"
    page.get_by_label("Find").fill("")
    page.locator("#verdict").select_option("incomplete")
    assert names(page) == ["samix", "transmix"]
    page.locator("#verdict").select_option("better")
    better = {
        row.label
        for row, total in zip(board.rows, board.aggregates, strict=True)
        if total and total.verdict == "better"
    }
    assert set(names(page)) == better and better
    page.get_by_label("Find").fill("no such")
    assert page.locator("#board tbody").inner_text() == "no method fits the filters"


def test_columns_are_picked_by_keyboard(show, source):
    page = show(source)
    page.locator("#columns summary").focus()
    page.keyboard.press("Enter")
    box = page.get_by_label("cifar10 / resnet18 / cifar10")
    box.focus()
    page.keyboard.press("Space")
    assert page.locator("#board thead").inner_text().count("cifar10\n") == 0
    page.keyboard.press("Escape")
    assert not page.locator("#columns").evaluate("details => details.open")
    assert page.evaluate("document.activeElement.textContent") == "Columns"


def test_the_panel_tells_all_of_a_cell(show, source, board, runs):
    page = show(source)
    page.locator("#board tbody tr", has_text="cutmix").locator("button.cell").nth(1).click()
    panel = page.locator("#panel")
    panel.get_by_text("Train it again and compare").wait_for()
    told = panel.inner_text()
    assert told.startswith("cutmix") and board.columns[1].label in told
    for seed in range(3):
        assert f"python tools/train.py +exp=cifar100 mixup=cutmix seed={seed}" in told
    assert told.count("python tools/verify.py ") == 3
    assert panel.locator("tbody tr").count() == 3
    assert panel.locator("svg polyline").count() == 6, "accuracy and loss of three seeds"
    drawn = [run for run in runs if (run["mixup"], run["protocol"]) == ("cutmix", "cifar100")]
    highest = max(entry["top1"] for run in drawn for entry in run["history"][5:])
    assert f"{highest:.1f}" in panel.locator("svg").first.inner_html()
    panel.get_by_text("Code and environment").click()
    panel.get_by_text("Config, seed").click()
    told = panel.inner_text()
    assert "0123456789abcdef" in told and "ab" * 32 in told and "optimizer.lr: 0.1" in told
    page.get_by_role("button", name="Close").click()
    assert not panel.is_visible()


def test_the_panel_opens_and_closes_by_keyboard_and_arrows_walk_the_cells(show, source):
    page = show(source)
    first = page.locator("#board button.cell").first
    assert page.locator("#board button.cell[tabindex='0']").count() == 1, "one stop for Tab"
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    place = "b => [b.closest('td').cellIndex, b.closest('tr').rowIndex]"
    at, start = page.locator(":focus").evaluate(place), first.evaluate(place)
    assert at == [start[0] + 1, start[1] + 1]
    page.keyboard.press("Enter")
    page.locator("#panel").get_by_text("Train it again and compare").wait_for()
    assert page.evaluate("document.activeElement.closest('dialog') !== null")
    page.keyboard.press("Escape")
    assert not page.locator("#panel").is_visible()
    assert page.evaluate("document.activeElement.className") == "cell"


def test_a_cell_without_a_number_tells_why(show, source):
    page = show(source)
    page.locator("#board tbody tr", has_text="transmix").locator("button.cell").first.click()
    page.locator("#panel").get_by_text("unsupported").first.wait_for()
    assert REASON in page.locator("#panel").inner_text()


def test_a_published_number_stands_beside_ours(show, source, board):
    page = show(source)
    texts = page.locator(".published tbody tr").all_inner_texts()
    ours = board.cells[board.published[0].row][board.published[0].column].value.mean
    assert len(texts) == 1 and texts[0].split("\t")[2] == "60.00"
    assert texts[0].split("\t")[3].startswith(f"{ours:.2f} ± ") and "\tno\t" in texts[0]


def test_the_common_subset_takes_the_place_of_the_whole(show, source):
    page = show(source)
    assert page.locator("#board").is_visible() and not page.locator("#common-board").is_visible()
    page.get_by_role("switch").focus()
    page.keyboard.press("Space")
    assert page.locator("#common-board").is_visible() and not page.locator("#board").is_visible()
    assert "samix" in names(page, "#common-board")
    cells = page.locator("td[data-cell]").evaluate_all("cells => cells.map(c => c.dataset.cell)")
    assert len(set(cells)) == len(cells), "its cells have panels of their own"
    page.locator("#common-board button.cell").first.click()
    page.locator("#panel").get_by_text("Train it again and compare").wait_for()


def test_the_csv_is_the_file_beside_the_page(show, source, board):
    page = show(source, accept_downloads=True)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save CSV").click()
    assert waiting.value.suggested_filename == "leaderboard.csv"
    assert waiting.value.path().read_text(encoding="utf-8") == csv.wide(board)


def test_without_script_the_page_is_complete_but_for_controls_and_panels(show, source, board):
    page = show(source, java_script_enabled=False)
    assert names(page) == [row.mixup for row in board.rows]
    assert page.locator("#board tr.block").inner_text().startswith("Incomplete")
    assert page.locator("#board td").first.is_visible() and REASON in page.content()
    assert not page.locator("#controls").is_visible()
    assert page.locator("#common-board").is_visible(), "no switch: both tables stand there"
    assert page.locator("footer").inner_text().count("results/torn.json") == 1


def test_names_stay_names(show, record):
    found = []
    for name in HOSTILE:
        labels = {"dataset": name, "variant": name, "backbone": name}
        told = {"overrides": [name], "environment": {name: name}, "config": {name: name}}
        found += [record("none", seed, 70.0 + seed, protocol=name) for seed in (0, 1)]
        found.append(record(name, 0, 71.0, protocol=name, **labels) | told)
        failed = {"status": "failed", "reason": name, "protocol": name}
        found.append(record(name, 1, None, **failed, **labels) | told)
    frame = load(found)
    board = build(frame, problems=[Problem(name, name) for name in HOSTILE])
    page = show(html.render(board, frame))
    for button in page.locator("#whole button.cell").all():
        button.click()
        page.locator("#panel dl").first.wait_for()
        page.keyboard.press("Escape")
    assert page.locator("img, iframe, main a").count() == 0
    assert page.locator("script").count() == 3
    assert all(name in page.locator("main").inner_text() for name in HOSTILE)


def test_a_thousand_runs_stay_light(show, record):
    draw = random.Random(1)
    found = [
        record(f"method{m}", seed, draw.gauss(75, 2), protocol=f"data{p}", epochs=200)
        for m in range(40)
        for p in range(5)
        for seed in range(5)
    ]
    frame = load(found)
    board = build(frame, baseline="method0")
    source = html.render(board, frame)
    assert len(found) == 1000 and len(source.encode()) <= 1_500_000
    page = show(source)
    page.locator("#board button.cell").last.click()
    page.locator("#panel").get_by_text("Train it again and compare").wait_for()


def test_on_paper_there_are_tables_and_no_controls(show, source):
    page = show(source)
    page.emulate_media(media="print")
    assert not page.locator("#controls").is_visible()
    assert page.locator("#board").is_visible()
    assert page.pdf()[:4] == b"%PDF"
