"""The settings of a launcher: the config group ``launcher``, which is no part of a run."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, TypeAdapter

from openmix.config.compose import FAILURES, hydra_on
from openmix.config.explain import explain
from openmix.config.groups import CONFIGS, key_of, names
from openmix.config.suggest import hint, listing, unknown_key
from openmix.config.values import phrase, problems
from openmix.errors import ConfigError
from openmix.types import Count


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    processes: Count
    fail_fast: Count | None

    @property
    def over_nodes(self) -> bool:
        """Whether a run spans several nodes."""
        return False


class Local(Settings):
    kind: Literal["local"]
    jobs: Count | None
    threads: Count | None


def _text(value: Any) -> Any:
    """A whole number as the text that sbatch is given: minutes, megabytes, an account."""
    return str(value) if type(value) is int else value


def _lines(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _limit(text: str) -> str:
    if not re.fullmatch(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}|UNLIMITED", text):
        raise ValueError("a time limit as sbatch takes it, such as 60, 08:00:00 or 1-12")
    return text


def _line(text: str) -> str:
    if not re.fullmatch(r"-[^\n]*", text):
        raise ValueError("an option of sbatch in one line, such as --exclude=node7")
    return text


def _word(text: str) -> str:
    if not re.fullmatch(r"[^\s'\"\\]+", text):
        raise ValueError("one word without quotes")
    return text


Word = Annotated[str, BeforeValidator(_text), AfterValidator(_word)]


class Slurm(Settings):
    kind: Literal["slurm"]
    partition: Word | None
    account: Word | None
    qos: Word | None
    time: Annotated[str, BeforeValidator(_text), AfterValidator(_limit)]
    gres: Word | None
    constraint: Word | None
    cpus: Count
    mem: Word | None
    nodes: Count
    runs_per_task: Count
    array_parallelism: Count
    warn_seconds: Count
    extra: Annotated[list[Annotated[str, AfterValidator(_line)]], BeforeValidator(_lines)]
    setup: str
    leaderboard: bool

    @property
    def over_nodes(self) -> bool:
        return self.nodes > 1


KINDS = {"local": TypeAdapter(Local), "slurm": TypeAdapter(Slurm)}


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The launcher's words (``launcher=``, ``launcher.*``, ``fail_fast=``), and the others."""
    ours = [word for word in words if re.match(r"[+~]*(launcher[.=]|fail_fast=)", word)]
    return [f"launcher.{w}" if w.startswith("fail_fast") else w for w in ours], [
        word for word in words if word not in ours
    ]


def settings(words: Sequence[str]) -> Local | Slurm:
    """The settings that ``launcher=NAME launcher.KEY=VALUE`` give; ``local`` unless named.

    Raises ConfigError for whatever is wrong with them.
    """
    chosen = [word.partition("=")[2] for word in words if key_of(word) == "launcher"]
    name, known = (chosen or ["local"])[-1], names("launcher")
    if name not in known:
        raise ConfigError(
            f"unknown launcher '{name}'{hint(name, known) or ';'} available: {listing(known)}"
        )
    values = [_as_sbatch(word) for word in words if key_of(word) != "launcher"]
    plain = None
    try:
        with hydra_on(CONFIGS):
            plain = hydra.compose(f"launcher/{name}")
            if isinstance(plain.launcher.get("time"), int):  # YAML reads 10:00:00 as 36000
                raise ConfigError(f"configs/launcher/{name}.yaml: time needs quotes, '10:00:00'")
            config = hydra.compose(f"launcher/{name}", values)
        return read(OmegaConf.to_container(config, resolve=True)["launcher"])
    except FAILURES as error:
        raise explain(error, CONFIGS, plain) from error


def _as_sbatch(word: str) -> str:
    """A word for Hydra whose value is typed as for sbatch: ``gpu,long``, ``--exclude=node7``."""
    key, equals, value = word.partition("=")
    try:
        commas = OverridesParser.create().parse_override(word).is_choice_sweep()
        bare = not commas or "(" in value
    except HydraException:
        bare = not equals or not re.match(r"[-\w]", value)
    return word if bare else f"{key}={QuotedString(value, Quote.double).with_quotes()}"


def read(tree: dict[str, Any]) -> Local | Slurm:
    """Check settings from a config or a file; ConfigError names the first mistake."""
    adapter = KINDS.get(str(tree.get("kind")))
    if adapter is None:
        raise ConfigError(f"launcher.kind must be one of {listing(KINDS)}; choose by launcher=NAME")
    errors = problems(adapter, tree)
    for error in errors:
        if error["type"] == "extra_forbidden":
            keys = [f"launcher.{name}" for name in tree if name != error["loc"][-1]]
            raise ConfigError(unknown_key(f"launcher.{error['loc'][-1]}", keys))
    if errors:
        raise ConfigError(phrase(errors[:1], tree, "launcher"))
    return adapter.validate_python(tree)
