"""One line with its remedy for everything Hydra, OmegaConf and YAML can find wrong."""

import re
import shlex
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import (
    GrammarParseError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    UnsupportedInterpolationType,
)

from openmix.config.groups import APART, CONFIGS, groups, names
from openmix.config.signature import Signature, signature
from openmix.config.suggest import hint, leaves, listing, one_line, unknown_key
from openmix.errors import ConfigError


def explain(
    error: Exception, folder: Path = CONFIGS, tree: DictConfig | None = None
) -> ConfigError:
    """The one line for ``error``; ``tree`` is a composed config whose keys may be suggested."""
    cause = error.__cause__ if not str(error) and error.__cause__ else error
    if isinstance(cause, OverrideParseException):
        return ConfigError(_unreadable(cause))  # a word to type is not cut short
    return ConfigError(one_line(_text(cause, folder, tree)))


def _text(error: Exception, folder: Path, tree: DictConfig | None) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, yaml.MarkedYAMLError):
        return _yaml(error, folder)
    if isinstance(error, MissingConfigException):
        return _missing_file(error, folder)
    if isinstance(error, MissingMandatoryValue):
        key = _full_key(error)
        return f"{key} has no value; set it: {key}=VALUE"
    if isinstance(error, UnsupportedInterpolationType | InterpolationResolutionError):
        missing = _first(error).rpartition("interpolation: ")[2]
        return f"{_full_key(error)} refers to something that is not there: {missing}"
    if isinstance(error, GrammarParseError):
        return f"{_full_key(error)} cannot be read: {_first(error)}"
    return _hydra(str(error), folder, tree)


def _yaml(error: yaml.MarkedYAMLError, folder: Path) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"bad yaml: {error.problem}"
    path = Path(mark.name)
    if path.is_relative_to(folder):
        path = path.relative_to(folder.parent)
    return f"{path}, line {mark.line + 1}: bad yaml: {error.problem}"


def _unreadable(error: OverrideParseException) -> str:
    override = error.override
    key, equals, value = override.partition("=")
    if override.startswith("-"):
        return f"unknown option '{override}'; settings are written KEY=VALUE"
    if not equals:
        return f"'{override}' has no value; write {override}=VALUE"
    if re.fullmatch(r"\w+\(.*\)", value):
        reason = str(error).splitlines()[1:2] or ["no such function"]
        return one_line(f"cannot read '{override}': {reason[0]}")
    if word := quoted(key, value):
        return f"special characters need quotes, for Hydra and for the shell: {word}"
    return one_line(
        f"cannot read '{override}'; close its brackets, put special characters in quotes"
    )


def quoted(key: str, value: str) -> str | None:
    """The word to type in a shell that sets ``key`` to the text ``value``, or to a list of texts.

    None where there is none: brackets that do not close, an interpolation that does not end.
    """
    items = value[1:-1].split(",") if re.fullmatch(r"\[[^][{}]+\]", value) else None
    if (re.match(r"[\[{]", value) and items is None) or not value.isprintable():
        return None
    texts = [QuotedString(each.strip(), Quote.double).with_quotes() for each in items or [value]]
    word = f"{key}=[{','.join(texts)}]" if items else f"{key}={texts[0]}"
    try:
        read = OverridesParser.create().parse_override(word).value()
        OmegaConf.create({"value": read})
    except (HydraException, GrammarParseError):
        return None
    return shlex.quote(word)


def _missing_file(error: MissingConfigException, folder: Path) -> str:
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    where = _first(error).partition(":")[0].removeprefix("In ").strip("'")
    place = f"configs/{where}.yaml: " if where not in ("", "train") else ""
    options = names(group, folder)
    if not group or not options:
        return f"{place}there is no {error.missing_cfg_file}.yaml"
    suggestion = hint(name, options) or ";"
    return f"{place}unknown {group} '{name}'{suggestion} available: {listing(options)}"


def _hydra(message: str, folder: Path, tree: DictConfig | None) -> str:
    """What Hydra only says in words."""
    for pattern, tell in _SAYINGS:
        if found := re.search(pattern, message):
            return tell(found, folder, tree)
    return message.strip().partition("\n\n")[0] or "the config cannot be composed"


