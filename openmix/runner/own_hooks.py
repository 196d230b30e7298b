"""The hooks of ``runner.hooks``: which may be there, and what a checkpoint keeps of them."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from hydra.utils import instantiate
from mmengine import hooks as mm
from mmengine.hooks import Hook
from mmengine.runner import Runner

from openmix.errors import ConfigError
from openmix.reason import one_line

INSTEAD: dict[type[Hook], str] = {
    mm.CheckpointHook: "runner.checkpoint_seconds and runner.keep say what is saved and what stays",
    mm.EMAHook: "average the weights by runner.ema=0.999",
    mm.ParamSchedulerHook: "the learning rate follows schedule=cosine, cosine_epoch or constant",
    mm.LoggerHook: "curves go where logger=tensorboard or logger=wandb says",
    mm.RuntimeInfoHook: "losses and learning rate are in the record's history",
    mm.IterTimerHook: "images a second are in the record's cost",
    mm.DistSamplerSeedHook: "the order of the images follows from seed",
    mm.SyncBuffersHook: "batch statistics are averaged before every test",
    mm.NaiveVisualizationHook: "python tools/preview.py shows what a network is given",
    mm.PrepareTTAHook: "images are tested as augment.test says",
}
"""Hooks that do what openmix does itself, in ways that exclude each other, and what to do."""

FORGETFUL = (mm.ProfilerHook, mm.EmptyCacheHook)
"""Hooks that may begin anew when a run is resumed: nothing of the run depends on them."""

LEAVES = (type(None), bool, int, float, str, torch.Tensor, torch.nn.Parameter)


def build(nodes: Sequence[dict]) -> list[Hook]:
    """The hooks themselves. Raises ConfigError for one that openmix does not go together with."""
    built = []
    for number, node in enumerate(nodes):
        place = f"runner.hooks.{number} ({node['_target_'].rpartition('.')[2]})"
        try:
            hook = instantiate(node)
        except Exception as error:
            raise ConfigError(f"{place} cannot be built: {one_line(error)}") from error
        if not isinstance(hook, Hook):
            raise ConfigError(f"{place} is no hook; derive it from mmengine.hooks.Hook")
        for kind, instead in INSTEAD.items():
            if isinstance(hook, kind):
                raise ConfigError(f"{place} cannot be used with openmix; leave it out: {instead}")
        state(hook)
        built.append(hook)
    return built


class Memory(Hook):
    """What the hooks of a run know, for its checkpoints; stands behind all other hooks."""

    priority = "LOWEST"

    def __init__(self, hooks: Sequence[Hook]):
        self.hooks = hooks
        self.kept: list[dict] = []

    def before_train(self, runner) -> None:
        self.state()  # by now they have what they look for in a run

    def before_train_epoch(self, runner) -> None:
        """Put the hooks, which have begun this epoch anew, back to where a checkpoint left it."""
        for hook, kept in zip(self.hooks, self.kept, strict=bool(self.kept)):
            if _words(hook):
                hook.load_state_dict(kept)
            else:
                vars(hook).update(kept)
        self.kept = []

    def state(self) -> list[dict]:
        return [state(hook) for hook in self.hooks]

    def restore(self, kept: list[dict] | None) -> None:
        """Raises ConfigError for a checkpoint that knows nothing of hooks, where there are some."""
        if self.hooks and kept is None:
            raise ConfigError(
                "the checkpoint is of an openmix that kept nothing of runner.hooks; begin anew "
                "with force=true"
            )
        self.kept = kept or []


def state(hook: Hook) -> dict[str, Any]:
    """What a checkpoint keeps of a hook: its ``state_dict()``, or else all of its attributes.

    Raises ConfigError where that holds something that a checkpoint cannot.
    """
    if isinstance(hook, FORGETFUL):
        return {}
    attributes = hook.state_dict() if _words(hook) else vars(hook)
    kept = {name: value for name, value in attributes.items() if not isinstance(value, Runner)}
    for name, value in kept.items():
        if strange := _strange(value):
            raise ConfigError(
                f"{type(hook).__name__} of runner.hooks would forget its {name} on resume, which "
                f"holds a {strange}; give the hook state_dict() and load_state_dict(), of nothing "
                "but numbers, text, lists, dicts and tensors"
            )
    return kept


def _words(hook: Hook) -> bool:
    """Whether a hook says itself what is to be kept of it."""
    return hasattr(hook, "state_dict") and hasattr(hook, "load_state_dict")


def _strange(value: Any) -> str:
    """The type of what is no plain value or tensor within ``value``; empty if there is none."""
    if type(value) in (dict, OrderedDict):
        value = [*value.keys(), *value.values()]
    if type(value) in (list, tuple):
        return next(filter(None, map(_strange, value)), "")
    return "" if type(value) in LEAVES else type(value).__name__
