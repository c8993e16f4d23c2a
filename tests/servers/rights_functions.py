# SPDX-License-Identifier: GPL-3.0-or-later
"""Which functions of crm_sync look at rights, and which are called by other rooms and commands without: found, not listed."""

import ast
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

from sqlalchemy.orm import Session

import admin_web
import crm_sync
from crm_sync.rights import Viewer


def functions_with_viewer() -> dict[str, FunctionType]:
    """Return every public function and method of crm_sync that takes a viewer, by qualified name."""
    return {name: function for name, function in _functions() if _takes(function, Viewer)}


def functions_without_viewer() -> dict[str, FunctionType]:
    """Return every public function and method of crm_sync that takes a session, but no viewer."""
    return {
        name: function for name, function in _functions() if _takes(function, Session) and not _takes(function, Viewer)
    }


def used_from_outside() -> dict[str, set[str]]:
    """Return what admin_web and the modules of commands import of crm_sync: qualified name -> the modules that do."""
    found: dict[str, set[str]] = {}
    for name, path in (*_modules(admin_web), *_modules(crm_sync)):
        if name.startswith("admin_web") or name.rpartition(".")[2].endswith("commands"):
            for imported in _imports(path):
                found.setdefault(imported, set()).add(name)
    return found


def _modules(package: ModuleType) -> Iterator[tuple[str, Path]]:
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if ".migrations" in info.name or info.name.endswith("__main__"):
            continue
        module = import_module(info.name)
        assert module.__file__ is not None
        yield info.name, Path(module.__file__)


def _functions() -> Iterator[tuple[str, FunctionType]]:
    for name, _ in _modules(crm_sync):
        module = import_module(name)
        for attribute, thing in vars(module).items():
            if attribute.startswith("_") or getattr(thing, "__module__", None) != name:
                continue
            if inspect.isclass(thing):
                for method, function in vars(thing).items():
                    plain = inspect.unwrap(getattr(function, "__func__", function)) if callable(function) else function
                    if not method.startswith("_") and inspect.isfunction(plain):
                        yield f"{name}.{attribute}.{method}", plain
            elif callable(thing) and inspect.isfunction(plain := inspect.unwrap(thing)):
                yield f"{name}.{attribute}", plain


def _takes(function: FunctionType, wanted: type) -> bool:
    try:
        hints = typing.get_type_hints(function)
    except NameError:  # a name that only type checkers import: the words must do
        hints = inspect.get_annotations(function)
    hints.pop("return", None)
    name = re.compile(rf"\b{wanted.__name__}\b")
    return any(
        name.search(hint) if isinstance(hint, str) else wanted in (hint, *typing.get_args(hint))
        for hint in hints.values()
    )


def _imports(path: Path) -> Iterator[str]:
    """Yield what a file imports of crm_sync; of a module imported whole, the attributes that are used."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "crm_sync":
            for alias in node.names:
                qualified = f"{node.module}.{alias.name}"
                if qualified in sys.modules:
                    modules[alias.asname or alias.name] = qualified
                yield qualified
        elif isinstance(node, ast.Import):
            modules.update((alias.asname or alias.name, alias.name) for alias in node.names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{modules[node.value.id]}.{node.attr}"
