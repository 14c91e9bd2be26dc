"""A script of a verify command -> the files beside it that it imports, which decide with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from posixpath import dirname, normpath, splitext

from pytest_lok.core.text.words import words
from pytest_lok.late_regex import late_regex

Read = Callable[[str], bytes | None]

MAX_FILES = 200
"""Files that are followed; beyond that, everything beside the script counts as imported."""

_IMPORTING_CALLS = frozenset({"__import__", "import_module", "run_module", "run_path"})
"""Functions that import the module or file whose name they are given."""
_IMPORTING_MODULES = frozenset({"builtins", "importlib", "path", "runpy", "sys"})
"""Modules that hold those functions or the import path: renamed by ``as``, nobody can follow them."""
_DYNAMIC_NAMES = words("__path__ eval exec iter_modules meta_path spec_from_file_location walk_packages")
"""Names by which Python imports what is not written out."""
_RELATIVE = late_regex(r"""(?:\brequire_relative\s*\(?\s*["'](?=[^./])|["'](?=\.{1,2}/))([^"'\n]+)["']""")
_COMPUTED = late_regex(r"""\b(?:require|require_relative|import)\s*\((?!\s*["'])""")


def imported_files(script: str, read: Read) -> frozenset[str]:
    """The files of the script's directory, and below it, that it imports, and those that these do.

    The directory itself, with a ``/`` behind, where what is imported is computed, or cannot be read.
    """
    home = dirname(script)
    inside = f"{home}/" if home else ""
    found, left = {script}, [script]
    while left:
        path = left.pop()
        content = read(path) or b""
        is_python = path.endswith(".py") or re.match(rb"#!.*python", content)
        named = _python(path, content, home) if is_python else _relative(path, content)
        # then anything beside it may be imported
        if named is None or len(found) > MAX_FILES:
            return frozenset(found | {inside or "/"})
        fresh = {
            it
            for it in named
            if it.startswith(inside) and it[:3] != "../" and it not in found and read(it) is not None
        }
        found |= fresh
        left += fresh
    return frozenset(found)


def _python(path: str, content: bytes, home: str) -> set[str] | None:
    """The files that may be the modules a Python file imports; None where it does not say."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    usual, found = (home, ""), set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found.update(file for name in names for file in _files(usual, name.name))
            case ast.ImportFrom(module=module, names=names, level=level):
                around = normpath("/".join([dirname(path) or ".", *[".."] * (level - 1)]))
                starts = (around,) if level else usual
                whole = [module or "", *(".".join(filter(None, (module, name.name))) for name in names)]
                # the name behind `import` may be a module, or something in one
                found.update(file for name in whole for file in _files(starts, name))
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if (
                called in _IMPORTING_CALLS
            ):
                name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""
                if not isinstance(name, str) or not name or name.startswith("."):
                    return None
                found.update(_files(usual, name))
            case ast.Name(id=word) | ast.Attribute(attr=word) if word in _DYNAMIC_NAMES:
                return None
            case ast.alias(name=name, asname=str()) if name in _IMPORTING_CALLS or name in _IMPORTING_MODULES:
                return None
            case ast.Attribute(value=ast.Name(id="sys"), attr="path"):
                return None
    return found


def _files(starts: Iterable[str], module: str) -> Iterator[str]:
    """Where a module, and the packages it is in, may be; or the file, where it is a path."""
    parts = [part for part in module.split(".") if part]
    for root in starts:
        yield normpath("/".join(filter(None, (root, module))) or ".")
        for at in range(len(parts) + 1):
            stem = normpath("/".join(filter(None, (root, *parts[:at]))) or ".").removeprefix("./")
            yield from (f"{stem}.py", f"{stem}/__init__.py")


def _relative(path: str, content: bytes) -> set[str] | None:
    """The files that may be meant by the relative paths in a script of another language."""
    text = content.decode("utf-8", "replace")
    if _COMPUTED.search(text):
        return None
    ending, found = splitext(path)[1], set[str]()
    for name in _RELATIVE.findall(text):
        stem = normpath(f"{dirname(path) or '.'}/{name}")
        found |= {stem, f"{stem}{ending}", f"{stem}/index{ending}"}
    return found
