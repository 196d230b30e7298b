"""Which code a run's numbers hang on, and what counts as a change of it."""

import pytest

from openmix.config import code_digest as module
from openmix.config import source
from openmix.config.code_digest import changed, code, sources


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A package of one's own; ``lab(name, text)`` writes one of its modules."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lab").mkdir()

    def write(name, text):
        (tmp_path / "lab" / f"{name}.py").write_text(text)
        for kept in (source.find_module, source.lookup, source.read, module._behind):
            kept.cache_clear()

    write("__init__", "")
    write("band", "from lab.ops import rows\nimport torch\nclass Band:\n    pass\n")
    write("ops", "from . import deep\ndef rows(x):\n    return x\n")
    write("deep", "half = 0.5\n")
    yield write
    for kept in (source.find_module, source.lookup, source.read, module._behind):
        kept.cache_clear()


BAND = {"mixup": {"_target_": "lab.band.Band"}, "loss": {"_target_": "torch.nn.CrossEntropyLoss"}}


def test_a_class_of_ones_own_counts_with_what_it_imports_of_its_package(lab):
    before = sources(BAND)
    assert set(before) == {"lab", "lab.band", "lab.ops", "lab.deep"}
    lab("deep", "half = 0.25\n")
    assert changed(before, sources(BAND)) == ["deep.py"]


def test_comments_and_docstrings_change_nothing(lab):
    before = sources(BAND)
    lab("deep", '"""Halves."""\n\n# of an image\nhalf = 0.5  # half\n\n')
    assert changed(before, sources(BAND)) == []


def test_of_openmix_only_the_mixups_count_and_what_they_share_does_not():
    config = {
        "mixup": {
            "_target_": "openmix.mixups.choice.Choice",
            "mixers": [{"_target_": "openmix.mixups.cutmix.CutMix"}],
        },
        "loss": {"_target_": "openmix.losses.SoftCrossEntropy"},
    }
    found = sources(config)
    assert set(found) == {"openmix.mixups.choice", "openmix.mixups.cutmix"}
    assert all(len(digest) == 12 for digest in found.values())


def test_a_mixup_counts_with_those_it_is_built_on():
    found = sources({"mixup": {"_target_": "openmix.mixups.adautomix.AdAutoMix"}})
    assert "openmix.mixups.automix" in found and "openmix.mixups.base" not in found


def test_ones_own_code_counts_wherever_it_is_named(lab):
    lab("loss", "class Loss:\n    pass\n")
    assert set(sources({"loss": {"_target_": "lab.loss.Loss"}})) == {"lab.loss"}


def test_what_is_not_known_has_not_changed():
    assert changed({}, {"a": "1"}) == changed({"a": "1"}, {}) == []
    assert changed({"x.a": "1", "x.b": "1"}, {"x.a": "2", "x.c": "1"}) == ["a.py", "b.py", "c.py"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("x = 1  # one\n\n\ny = '#'\n", "x = 1\ny = '#'"),
        ('def f(a):\n    """Say\n    so."""\n    return a\n', "def f(a):\n    return a"),
        ('def f(a): "in a line"\n', 'def f(a): "in a line"'),
        ("x = (\n    'text'\n)\n", "x = (\n    'text'\n)"),
        ("class A:\n    a = 1\n    'of a'\n", "class A:\n    a = 1"),
    ],
)
def test_code_is_what_can_change_a_number(text, kept):
    assert code(text) == kept
