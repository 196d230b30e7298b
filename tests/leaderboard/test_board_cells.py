"""Which runs share a cell, and what a cell says."""

import pytest

from openmix.leaderboard.arrange import differences
from openmix.leaderboard.board import build, parted
from openmix.leaderboard.load import load


def board_of(runs, **options):
    return build(load(runs), **options)


def cell(board, row, column=0):
    return board.cells[[r.label for r in board.rows].index(row)][column]


def test_rows_and_columns_of_the_fixed_runs(runs):
    board = board_of(runs)
    assert [row.label for row in board.rows] == [
        "none",
        "cutmix",
        "mixup",
        "cutmix alpha=0.2",
        "transmix",
    ]
    assert [column.label for column in board.columns] == [
        "cifar100 / resnet18 / cifar100 / epochs=200",
        "cifar100 / resnet18 / cifar100 / epochs=400",
        "digits_noisy / wrn10_1 / quickstart / 40 % label noise",
    ]


def test_cells_of_every_kind(runs):
    board = board_of(runs)
    done = cell(board, "cutmix")
    assert done.value.mean == pytest.approx((78.0 + 78.9 + 78.2) / 3)
    assert done.delta.mean == pytest.approx((1.9 + 2.5 + 2.3) / 3)
    assert (done.value.n, done.delta.n, done.note) == (3, 3, "")
    assert cell(board, "none").delta is None
    partly = cell(board, "cutmix", 1)
    assert (partly.value.n, partly.delta.n) == (2, 1)
    assert partly.note == "1 of 3 failed: loss is not finite at step 812"
    failed = cell(board, "cutmix", 2)
    assert (failed.status, failed.value) == ("failed", None)
    assert failed.note == "loss is not finite at step 812"
    assert cell(board, "transmix").status == "unsupported"
    assert "deit_small" in cell(board, "transmix").note
    assert cell(board, "mixup").status == "missing"


def test_a_metric_that_a_run_lacks_is_missing_not_zero(runs):
    board = board_of(runs, metric="top5")
    lacking = cell(board, "none")
    assert (lacking.status, lacking.value, lacking.note) == (
        "missing",
        None,
        "3 of 3 without a value",
    )
    assert cell(board_of(runs, rule="val"), "none").status == "missing"


def test_one_column_is_ordered_best_first_in_the_sense_of_the_metric(make_run):
    runs = [make_run("a", 0, 70.0), make_run("b", 0, 80.0), make_run("none", 0, 75.0)]
    runs.append(make_run("c", 0, status="failed", reason="killed"))
    assert [row.mixup for row in board_of(runs).rows] == ["b", "none", "a", "c"]
    assert [row.mixup for row in board_of(runs, metric="nll").rows] == ["b", "none", "a", "c"]


def test_the_baseline_is_chosen_by_label_and_may_be_absent(runs):
    assert cell(board_of(runs, baseline="cutmix"), "none").delta.mean < 0
    assert cell(board_of(runs, baseline="cutmix alpha=0.2"), "cutmix").delta.n == 1
    assert all(c.delta is None for line in board_of(runs, baseline="fmix").cells for c in line)


def test_what_cannot_change_the_numbers_does_not_part_columns(make_run):
    here, there = ({"paths": {"data": name}} for name in "ab")
    board = board_of(
        [make_run("none", 0, 70.0, config=here), make_run("none", 1, 72.0, config=there)]
    )
    assert len(board.columns) == 1 and cell(board, "none").value.n == 2


def test_runs_on_other_data_are_never_pooled_nor_paired(make_run):
    other = {"data": {"checksum": "f" * 64, "train": 500, "val": 0, "test": 10000}}
    runs = [make_run("none", 0, 70.0), make_run("none", 1, 60.0, **other)]
    runs += [make_run("cutmix", 0, 72.0), make_run("cutmix", 2, 50.0, **other)]
    runs.append(make_run("fmix", 0, status="failed", reason="killed", data={}))
    board = board_of(runs)
    labels = [column.label.rpartition(" / ")[2] for column in board.columns]
    assert labels == ["data checksum 0", "data checksum ffffffff"]
    assert [cell(board, "none", c).value.mean for c in (0, 1)] == [70.0, 60.0]
    assert cell(board, "cutmix").delta.mean == pytest.approx(2.0)
    assert cell(board, "cutmix", 1).delta is None or cell(board, "cutmix", 1).delta.n == 0
    assert cell(board, "fmix").status == "failed"


def test_a_cell_names_seeds_of_different_code_and_of_dirty_checkouts(make_run):
    first, second = ({"lab.band": h, "lab.ops": "1" * 12} for h in ("a" * 12, "b" * 12))
    dirty = {"code": {"commit": "0" * 40, "dirty": True}}
    runs = [make_run("band", 0, 70.0, sources=first), make_run("band", 1, 71.0, sources=second)]
    runs += [make_run("none", 0, 70.0, sources={}), make_run("none", 1, 70.0, **dirty)]
    runs += [make_run("cutmix", seed, 70.0, sources=first) for seed in (0, 1)]
    board = board_of(runs)
    assert cell(board, "band").note == "seeds of different code in band.py"
    assert cell(board, "none").note == "1 of 2 from a checkout with uncommitted changes"
    assert cell(board, "cutmix").note == ""


