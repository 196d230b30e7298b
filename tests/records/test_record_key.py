"""The key of a run: what counts, what does not, and how a variant is named."""

import copy
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from openmix import records
from openmix.records.key import LEFT_OUT

CONFIG = {
    "seed": 0,
    "epochs": 200,
    "force": False,
    "select": "median10",
    "allow_targets": [],
    "protocol": "cifar100",
    "paths": {"data": "data", "runs": "runs"},
    "logger": {"name": "none"},
    "dataset": {"source": {"_target_": "d", "root": "data", "download": False}, "label_noise": 0.0},
    "evaluation": {"batch_size": 500, "bins": 15},
    "backbone": {"_target_": "b", "provides": ["stages"]},
    "mixup": {"_target_": "m", "alpha": 1.0},
    "optimizer": {"lr": 0.1, "weight_decay": 0.0001},
    "runner": {
        "device": "cpu",
        "workers": 2,
        "threads": None,
        "log_every": 50,
        "checkpoint_seconds": 600,
        "keep": "weights",
        "compile": False,
        "hooks": [],
        "amp": "none",
        "eval_every": 1,
    },
}


def changed(dotted: str, value) -> dict:
    config = copy.deepcopy(CONFIG)
    *parents, leaf = dotted.split(".")
    node = config
    for name in parents:
        node = node[name]
    node[leaf] = value
    return config


@pytest.mark.parametrize("dotted", LEFT_OUT)
def test_what_cannot_change_the_numbers_is_not_in_the_key(dotted):
    assert records.key(changed(dotted, "else")) == records.key(CONFIG)
    assert records.protocol_key(changed(dotted, "else")) == records.protocol_key(CONFIG)


@pytest.mark.parametrize(
    "dotted",
    [
        "epochs",
        "optimizer.lr",
        "dataset.label_noise",
        "dataset.source._target_",
        "evaluation.bins",
        "backbone._target_",
        "runner.compile",
        "runner.hooks",
        "runner.amp",
        "runner.eval_every",
    ],
)
def test_what_can_change_the_numbers_is_in_both_keys(dotted):
    assert records.key(changed(dotted, "else")) != records.key(CONFIG)
    assert records.protocol_key(changed(dotted, "else")) != records.protocol_key(CONFIG)


def test_mixup_is_in_the_key_but_not_in_the_protocol():
    other = changed("mixup.alpha", 0.2)
    assert records.key(other) != records.key(CONFIG)
    assert records.protocol_key(other) == records.protocol_key(CONFIG)
    assert records.protocol_key(CONFIG) != records.key(CONFIG)


def test_the_key_is_stable_over_releases():
    assert (records.key(CONFIG), records.protocol_key(CONFIG)) == ("1b570e95689b", "7e01c9b11846")


key = importlib.import_module("openmix.records.key")  # the package calls a function so


@pytest.fixture
def grown(monkeypatch):
    """Options that came later, a group that came later, and a class that moved."""
    later = {"method": {"_target_": "m.Supervised"}, "m.Mask.place": "inside", "runner.nice": 0}
    monkeypatch.setattr(key, "CAME_LATER", later)
    monkeypatch.setattr(key, "MOVED", {"mixups.mask.Mask": "m.Mask"})


def test_an_entry_that_came_later_is_no_part_of_the_key_at_its_old_meaning(grown):
    old = changed("mixup", {"_target_": "m.Mask", "inner": [{"_target_": "m.Mask"}]})
    new = copy.deepcopy(old) | {"method": {"_target_": "m.Supervised"}}
    new["mixup"]["place"] = new["mixup"]["inner"][0]["place"] = "inside"
    new["runner"]["nice"] = 0.0
    assert records.key(new) == records.key(old)
    assert records.protocol_key(new) == records.protocol_key(old)
    new["mixup"]["inner"][0]["place"] = "anywhere"
    assert records.key(new) != records.key(old)


@pytest.mark.parametrize("value", [1, None, False])
def test_an_entry_that_came_later_counts_at_any_other_value(grown, value):
    assert records.key(changed("runner.nice", value)) != records.key(CONFIG)


def test_an_option_that_came_later_is_that_of_its_class(grown):
    old = changed("mixup", {"_target_": "m.Other"})
    new = changed("mixup", {"_target_": "m.Other", "place": "inside"})
    assert records.key(new) != records.key(old)


def test_a_class_that_moved_keeps_the_name_by_which_keys_know_it(grown):
    old, new = ({"_target_": name, "alpha": 1} for name in ("m.Mask", "mixups.mask.Mask"))
    assert records.key(changed("mixup", new)) == records.key(changed("mixup", old))


def test_the_config_is_left_as_it_was_and_may_be_a_dictconfig():
    before = copy.deepcopy(CONFIG)
    assert records.key(OmegaConf.create(CONFIG)) == records.key(CONFIG)
    assert before == CONFIG


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0.0001, 1e-4), (0, -0.0), ([1], (1.0,))])
def test_the_way_a_number_is_written_makes_no_difference(one, other):
    assert records.key({"lr": one}) == records.key({"lr": other})


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (1, "1"), (0, None), ([], {}), ([1, 2], [2, 1])]
)
def test_different_values_have_different_keys(one, other):
    assert records.key({"a": one}) != records.key({"a": other})


def backwards(tree):
    if isinstance(tree, dict):
        return {name: backwards(tree[name]) for name in reversed(tree)}
    return [backwards(item) for item in tree] if isinstance(tree, list) else tree


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=6), trees, max_size=4))
def test_order_of_keys_makes_no_difference(tree):
    assert records.key(backwards(tree)) == records.key(tree)


@pytest.mark.parametrize(
    ("given", "defaults", "expected"),
    [
        ({"alpha": 1.0, "decay": 3}, {"alpha": 1, "decay": 3.0}, ""),
        ({"alpha": 0.5, "decay": 3}, {"alpha": 1.0, "decay": 3.0}, "alpha=0.5"),
        ({"b": 2.0, "a": "official"}, {"a": "paper", "b": 1}, "a=official b=2"),
        ({"stages": [1, 2]}, {"stages": [0, 1]}, "stages=[1,2]"),
        ({"mixers": [{"a": 1}, {"a": 2}]}, {"mixers": [{"a": 1}, {"a": 1}]}, "mixers.1.a=2"),
        ({"classes": 100}, {"classes": "${dataset.num_classes}"}, ""),
        ({"alpha": 1, "beta": 2}, {"alpha": 1}, "beta=2"),
        ({"alpha": 1}, {"alpha": 1, "beta": 2}, "~beta"),
        ({"warm": None}, {"warm": True}, "warm=null"),
    ],
)
def test_a_variant_names_what_differs_from_the_defaults(given, defaults, expected):
    assert records.variant({"mixup": given}, defaults) == expected
