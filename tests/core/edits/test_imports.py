"""Which files a script takes in, by its text alone."""

from __future__ import annotations

import pytest

from pytest_lok.core.edits.imports import imported_files

TREE = {
    "a.py": "import b, os as system\nfrom p.q import r\n",
    "b.py": "",
    "p/__init__.py": "from . import s",
    "p/q.py": "",
    "p/s.py": "if True:\n    from .t import *\n",
    "p/t.py": "import a",
    "t.py": "",
    "tool/run.py": "import near, t",
    "tool/near.py": "from tool.far import x",
    "tool/far.py": "",
    "tool/named.py": "__import__('near')",
    "tool/path.py": "import runpy\nrunpy.run_path('far.py')",
    "tool/run": "#!/usr/bin/env python3\nimport near",
    "tool/computed.py": "__import__('ne' + 'ar')",
    "tool/broken.py": "import near, (",
    "tool/code.py": "exec(open('far.py').read())",
    "tool/elsewhere.py": "import sys\nsys.path.insert(0, 'x')",
    "top.py": "import sys\nsys.path.insert(0, 'x')",
    "js/check.js": "const ok = require('./lib/ok'); import x from './y.js'; require('fs')",
    "js/lib/ok/index.js": "",
    "js/y.js": "import \"../js/z\"; import '../b.js'",
    "js/z.js": "",
    "b.js": "",
    "js/any.js": "require(name)",
    "rb/check.rb": "require_relative 'rules'",
    "rb/rules.rb": "",
}


def read(path: str) -> bytes | None:
    return TREE[path].encode() if path in TREE else None


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("a.py", {"b.py", "p/__init__.py", "p/q.py", "p/s.py", "p/t.py"}),
        ("tool/run.py", {"tool/near.py", "tool/far.py"}),
        ("tool/run", {"tool/near.py", "tool/far.py"}),
        ("tool/named.py", {"tool/near.py", "tool/far.py"}),
        ("tool/path.py", {"tool/far.py"}),
        ("tool/computed.py", {"tool/"}),
        ("tool/broken.py", {"tool/"}),
        ("tool/code.py", {"tool/"}),
        ("tool/elsewhere.py", {"tool/"}),
        ("top.py", {"/"}),
        ("js/check.js", {"js/lib/ok/index.js", "js/y.js", "js/z.js"}),
        ("js/any.js", {"js/"}),
        ("rb/check.rb", {"rb/rules.rb"}),
        ("b.py", set()),
    ],
)
def test_what_a_script_takes_in(script: str, files: set[str]) -> None:
    assert imported_files(script, read) == {script, *files}


def test_what_is_not_there_takes_nothing_in() -> None:
    assert imported_files("gone.py", read) == {"gone.py"}
