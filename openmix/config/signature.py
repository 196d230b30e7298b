"""What a target can be given, read from its source: names, defaults and annotations."""

import ast
from dataclasses import dataclass
from functools import cache

from openmix.config.source import Definition, Module, dotted_name, expand, locate, resolve

# torch's own base classes take anything in their signature and refuse it in their body.
BARE = {"object", "torch.nn.Module", "torch.nn.modules.module.Module", "abc.ABC"}


@dataclass(frozen=True)
class Parameter:
    """One parameter: ``annotation`` is its source text, to be read as of ``module``."""

    name: str
    required: bool
    annotation: str | None
    module: Module
    keyword_only: bool = False


@dataclass(frozen=True)
class Signature:
    """The parameters of a target; ``accepts_any`` says ``**kwargs``, ``accepts_args`` ``*args``."""

    parameters: tuple[Parameter, ...] = ()
    accepts_any: bool = False
    accepts_args: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def positional(self) -> tuple[Parameter, ...]:
        return tuple(each for each in self.parameters if not each.keyword_only)


@cache
def signature(target: str) -> Signature | None:
    """The signature of ``target``, a dotted path, without importing it.

    None where the source does not tell: compiled code, a name made by a call, a base class that
    cannot be found. Raises ConfigError where the target does not exist.
    """
    try:
        return _signature(locate(target))
    except RecursionError:  # a class that replaces its base under the same name
        return None


@cache
def attribute(target: str, name: str) -> object:
    """The literal that a class or one of its bases gives to its attribute ``name``, or None."""
    try:
        return _attribute(locate(target), name)
    except RecursionError:
        return None


def _signature(definition: Definition) -> Signature | None:
    node, module = definition.node, definition.module
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _of_function(node, module)
    if not isinstance(node, ast.ClassDef):
        return None
    methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    for name in ("__init__", "__new__"):
        if name in methods:
            return _of_function(methods[name], module, bound=True)
    if _is_record(node):
        return _of_fields(definition)
    for base in _bases(definition):
        found = base and _signature(base)
        if found is None or found != Signature():
            return found
    return Signature()


def _of_function(node: ast.FunctionDef, module: Module, bound: bool = False) -> Signature:
    spec = node.args
    plain = [*spec.posonlyargs, *spec.args]
    first_default = len(plain) - len(spec.defaults)
    parameters = [
        _parameter(arg, index < first_default, module) for index, arg in enumerate(plain)
    ][bound:]
    parameters += [
        _parameter(arg, default is None, module, keyword_only=True)
        for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    ]
    return Signature(tuple(parameters), spec.kwarg is not None, spec.vararg is not None)


def _parameter(
    arg: ast.arg, required: bool, module: Module, keyword_only: bool = False
) -> Parameter:
    annotation = ast.unparse(arg.annotation) if arg.annotation else None
    return Parameter(arg.arg, required, annotation, module, keyword_only)


def _is_record(node: ast.ClassDef) -> bool:
    """Whether fields make the signature: a dataclass or a NamedTuple."""
    marks = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    names = {(dotted_name(each) or "").rpartition(".")[2] for each in [*marks, *node.bases]}
    return bool(names & {"dataclass", "NamedTuple"})


def _of_fields(definition: Definition) -> Signature | None:
    fields: dict[str, Parameter] = {}
    for base in reversed(_bases(definition)):
        inherited = base and _signature(base)
        if inherited is None:
            return None
        fields |= {each.name: each for each in inherited.parameters}
    for node in definition.node.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                text = ast.unparse(annotation)
                if "ClassVar" not in text and not _option(value, "init", False):
                    required = value is None or _is_field_without_default(value)
                    fields[name] = Parameter(name, required, text, definition.module)
    return Signature(tuple(fields.values()))


def _is_field_without_default(value: ast.expr) -> bool:
    return (
        isinstance(value, ast.Call)
        and (dotted_name(value.func) or "").rpartition(".")[2] == "field"
        and not {"default", "default_factory"} & {each.arg for each in value.keywords}
    )


def _option(value: ast.expr | None, name: str, wanted: object) -> bool:
    """Whether ``value`` is a call with the literal keyword ``name=wanted``."""
    return isinstance(value, ast.Call) and any(
        each.arg == name and isinstance(each.value, ast.Constant) and each.value.value is wanted
        for each in value.keywords
    )


def _bases(definition: Definition) -> list[Definition | None]:
    """The base classes, None for each that cannot be read; what takes no arguments is left out."""
    found: list[Definition | None] = []
    for node in definition.node.bases:
        node = node.value if isinstance(node, ast.Subscript) else node
        dotted = dotted_name(node)
        full = expand(definition.module, dotted) if dotted else None
        if full in BARE or (full or "").rpartition(".")[2] in ("Generic", "Protocol", "NamedTuple"):
            continue
        base = resolve(definition.module, dotted) if dotted else None
        found.append(base if isinstance(base, Definition) and base.node else None)
    return found


def _attribute(definition: Definition, name: str) -> object:
    if not isinstance(definition.node, ast.ClassDef):
        return None
    for node in definition.node.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=found)], value=value)
                | ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as value)
            ) if found == name:
                try:
                    return ast.literal_eval(value)
                except ValueError:
                    return None
    for base in filter(None, _bases(definition)):
        if (value := _attribute(base, name)) is not None:
            return value
    return None
