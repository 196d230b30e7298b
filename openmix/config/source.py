"""Find the class or function a dotted path names by reading source, importing nothing.

Only ``find_spec`` of the top package is asked of Python; below it folders are walked and files are
parsed, following ``from x import y as z``, ``import x as y``, star imports and ``a = b``. Reading a
target this way takes milliseconds where importing it takes seconds, and runs no code of anybody's.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

from openmix.config.suggest import hint
from openmix.errors import ConfigError


@dataclass(frozen=True)
class Module:
    """A module by its dotted name; ``file`` is None where there is no Python source to read."""

    name: str
    file: Path | None
    folders: tuple[Path, ...] = ()

    def child(self, name: str) -> "Module | None":
        """The submodule ``name``, if its file or folder is there."""
        dotted = f"{self.name}.{name}"
        for folder in self.folders:
            if (folder / name / "__init__.py").is_file():
                return Module(dotted, folder / name / "__init__.py", (folder / name,))
            if (folder / f"{name}.py").is_file():
                return Module(dotted, folder / f"{name}.py")
            if any((folder / f"{name}{suffix}").is_file() for suffix in EXTENSION_SUFFIXES):
                return Module(dotted, None)
            if (folder / name).is_dir() and name.isidentifier():
                return Module(dotted, None, (folder / name,))
        return None


@dataclass(frozen=True)
class Definition:
    """Where a name is defined; ``node`` is None where the source does not tell what it is."""

    module: Module
    name: str
    node: ast.ClassDef | ast.FunctionDef | None = None

    @property
    def path(self) -> str:
        """The dotted path of the definition itself, past all re-exports."""
        return f"{self.module.name}.{self.name}"


@dataclass(frozen=True)
class Import:
    """``name`` from ``module`` (a dotted path), or the module itself where ``name`` is None."""

    module: str
    name: str | None = None


@dataclass
class Scope:
    """What the top level of a file binds, and the modules it imports all names of."""

    names: dict[str, Import | ast.AST] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


def locate(target: str) -> Definition:
    """The definition a dotted path leads to.

    Raises ConfigError, with a suggestion, when a package, module or name on the way does not
    exist, or when the path ends at a module or goes inside a class.
    """
    top, *parts = target.split(".")
    module = find_module(top)
    if module is None:
        raise ConfigError(f"there is no package '{top}'; install it or put it on PYTHONPATH")
    try:
        return _follow(module, parts, target)
    except RecursionError:
        raise ConfigError(f"{target} is imported in a circle") from None


def _follow(module: Module, parts: list[str], target: str) -> Definition:
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        found = lookup(module, part, last)
        if found is None:
            raise ConfigError(f"{module.name} has no '{part}'{hint(part, set(_public(module)))}")
        if isinstance(found, Definition):
            if not last:
                raise ConfigError(f"{target} goes inside {found.path}; name a class or function")
            return found
        module = found
    raise ConfigError(f"{target} is a module; name a class or function in it")


@cache
def find_module(dotted: str) -> Module | None:
    """The module of a dotted path, or None."""
    top, *parts = dotted.split(".")
    try:
        spec = find_spec(top)
    except ValueError:
        spec = None
    if spec is None:
        return None
    file = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    module = Module(top, file, tuple(map(Path, spec.submodule_search_locations or ())))
    for part in parts:
        module = module and module.child(part)
    return module


@cache
def lookup(module: Module, name: str, last: bool) -> Definition | Module | None:
    """What ``name`` is in ``module``; submodules come first unless it is the ``last`` part.

    That order finds ``torch.nn`` without reading all of ``torch``, and still finds a function
    that a package exports under the name of one of its modules.
    """
    if not last and (inner := module.child(name)):
        return inner
    if module.file is None:
        return module.child(name) or Definition(module, name)
    scope = read(module)
    if name in scope.names:
        return _bound(module, name, scope.names[name], last)
    if inner := module.child(name):
        return inner
    for star in reversed(scope.stars):
        source = find_module(star)
        if source and (found := lookup(source, name, last)):
            return found
    return Definition(module, name) if last and "__getattr__" in scope.names else None


def _bound(
    module: Module, name: str, value: Import | ast.AST, last: bool
) -> Definition | Module | None:
    if isinstance(value, ast.ClassDef | ast.FunctionDef):
        return Definition(module, name, value)
    if isinstance(value, Import):
        return _imported(module, value, last)
    if (dotted := dotted_name(value)) and dotted.partition(".")[0] != name:
        return resolve(module, dotted, last) or Definition(module, name)
    return Definition(module, name)


def _imported(module: Module, value: Import, last: bool) -> Definition | Module:
    source = find_module(value.module)
    if source == module and value.name:
        return module.child(value.name) or Definition(module, value.name)
    unread = Definition(source or Module(value.module, None), value.name or value.module)
    if value.name is None:
        return source or unread
    return (source and lookup(source, value.name, last)) or unread


def resolve(module: Module, dotted: str, last: bool = True) -> Definition | Module | None:
    """What ``a.b.c`` means inside ``module``."""
    found: Definition | Module | None = module
    *parents, name = dotted.split(".")
    for parent in parents:
        found = lookup(found, parent, False) if isinstance(found, Module) else None
    return lookup(found, name, last) if isinstance(found, Module) else None


def expand(module: Module, dotted: str) -> str:
    """``torch.nn.Module`` for ``nn.Module`` in a file that has ``from torch import nn``."""
    first, dot, rest = dotted.partition(".")
    value = read(module).names.get(first) if module.file else None
    if not isinstance(value, Import):
        return dotted
    return ".".join(filter(None, (value.module, value.name))) + dot + rest


def dotted_name(node: ast.AST) -> str | None:
    """``a.b.c`` for the expression of that form, else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (parent := dotted_name(node.value)):
        return f"{parent}.{node.attr}"
    return None


