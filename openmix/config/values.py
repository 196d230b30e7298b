"""Check values against annotations, and say in words what a value should have been."""

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import annotated_types
from pydantic import TypeAdapter, ValidationError

import openmix.types
from openmix.config.signature import Parameter
from openmix.config.source import Import, Module, dotted_name, find_module, read
from openmix.config.suggest import hint

KNOWN: dict[str, Any] = {
    **{name: getattr(openmix.types, name) for name in openmix.types.__all__},
    **{each.__name__: each for each in (bool, int, float, str, list, tuple, dict, set, Path)},
    **{"Any": Any, "object": Any, "Sequence": Sequence, "Mapping": Mapping},
    **{"List": list, "Tuple": tuple, "Dict": dict, "Set": set, "Iterable": Sequence},
}
BOUNDS = {name: getattr(annotated_types, name) for name in ("Gt", "Ge", "Lt", "Le")}

# A config cannot hold these, so in a union they are passed over.
NEVER = {"Tensor", "Module", "Parameter", "Callable", "Generator"}

WORDS: dict[str, Callable[[dict], str]] = {
    "int_type": lambda _: "a whole number",
    "int_from_float": lambda _: "a whole number",
    "float_type": lambda _: "a number",
    "bool_type": lambda _: "true or false",
    "string_type": lambda _: "text",
    "list_type": lambda _: "a list",
    "tuple_type": lambda _: "a list",
    "set_type": lambda _: "a list",
    "dict_type": lambda _: "a group of settings",
    "model_type": lambda _: "a group of settings",
    "none_required": lambda _: "null",
    "greater_than": lambda context: f"> {context['gt']:g}",
    "greater_than_equal": lambda context: f">= {context['ge']:g}",
    "less_than": lambda context: f"< {context['lt']:g}",
    "less_than_equal": lambda context: f"<= {context['le']:g}",
    "too_long": lambda context: f"a list of {context['max_length']}",
    "too_short": lambda context: f"a list of at least {context['min_length']}",
    "literal_error": lambda context: context["expected"].replace("'", ""),
}


_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")


class Unreadable(Exception):
    """An annotation that names something a config has no value for, or no name we know."""


def mistake(parameter: Parameter, value: Any, path: str) -> str | None:
    """What is wrong with ``value`` for ``parameter``, in one line, or None."""
    adapter = _adapter(parameter.annotation, parameter.module) if parameter.annotation else None
    errors = adapter and problems(adapter, value)
    return phrase(errors, value, path) if errors else None


def problems(adapter: TypeAdapter, value: Any) -> list[dict]:
    """Pydantic's errors for a plain tree; the strictness of JSON: ``1`` is a float, ``"1"`` is not.

    A list is right for a tuple, ``true`` is no number and 1.0 no whole number.
    """
    try:
        adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        return error.errors(include_url=False, include_input=False)
    return []


def phrase(errors: list[dict], value: Any, path: str) -> str:
    """One line for the errors about one value, merging the members of a union."""
    located = [(_inside(value, error["loc"]), error) for error in errors]
    deepest = max((steps for steps, _ in located), key=len)
    chosen = [error for steps, error in located if steps == deepest]
    for step in deepest:
        value, path = value[step], f"{path}.{step}" if path else str(step)
    for error in chosen:
        if error["type"] == "missing":
            name = error["loc"][-1]
            return (
                f"{path} is too short: {json.dumps(value)}"
                if isinstance(value, list)
                else (f"{path}.{name} is missing" if path else f"{name} is missing")
            )
    wanted = " or ".join(dict.fromkeys(_word(error) for error in chosen))
    shown = json.dumps(value, default=str)
    shown = shown if len(shown) <= 40 else shown[:37] + "..."
    if remedy := _as_typed(chosen, value, path):
        return f"{path} must be {wanted}, not {shown}; {remedy}"
    options = [each for error in chosen for each in _options(error)]
    return f"{path} must be {wanted}, not {shown}" + (
        hint(value, options).replace("; did", ": did") if isinstance(value, str) else ""
    )