def _no_default(found: re.Match, folder: Path, tree: DictConfig | None) -> str:
    """A choice for a group that has none yet, on the command line or in an overlay."""
    group, name = found["key"], found["value"]
    if group in APART:
        return f"{group}={name} is for tools/sweep.py; no part of a run"
    if group in groups(folder) and name:
        return f"{group} is not in the defaults; write +{group}={name}"
    return f"unknown group '{group}'{hint(group, groups(folder))}"


def _no_key(found: re.Match, folder: Path, tree: DictConfig | None) -> str:
    key, value = found["key"], found["value"].strip()
    if key in groups(folder):
        return f"{key}={value}: give the name of an option: {listing(names(key, folder))}"
    parent, _, last = key.rpartition(".")
    known = _signature(tree, parent)
    if known and (known.accepts_any or last in known.names):
        return f"'{key}' is not in the yaml file, but can be set: +{key}={value}"
    keys = leaves(_plain(tree)) + [f"{parent}.{name}" for name in (known.names if known else ())]
    return unknown_key(key, keys)


def _plain(tree: DictConfig | None) -> dict:
    return OmegaConf.to_container(tree) if tree is not None else {}


def _signature(tree: DictConfig | None, parent: str) -> Signature | None:
    node = OmegaConf.select(tree, parent) if tree is not None and parent else None
    if not isinstance(node, DictConfig) or not isinstance(node.get("_target_"), str):
        return None
    try:
        return signature(node["_target_"])
    except ConfigError:
        return None


def _no_item(found: re.Match, folder: Path, tree: DictConfig | None) -> str:
    key = found["key"]
    parent = key.rpartition(".")[0]
    node = OmegaConf.select(tree, parent) if tree is not None else None
    has = f"; it has {len(node)}" if isinstance(node, ListConfig) else ""
    return f"'{key}' is not an item of the list{has}; write {parent}=[...]"


_SAYINGS = (
    (
        r"Could not override '(?P<key>[^']+)'\. No match in the defaults list"
        r"\.?(\nTo append to your default list use \+[^=]+=(?P<value>\S+))?",
        _no_default,
    ),
    (
        r"Could not override '(?P<key>[^']+)'\.\nDid you mean to override (?P<meant>\S+)\?",
        lambda found, *_: (
            f"'{found['key']}' is not a choice of this config; an overlay starts with "
            f"'# @package _global_', a command line names '{found['meant']}'"
        ),
    ),
    (
        r"Could not override '(?P<key>[^']+)'\.\nTo append to your config use \+[^=]+="
        r"(?P<value>.*)",
        _no_key,
    ),
    (
        r"Ambiguous value for argument '(?P<word>.*)'",
        lambda found, *_: (
            f"{found['word']} asks for several runs; add --multirun, or write a list as [a,b], "
            f"a text as {quoted(*found['word'].split('=', 1))}"
        ),
    ),
    (
        r"Sweep parameters '(?P<key>[^']*)'",
        lambda found, *_: f"{found['key']} asks for several runs; add --multirun",
    ),
    (
        r"An item is already at '(?P<key>[^']+)'",
        lambda found, *_: f"{found['key']} is in the config already; write it without the +",
    ),
    (
        r"Multiple values for (?P<key>[^.\s]+)\. .*: (?P<value>\S+)'",
        lambda found, *_: (
            f"{found['key']} is chosen twice; write {found['key']}={found['value']}, without the +"
        ),
    ),
    (
        r"Could not delete from config\. '(?P<key>[^']+)' does not exist",
        lambda found, folder, tree: (
            f"unknown key '{found['key']}' after ~{hint(found['key'], leaves(_plain(tree)))}"
        ),
    ),
    (
        r"Config group override must be a string",
        lambda *_: "a group takes the name of one of its options, as in mixup=none",
    ),
    (r"Error merging override (?P<key>[^=]+)=", _no_item),
)


def _full_key(error: Exception) -> str:
    return str(getattr(error, "full_key", None) or "the config")


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