@cache
def read(module: Module) -> Scope:
    """Parse a module's file. Raises ConfigError where it is not valid Python."""
    assert module.file is not None
    try:
        tree = ast.parse(module.file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise ConfigError(
            f"{module.file}, line {line}: not valid Python ({error.args[0]})"
        ) from None
    scope = Scope()
    _collect(tree.body, module, scope)
    return scope


def _collect(body: list[ast.stmt], module: Module, scope: Scope) -> None:
    """Add what statements bind; of alternatives (if/else, try/except) the first one counts."""
    for node in body:
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.names[node.name] = node
            case ast.Import():
                for alias in node.names:
                    path = alias.name if alias.asname else alias.name.partition(".")[0]
                    scope.names[alias.asname or path] = Import(path)
            case ast.ImportFrom():
                source = absolute(node, module)
                for alias in node.names:
                    if alias.name == "*":
                        scope.stars.append(source)
                    else:
                        scope.names[alias.asname or alias.name] = Import(source, alias.name)
            case ast.Assign():
                for goal in node.targets:
                    for name in ast.walk(goal):
                        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store):
                            scope.names[name.id] = node.value if name is goal else goal
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                scope.names[name] = value
            case ast.If() | ast.Try() | ast.With():
                _alternatives(node, module, scope)


def _alternatives(node: ast.If | ast.Try | ast.With, module: Module, scope: Scope) -> None:
    _collect(node.body, module, scope)
    others = [*getattr(node, "handlers", ()), node] if not isinstance(node, ast.With) else []
    for other in others:
        inner = Scope()
        _collect(other.body if other is not node else node.orelse, module, inner)
        scope.names = inner.names | scope.names
        scope.stars += inner.stars


def absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    package = module.name.split(".")
    up = node.level - 1 if module.folders else node.level
    package = package[: len(package) - up]
    return ".".join([*package, *filter(None, [node.module])])


def _public(module: Module, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The names a module offers, for a suggestion."""
    for folder in module.folders:
        yield from (path.stem for path in folder.iterdir() if not path.name.startswith(("_", ".")))
    if module.file is None or module.name in seen:
        return
    scope = read(module)
    yield from (name for name in scope.names if not name.startswith("_"))
    for star in scope.stars:
        if source := find_module(star):
            yield from _public(source, (*seen, module.name))