def test_namesakes_of_one_protocol_key_share_a_column(make_run):
    runs = [make_run("none", 0, 70.0), make_run("none", 1, 72.0, protocol="alias")]
    board = board_of(runs)
    assert [column.protocol for column in board.columns] == ["alias"]
    assert cell(board, "none").value.n == 2


def test_label_noise_alone_parts_columns_without_further_words(make_run):
    noisy = {"dataset": {"num_classes": 100, "label_noise": 0.25}}
    board = board_of([make_run("none", 0, 70.0), make_run("none", 0, 60.0, config=noisy)])
    assert [column.notes for column in board.columns] == [(), ("25 % label noise",)]


def test_a_default_that_changed_is_never_averaged_with_the_old_one(make_run):
    runs = [
        make_run("fmix", 0, 70.0, recipe={"alpha": 1.0}),
        make_run("fmix", 0, 80.0, recipe={"alpha": 0.5}),
        make_run("fmix", 1, 82.0, recipe={"alpha": 0.5}, variant="alpha=0.5"),
    ]
    board = board_of(runs)
    assert [row.label for row in board.rows] == ["fmix alpha=0.5", "fmix alpha=1"]
    assert cell(board, "fmix alpha=0.5").value.mean == 81.0


def test_one_setting_under_two_names_is_one_row(make_run):
    runs = [
        make_run("fmix", seed, 70.0 + seed, variant=v) for seed, v in enumerate(["", "alpha=1"])
    ]
    board = board_of(runs)
    assert [row.label for row in board.rows] == ["fmix"]
    assert cell(board, "fmix").value.n == 2


def test_numbers_of_a_run_that_failed_do_not_count(make_run):
    failed = {"status": "failed", "reason": "killed"}
    runs = [make_run("none", 0, 70.0), make_run("none", 1, 10.0, **failed), make_run("a", 1, 80.0)]
    board = board_of(runs)
    assert cell(board, "none").value.mean == 70.0
    assert cell(board, "none").note == "1 of 2 failed: killed"
    assert cell(board, "a").delta is None


def test_every_run_is_in_exactly_one_cell_whatever_its_labels_claim(make_run):
    settings = [
        ({"alpha": a}, v, {"epochs": e}) for a in (1, 2) for v in ("", "alpha=2") for e in (1, 2)
    ]
    runs = [
        make_run("fmix", seed, 70.0, recipe=recipe, variant=variant, config=config)
        for seed, (recipe, variant, config) in enumerate(settings)
    ]
    runs.append(make_run("fmix", 9, 70.0, key="0" * 12))
    board = board_of(runs)
    assert sum(c.value.n for line in board.cells for c in line if c.value) == len(runs)


def test_differences_are_short_and_always_tell_apart():
    trees = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1}]
    assert differences(trees, "xyz") == ["b=1", "b=2", "~b"]
    assert differences([{"a": 1}], "x") == [""]
    many = [dict.fromkeys("abcd", 1), dict.fromkeys("abcd", 2), dict.fromkeys("abc", 1) | {"d": 3}]
    assert differences(many, "xyz") == [
        "a=1 b=1 c=1 +1 more #x",
        "a=2 b=2 c=2 +1 more",
        "a=1 b=1 c=1 +1 more #z",
    ]


def test_a_protocol_without_a_value_is_no_column_and_its_runs_are_told(make_run):
    dead = {"config": {"epochs": 9}, "protocol": "dead"}
    failed = {"status": "failed", "reason": "killed"} | dead
    refused = {"status": "unsupported", "reason": "needs attention"} | dead
    alive = [make_run("none", 0, 70.0), make_run("mixup", 0, 71.0)]
    bad = [make_run("none", 0, **failed), make_run("none", 1, **failed)]
    bad += [make_run("fmix", 0, **failed), make_run("transmix", 0, **refused)]
    board = board_of([*alive, *bad])
    assert [column.protocol for column in board.columns] == ["cifar100"]
    assert [row.mixup for row in board.rows] == ["mixup", "none"] and all(board.complete)
    assert board.runs == 2
    assert board.statement[-1] == (
        "cifar100 / resnet18 / dead is no column, as none of its runs has a value; "
        "failed: fmix (killed), none (killed); unsupported: transmix (needs attention)."
    )
    only = board_of(bad)
    assert [column.protocol for column in only.columns] == ["dead"] and len(only.rows) == 3
    assert cell(only, "transmix").note == "needs attention"
    assert only.statement == ["No run has a value."] and not parted(only, load(bad))


def test_protocols_without_a_method_in_common_make_parts(runs, make_run):
    frame = load(runs)
    board = build(frame)
    parts = parted(board, frame)
    assert [column.label for column, _ in parts] == [column.label for column in board.columns]
    assert sum(len(part) for _, part in parts) == len(runs)
    for column, part in parts:
        one = build(part, columns=[column])
        assert one.columns == [column] and one.runs == len(part)
        assert not parted(one, part)
    both = load([*runs[:3], *(run | {"mixup": "mixup"} for run in runs[:3])])
    assert not parted(build(both), both)
    more = load([*runs[:3], make_run("none", 0, 70.0, config={"epochs": 7})])
    assert not parted(build(more), more), "one method has both protocols"
