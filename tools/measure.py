"""`python -m tools.measure [PACKAGE] [--before PACKAGE]`: the size and the order of the code.

Everything is read from the code itself, and stands beside its target. ``--before`` names the package as it
was, to compare with: every row then shows both values. ``--strict`` exits with 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import re
import runpy
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = Function | ast.ClassDef

PACKAGE = Path(__file__).parents[1] / "pytest_lok"
FEWER_LINES = 800
MANY_FILES = {"cli", "plugin"}
"""Folders that may hold more files than others: one per verb, one per hook."""

INPUT_OUTPUT = re.findall(
    r"\w+",
    """
    asyncio concurrent ctypes fcntl multiprocessing os pty resource select selectors shutil signal socket ssl
    subprocess tempfile termios threading time urllib
    _pytest botocore click filelock h11 httpcore httpx pytest rich
    """,
)
"""Modules that reach the world outside. ``pathlib`` is none of them: pure code spells paths with it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """One file of the package: its dotted name, its text, its tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """How many lines the file has."""
        return self.text.count("\n")

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Every node of these kinds, nested ones too."""
        return (node for node in _nodes(self.tree) if isinstance(node, kinds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure: its value and its target in words, whether that is met, and where to look."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None
    where: str = ""


def modules_of(package: Path) -> list[Module]:
    """Every module of the package, in the order of their paths."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text()
        found.append(Module(name=name, path=path, text=text, tree=ast.parse(text)))
    return found


def measure(package: Path, *, lines_before: int | None = None) -> list[Row]:
    """All rows. An empty file is no module. The lines have a target if it is known how many they were."""
    modules = modules_of(package)
    sizes = {module.name: module.lines for module in modules if module.tree.body}
    most = None if lines_before is None else lines_before - FEWER_LINES
    rings = circles(modules)
    private, files = private_pytest_names(modules)
    return [
        _at_most("lines", sum(sizes.values()), most),
        Row(what="modules", value=str(len(sizes))),
        Row(what="median module, lines", value=f"{median(sizes.values()):g}"),
        _at_most("largest module, lines", *_largest(sizes, 400)),
        *_functions(modules),
        _at_most("largest class, lines", *_largest(_class_sizes(modules), 250)),
        _at_most("class names used twice", *_named(repeated_classes(modules), 0)),
        _at_most("import circles", *_named([f"{len(ring)} modules: {' '.join(ring)}" for ring in rings], 0)),
        _at_most("private names of pytest", *_named(private, 15)),
        _at_most("files with private names of pytest", *_named(files, 1)),
        Row(what="exported names", value=str(len(exported(package))), target="about 25"),
        _share("full-line comments", _comments(modules), sum(sizes.values()), low=2, high=3),
        _at_most("docstrings of fewer than five words", *_named(short_docstrings(modules), 9)),
        _share(
            "lines in modules without I/O imports",
            sum(module.lines for module in modules if imported_roots(module).isdisjoint(INPUT_OUTPUT)),
            sum(sizes.values()),
            low=60,
        ),
        _at_most("most files in one folder", *_largest(_files_per_folder(modules, package), 14)),
    ]


def _at_most(what: str, value: int, most: int | None, where: str = "") -> Row:
    target = f"at most {most:,}" if most is not None else ""
    met = None if most is None else value <= most
    return Row(what=what, value=f"{value:,}", target=target, met=met, where=where)


def _share(what: str, part: int, whole: int, *, low: float, high: float | None = None) -> Row:
    percent = round(100 * part / max(whole, 1), 1)
    target = f"{low} to {high} %" if high is not None else f"at least {low} %"
    return Row(what=what, value=f"{percent} %", target=target, met=low <= percent <= (high or 100))


def _largest(sizes: dict[str, int], most: int) -> tuple[int, int, str]:
    name = max(sizes, key=lambda name: sizes[name], default="none")
    return sizes.get(name, 0), most, name


def _named(names: Iterable[str], most: int, *, shown: int = 6) -> tuple[int, int, str]:
    listed = list(names)
    return len(listed), most, "; ".join(listed[:shown]) + ("; …" if len(listed) > shown else "")


def _functions(modules: Iterable[Module]) -> Iterator[Row]:
    sizes = {
        f"{module.name}.{function.name}:{function.lineno}": _length(function)
        for module in modules
        for function in module.nodes(ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(function, Function)
    }
    yield Row(what="functions", value=f"{len(sizes):,}")
    yield Row(what="median function, lines", value=f"{median(sizes.values() or [0]):g}")
    yield _at_most("longest function, lines", *_largest(sizes, 60))
    yield Row(what="functions over 40 lines", value=str(sum(size > 40 for size in sizes.values())))
    yield _at_most("functions over 60 lines", sum(size > 60 for size in sizes.values()), 0)


def _length(node: Definition) -> int:
    """The lines of a definition, without its decorators."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _classes(modules: Iterable[Module]) -> Iterator[tuple[Module, ast.ClassDef]]:
    for module in modules:
        for node in module.nodes(ast.ClassDef):
            if isinstance(node, ast.ClassDef):
                yield module, node


def _class_sizes(modules: Iterable[Module]) -> dict[str, int]:
    return {f"{module.name}.{node.name}": _length(node) for module, node in _classes(modules)}


def repeated_classes(modules: Iterable[Module]) -> list[str]:
    """Class names that the package gives more than once."""
    counted = Counter(node.name for _, node in _classes(modules))
    return sorted(name for name, times in counted.items() if times > 1)


def imports(module: Module, *, typed: bool) -> Iterator[tuple[str, str | None]]:
    """Each import as (module, name or None), late ones too; those for types alone only if ``typed``."""
    left_out = set() if typed else _type_only(module)
    for node in module.nodes(ast.Import, ast.ImportFrom):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((_absolute(module, node), alias.name) for alias in node.names)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    """The module that ``from ... import`` names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    inside = module.name.split(".") + (["__init__"] if module.path.stem == "__init__" else [])
    return ".".join(inside[: -node.level] + ([node.module] if node.module else []))


def _type_only(module: Module) -> set[ast.AST]:
    """The imports below ``if TYPE_CHECKING:``."""
    return {
        inner
        for node in module.nodes(ast.If)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }


def imported_roots(module: Module) -> set[str]:
    """The top-level packages that a module imports when it runs."""
    return {name.split(".")[0] for name, _ in imports(module, typed=False)}


def circles(modules: Iterable[Module]) -> list[list[str]]:
    """Groups of modules that import each other in a circle, with type-only and late imports counted."""
    known = {module.name: module for module in modules}
    arrows = {
        module.name: {
            target
            for name, member in imports(module, typed=True)
            if (target := f"{name}.{member}" if f"{name}.{member}" in known else name) in known
        }
        - {module.name}
        for module in known.values()
    }

    @cache
    def reached(start: str) -> frozenset[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            new = arrows[ahead.pop()] - seen
            seen |= new
            ahead += new
        return frozenset(seen)

    groups = {
        tuple(sorted(other for other in reached(name) if name in reached(other)))
        for name in known
        if name in reached(name)
    }
    return [list(group) for group in sorted(groups)]


def private_pytest_names(modules: Iterable[Module]) -> tuple[list[str], list[str]]:
    """Private names of pytest that the package uses, and the files that use them.

    A name counts if it is imported from ``_pytest``. In a module that imports pytest, an attribute with a
    leading underscore counts too if pytest's source defines it and the package does not, or does so only to
    extend a class of pytest.
    """
    listed = list(modules)
    ours = {name for module in listed for name in _defined(module.tree)}
    found: dict[str, set[str]] = {}
    for module in listed:
        for name, member in imports(module, typed=True):
            if member and name.split(".")[0] == "_pytest":
                found.setdefault(f"{name}.{member}", set()).add(module.name)
        if {"pytest", "_pytest"} & imported_roots(module):
            for name in (_attributes(module.tree) - ours | _overridden(module.tree)) & _pytest_attributes():
                found.setdefault(name, set()).add(module.name)
    return sorted(found), sorted(set().union(*found.values()))


@cache
def _nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Every node of a module; each measure looks at all of them."""
    return tuple(ast.walk(tree))


def _private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _attributes(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in _nodes(tree)
        if isinstance(node, ast.Attribute)
        and _private(node.attr)
        and ast.unparse(node.value) not in ("os", "sys")
    }


def _defined(tree: ast.AST) -> set[str]:
    """Private names that this tree defines: functions, classes, and what is set on ``self``."""
    named = {node.name for node in _nodes(tree) if isinstance(node, Definition)}
    annotated = {
        node.target.id
        for node in _nodes(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    stored = {
        node.attr
        for node in _nodes(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    }
    return {name for name in named | annotated | stored if _private(name)}


def _overridden(tree: ast.AST) -> set[str]:
    """Private names that a class with a base ``pytest.…`` defines."""
    return {
        name
        for node in _nodes(tree)
        if isinstance(node, ast.ClassDef)
        and any(ast.unparse(base).startswith(("pytest.", "_pytest.")) for base in node.bases)
        for name in _defined(node)
    }


@cache
def _pytest_attributes() -> frozenset[str]:
    spec = importlib.util.find_spec("_pytest")
    assert spec is not None
    assert spec.origin is not None
    pattern = re.compile(r"\.(_[a-zA-Z]\w*)|\bdef (_[a-zA-Z]\w*)")
    return frozenset(
        one or other
        for path in Path(spec.origin).parent.rglob("*.py")
        for one, other in pattern.findall(path.read_text())
    )


def exported(package: Path) -> list[str]:
    """The names in ``__all__`` of the package; without one, its version alone is public."""
    names = runpy.run_path(str(package / "__init__.py")).get("__all__", ["__version__"])
    return [str(name) for name in names]


def _comments(modules: Iterable[Module]) -> int:
    """Lines that hold a comment and nothing else."""
    return sum(
        token.type == tokenize.COMMENT and token.line.strip().startswith("#")
        for module in modules
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline)
    )


def short_docstrings(modules: Iterable[Module]) -> list[str]:
    """Where docstrings of one to four words stand."""
    return [
        f"{module.name}:{getattr(node, 'lineno', 1)}"
        for module in modules
        for node in module.nodes(ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        if isinstance(node, ast.Module | Definition) and 0 < len((ast.get_docstring(node) or "").split()) < 5
    ]


def _files_per_folder(modules: Iterable[Module], package: Path) -> dict[str, int]:
    """How many modules each folder holds, but for those that may hold many; ``__init__`` is not counted."""
    counted = Counter(
        module.path.parent.relative_to(package.parent).as_posix()
        for module in modules
        if module.path.stem != "__init__"
    )
    many = {f"{package.name}/{name}" for name in MANY_FILES}
    return {folder: count for folder, count in counted.items() if folder not in many}


def table(rows: list[Row], before: list[Row] | None) -> str:
    """The rows as aligned text; with ``before``, their values from there in the second column."""
    columns = [["measure", *(row.what for row in rows)]]
    if before is not None:
        columns.append(["before", *(row.value for row in before)])
    columns.append(["now", *(row.value for row in rows)])
    columns.append(["target", *(row.target for row in rows)])
    columns.append(["", *({None: "", True: "met", False: "missed"}[row.met] for row in rows)])
    columns.append(["where", *(row.where for row in rows)])
    widths = [max(map(len, column)) for column in columns]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    )


def package_folder(text: str) -> Path:
    """The folder of a package: the one that is named, or ``pytest_lok`` in it; an error of argparse else."""
    named = Path(text)
    for folder in (named, named / PACKAGE.name):
        if (folder / "__init__.py").is_file():
            return folder
    raise argparse.ArgumentTypeError(f"{text} is no package, and holds no {PACKAGE.name}")


def main(arguments: list[str] | None = None) -> int:
    """Print the table; 1 if a target is missed and ``--strict`` asks to say so."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure", description=__doc__)
    parser.add_argument(
        "package", nargs="?", type=package_folder, default=PACKAGE, help="default: pytest_lok"
    )
    parser.add_argument(
        "--before", type=package_folder, metavar="PACKAGE", help="the package as it was, or its checkout"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 if a target is missed")
    options = parser.parse_args(arguments)
    before = measure(options.before) if options.before else None
    lines_before = sum(module.lines for module in modules_of(options.before)) if options.before else None
    rows = measure(options.package, lines_before=lines_before)
    print(table(rows, before))
    return 1 if options.strict and any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