def _as_typed(errors: list[dict], value: Any, path: str) -> str:
    """How to write a number where a text stands that reads as one, and the other way round."""
    kinds = {error["type"] for error in errors}
    if isinstance(value, str) and kinds & {"int_type", "float_type"} and _NUMBER.fullmatch(value):
        return f"use {path}=$NAME, or '{path}=\"${{oc.decode:${{oc.env:NAME}}}}\"'"
    if kinds == {"string_type"} and value is not None:
        return f"a text is written '{path}=\"...\"'"
    return ""


def not_a_number(value: Any) -> bool:
    """Whether a value is NaN, which every range would have to refuse."""
    return isinstance(value, float) and math.isnan(value)


def _word(error: dict) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    tell = WORDS.get(error["type"])
    return tell(error.get("ctx", {})) if tell else error["msg"]


def _options(error: dict) -> list[str]:
    if error["type"] != "literal_error":
        return []
    return error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")


def _inside(value: Any, loc: tuple) -> tuple:
    """The part of a pydantic location that leads into ``value``; the rest names union members."""
    steps = []
    for step in loc:
        item = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if item or (isinstance(value, dict) and step in value):
            value = value[step]
            steps.append(step)
    return tuple(steps)


@cache
def _adapter(annotation: str, module: Module) -> TypeAdapter | None:
    try:
        return TypeAdapter(_type(ast.parse(annotation, mode="eval").body, module))
    except (Unreadable, SyntaxError, TypeError, RecursionError):
        return None


def _type(node: ast.expr, module: Module) -> Any:
    """The type an annotation means, without evaluating it."""
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return _type(ast.parse(text, mode="eval").body, module)
        case ast.BinOp(op=ast.BitOr()):
            return _union([node.left, node.right], module)
        case ast.Subscript():
            return _generic(node, module)
    dotted = dotted_name(node)
    if dotted is None:
        raise Unreadable
    name = dotted.rpartition(".")[2]
    if name in KNOWN:
        return KNOWN[name]
    alias = _alias(module, dotted)
    if alias is None or name in NEVER:
        raise Unreadable(name)
    return _type(*alias)


def _alias(module: Module, name: str) -> tuple[ast.expr, Module] | None:
    """The expression that a name stands for in a module, followed through imports."""
    value = read(module).names.get(name) if module.file else None
    if isinstance(value, Import) and value.name:
        source = find_module(value.module)
        return _alias(source, value.name) if source and source != module else None
    return (value, module) if isinstance(value, ast.expr) else None


def _generic(node: ast.Subscript, module: Module) -> Any:
    name = (dotted_name(node.value) or "").rpartition(".")[2]
    items = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        return Literal[tuple(ast.literal_eval(item) for item in items)]
    if name == "Union":
        return _union(items, module)
    if name == "Optional":
        return _union([*items, ast.Constant(None)], module)
    if name == "Annotated":
        return Annotated[(_type(items[0], module), *map(_bound, items[1:]))]
    origin = KNOWN.get(name)
    if origin in (list, tuple, dict, set, Sequence, Mapping):
        inner = [
            ... if isinstance(item, ast.Constant) and item.value is ... else _type(item, module)
            for item in items
        ]
        return origin[tuple(inner)]
    raise Unreadable(name)


def _union(items: list[ast.expr], module: Module) -> Any:
    members = []
    for item in items:
        if (dotted_name(item) or "").rpartition(".")[2] in NEVER:
            continue
        members.append(_type(item, module))
    if not members:
        raise Unreadable
    return Union[tuple(members)]  # noqa: UP007  the members are known at run time only


def _bound(node: ast.expr) -> Any:
    """``Gt(0)`` and its like, as an object."""
    match node:
        case ast.Call(func=function, args=[limit], keywords=[]):
            name = (dotted_name(function) or "").rpartition(".")[2]
            if name in BOUNDS:
                return BOUNDS[name](ast.literal_eval(limit))
        case ast.Constant(value=str()):
            return None
    raise Unreadable
