"""`python -m tools.rooms`: write the tables of docs/architecture.md from the docstrings, one row per module.

A room is a package. The first sentence of a docstring says what the room or the module is. A test holds the
page against the code.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_lok"
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- rooms: written by `make rooms` -->", "<!-- end of rooms -->"


def summary(file: Path) -> str:
    """The first paragraph of a module's docstring as Markdown on one line; "" without one."""
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    first = " ".join(docstring.split("\n\n")[0].split())
    return first.replace("``", "`").replace("->", "→").replace("|", "\\|")


def rooms() -> str:
    """The tables of all rooms, the package itself first."""
    return "\n".join(line for room in _packages(PACKAGE) for line in _table(room))


def page(text: str) -> str:
    """The page with its tables written anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{rooms()}\n{END}{rest.partition(END)[2]}"


def _packages(room: Path) -> Iterator[Path]:
    yield room
    for inner in sorted(path.parent for path in room.glob("*/__init__.py")):
        yield from _packages(inner)


def _table(room: Path) -> Iterator[str]:
    modules = sorted(path for path in room.glob("*.py") if path.name != "__init__.py")
    yield f"### `{room.relative_to(ROOT)}/`\n"
    yield f"{summary(room / '__init__.py')}\n"
    if modules:
        yield "| module | what it is |\n|---|---|"
        yield from (f"| `{path.stem}` | {summary(path)} |" for path in modules)
        yield ""


def main() -> int:
    """Write the page; an error where the marks around its tables are gone."""
    text = PAGE.read_text()
    if not re.search(f"{re.escape(BEGIN)}.*{re.escape(END)}", text, re.DOTALL):
        sys.exit(f"{PAGE}: the marks around the tables are gone: {BEGIN} … {END}")
    PAGE.write_text(page(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
