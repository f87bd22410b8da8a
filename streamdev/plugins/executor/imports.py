"""What a handler imports before it does anything else, found by reading its code.

A process can import that ahead of the handler itself. Only what stands at the top counts: an
assignment to ``os.environ``, a changed ``sys.path`` or any other call may change what an import
that comes after it finds, or does, so the search ends there.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

Import = tuple[str, tuple[str, ...]]
"""A module, and what is taken from it: ``from MODULE import NAMES``, none for ``import MODULE``."""


def leading_imports(root: Path, handler: str, own: Collection[str]) -> list[Import]:
    """The imports a handler begins with, in order, without those of the function's own modules.

    These are followed: what they import first is imported by the handler's process, too.

    Args:
        root: The folder with the unzipped package.
        handler: ``module.function``, with dots or slashes for packages.
        own: The top-level names of the function's own modules.
    """
    walk = _Walk(root, frozenset(own))
    walk.module(handler.rpartition(".")[0].replace("/", "."))
    return walk.found


class _Walk:
    """Goes through modules as the interpreter would; each step says whether to go on."""

    def __init__(self, root: Path, own: frozenset[str]) -> None:
        self.found: list[Import] = []
        self._root = root
        self._own = own
        self._seen: set[str] = set()

    def module(self, name: str) -> bool:
        """A module of the function's own, the packages it is in first."""
        parts = name.split(".")
        return all(self._one(".".join(parts[: end + 1])) for end in range(len(parts)))

    def _one(self, name: str) -> bool:
        if name in self._seen:
            return True
        self._seen.add(name)
        base = self._place(name)
        package = base / "__init__.py"
        if package.is_file():
            return self._code(package, name)
        path = base.parent / f"{base.name}.py"
        if path.is_file():
            return self._code(path, name.rpartition(".")[0])
        return base.is_dir()

    def _place(self, name: str) -> Path:
        return self._root.joinpath(*name.split("."))

    def _code(self, path: Path, package: str) -> bool:
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            return False
        return all(self._statement(statement, package) for statement in tree.body)

    def _statement(self, statement: ast.stmt, package: str) -> bool:
        match statement:
            case ast.Import(names=aliases):
                return all(self._import(alias.name, ()) for alias in aliases)
            case ast.ImportFrom(module=module, names=aliases, level=level):
                names = tuple(alias.name for alias in aliases)
                if level == 0:
                    return self._import(module or "", names)
                above = package.split(".")[: len(package.split(".")) - level + 1]
                return self._follow(".".join([*above, *([module] if module else [])]), names)
        return _is_harmless(statement)

    def _import(self, name: str, names: tuple[str, ...]) -> bool:
        if name.partition(".")[0] in self._own:
            return self._follow(name, names)
        self.found.append((name, names))
        return True

    def _follow(self, name: str, names: tuple[str, ...]) -> bool:
        """A module of the function's own, and those of ``names`` that are modules in it."""
        if not self.module(name):
            return False
        base = self._place(name)
        modules = [one for one in names if (base / one).is_dir() or (base / f"{one}.py").is_file()]
        return all(self.module(f"{name}.{one}") for one in modules)


def _is_harmless(statement: ast.stmt) -> bool:
    """Whether what is imported after it is the same as without it."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Pass():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=targets, value=value):
            return all(isinstance(one, ast.Name) for one in targets) and not _calls(value)
        case ast.AnnAssign(target=ast.Name(), value=value):
            return value is None or not _calls(value)
        case ast.If(
            test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), orelse=[]
        ):
            return True
    return False


def _calls(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Call | ast.Await) for node in ast.walk(value))
