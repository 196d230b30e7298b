"""Published numbers: which cell they meet, and what is said of them."""

import pytest

from openmix.leaderboard import published
from openmix.leaderboard.board import build
from openmix.leaderboard.load import load

LINE = {
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


@pytest.fixture
def found(make_run):
    def of(*lines, config=None, **options):
        runs = [
            make_run("cutmix", s, 79.0 + s, recipe={"alpha": 1.0}, config=config) for s in (0, 1)
        ]
        return build(load(runs), published=[LINE | line for line in lines], **options).published

    return of


def test_a_number_meets_its_cell_whatever_case_and_punctuation(found):
    (match,) = found({})
    assert (match.row, match.column, match.paper_value, match.inside) == (0, 0, 79.45, True)
    assert match.source == "paper: table.md"
    assert match.notes == "SGD; top1 of the last epoch; α = 0.2, here 1"
    assert found({"top1": "99.0", "alpha": "1"})[0].inside is False
    assert found({"alpha": "1", "defects": "wrong labels"})[0].notes.endswith("α = 1; wrong labels")
    assert len(found({}, {"recipe": "other"})) == 2


@pytest.mark.parametrize(
    "line",
    [{"dataset": "CIFAR-10"}, {"backbone": "ResNet-50"}, {"epochs": "400"}, {"method": "CutMix2"}],
)
def test_every_part_of_a_line_must_agree(found, line):
    assert found(line) == []


def test_noisy_or_fewer_labels_and_other_metrics_match_nothing(found):
    for change in ({"label_noise": 0.4}, {"train_limit": 500}):
        assert found({}, config={"dataset": {"num_classes": 100, **change}}) == []
    assert found({}, metric="nll") == []


def test_a_single_seed_is_neither_inside_nor_outside(make_run):
    board = build(load([make_run("cutmix", 0, 79.0)]), published=[LINE])
    assert board.published[0].inside is None


def test_the_numbers_that_come_with_us_are_complete_and_meet_our_names(make_run):
    lines = published.load()
    assert len(lines) == 742 and all(set(published.FIELDS) <= line.keys() for line in lines)
    assert all(0 < float(line["top1"]) < 100 and line["source_file"] for line in lines)
    names = {"none", "cutmix", "attentivemix", "gridmixup", "smoothmix", "automix"}
    runs = [make_run(name, 0, 78.0) for name in names]
    board = build(load(runs), published=lines)
    assert {board.rows[match.row].mixup for match in board.published} == names
    notes = {board.rows[match.row].mixup: match.notes for match in board.published}
    assert "label weights are swapped" in notes["smoothmix"]
    assert not any(text in notes["none"] for text in ("weights", "mask", "draws"))
    vit = [make_run("none", 0, 70.0, backbone="deit_small")]
    assert len(build(load(vit), published=lines).published) == 1


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    assert published.load(tmp_path / "none") == []
