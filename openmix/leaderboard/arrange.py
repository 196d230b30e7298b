"""Which runs share a column and which a row, and what these are called."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from openmix.records.key import canonical, flatten, protocol, text

DATA = "data checksum {}"
"""The note of a column whose data are not those of its namesakes."""


@dataclass(frozen=True, order=True)
class Column:
    """One protocol on the same data.

    ``notes`` tells it from its namesakes and warns of noisy labels; ``key`` is one of
    :func:`column_keys`.
    """

    dataset: str
    backbone: str
    protocol: str
    notes: tuple[str, ...]
    key: str

    @property
    def label(self) -> str:
        return " / ".join((self.dataset, self.backbone, self.protocol, *self.notes))


@dataclass(frozen=True, order=True)
class Row:
    """One method; ``variant`` names the values that differ from its defaults."""

    mixup: str
    variant: str

    @property
    def label(self) -> str:
        return f"{self.mixup} {self.variant}".strip()


def differences(trees: Sequence[dict[str, Any]], keys: Sequence[str], shown: int = 3) -> list[str]:
    """Tell flat configs apart: for each, its entries among those in which they differ, shortened.

    Where the shortened texts are equal, the key is added.
    """
    names = sorted({name for tree in trees for name in tree})
    names = [name for name in names if len({_entry(tree, name) for tree in trees}) > 1]
    more = f" +{len(names) - shown} more" if len(names) > shown else ""
    texts = [" ".join(_entry(tree, name) for name in names[:shown]) + more for tree in trees]
    return [
        t if texts.count(t) == 1 else f"{t} #{key}".strip()
        for t, key in zip(texts, keys, strict=True)
    ]


def _entry(tree: dict[str, Any], name: str) -> str:
    return f"{name}={text(tree[name])}" if name in tree else f"~{name}"


def column_keys(frame: pd.DataFrame) -> pd.Series:
    """Which column each run is of: its protocol key, with a checksum where data differ in it.

    A run that never reached its data goes with most runs of its protocol.
    """
    protocols, data = frame.protocol_key, frame.data_checksum.replace("", None)
    usual = data.groupby(protocols).transform(lambda known: next(iter(known.mode()), None))
    data = data.fillna(usual)
    parted = data.groupby(protocols).transform("nunique") > 1
    return protocols.where(~parted, protocols + "-" + data.str[:8])


def columns_of(frame: pd.DataFrame) -> list[Column]:
    """One column for each of :func:`column_keys`, by name."""
    heads, trees = {}, {}
    for key, runs in frame.groupby(column_keys(frame)):
        tree = trees[key] = flatten(protocol(runs.config.iloc[0]))
        noise = tree.get("dataset.label_noise", 0)
        note = f"{100 * noise:g} % label noise" if isinstance(noise, int | float) and noise else ""
        data = DATA.format(key.partition("-")[2]) if "-" in key else ""
        heads[key] = (
            *min(zip(runs.dataset, runs.backbone, runs.protocol, strict=True)),
            note,
            data,
        )
    columns = []
    for head in set(heads.values()):
        keys = [key for key in heads if heads[key] == head]
        for key, difference in zip(keys, differences([trees[k] for k in keys], keys), strict=True):
            columns.append(Column(*head[:3], tuple(filter(None, (*head[3:], difference))), key))
    return sorted(columns)


def rows_of(frame: pd.DataFrame) -> dict[Row, pd.Index]:
    """Rows with the runs of each; two settings of one name (a default changed) are two rows."""
    named = frame.sort_values("variant").drop_duplicates("key").set_index("key").variant
    variant = frame.key.map(named)
    label = variant.copy()
    for _, runs in frame.groupby(["mixup", variant]):
        if _ambiguous(runs):
            recipes = runs.config.map(_recipe)
            keys = runs.key.groupby(recipes).min()
            texts = differences([flatten(json.loads(recipe)) for recipe in keys.index], list(keys))
            told = recipes.map(dict(zip(keys.index, texts, strict=True)))
            label[runs.index] = (variant[runs.index] + " " + told).str.strip()
    for _, runs in frame.groupby(["mixup", label]):
        if _ambiguous(runs):
            label[runs.index] = (label[runs.index] + " #" + runs.key).str.strip()
    return {Row(*name): runs.index for name, runs in frame.groupby(["mixup", label])}


def _ambiguous(runs: pd.DataFrame) -> bool:
    return runs.groupby("protocol_key").key.nunique().max() > 1


def _recipe(config: dict[str, Any]) -> str:
    return json.dumps(canonical(config.get("mixup")), sort_keys=True)
