"""Random modules that import each other in random forms: Python itself says which files it takes in."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.edits.imports import imported_files
from tests.fuzz import examples

MODULES = ["one", "two", "three", "box", "box.one", "box.four", "box.deep", "box.deep.five"]
PACKAGES = {"box", "box.deep"}
FORMS = [
    "import {whole}",
    "import os, {whole} as it",
    "from {parent} import {name}",
    "from {parent} import (\\\n    {name} as it,\n)",
    "try:\n    import {whole}\nexcept ImportError:\n    pass",
    "def f():\n    from {whole} import x\nf()",
    "import importlib; importlib.import_module({whole!r})",
    "from importlib import import_module as load; load({whole!r})",
    "__import__({whole!r})",
    "x = {whole!r}; __import__(x)",
    "exec('import {whole}')",
    "import sys; sys.path.append('box'); import {name}",
    "from .{name} import x",
    "from . import {name}",
    "from ..{name} import x",
    "import runpy; runpy.run_module({whole!r})",
]
LISTED = """
import runpy, sys
sys.path[0] = {home!r}
try:
    runpy.run_path({script!r}, run_name="__main__")
except BaseException:
    pass
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", None))
"""


def file_of(module: str) -> str:
    return module.replace(".", "/") + ("/__init__.py" if module in PACKAGES else ".py")


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """Files by their path; ``main.py`` is the script."""
    tree = {}
    for module in ["main", *MODULES]:
        lines = ["x = 1"]
        for form in draw(st.lists(st.sampled_from(FORMS), max_size=2, min_size=module == "main")):
            whole = draw(st.sampled_from(MODULES))
            parent, _, name = whole.rpartition(".")
            said = form.format(whole=whole, parent=parent or whole, name=name if parent else whole)
            lines.append(
                f"try:\n    {said.replace(chr(10), chr(10) + '    ')}\nexcept ImportError:\n    pass"
            )
        tree[file_of(module)] = "\n".join(lines) + "\n"
    return tree


@settings(max_examples=examples(40), deadline=None)
@given(tree=trees(), inside=st.sampled_from(["", "tool/"]))
def test_whatever_python_takes_in_is_found(tree: dict[str, str], inside: str) -> None:
    files = {f"{inside}{name}": text.encode() for name, text in tree.items()}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        code = LISTED.format(home=str(root / inside), script=str(root / inside / "main.py"))
        command = [sys.executable, "-I", "-S", "-B", "-c", code]
        said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        really = {
            str(Path(line).relative_to(root)) for line in said.splitlines() if line.startswith(f"{root}/")
        }
    found = imported_files(f"{inside}main.py", files.get)
    whole = inside or "/"
    missed = set() if whole in found else really - found
    assert not missed
