from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from pytest_lok.core.edits.verification import Verification, is_test, verification

TREE = {
    "Makefile": "T = tools\ntest:\n\t@sh scripts/check.sh\nlint:\n\truff check src\nindirect:\n\t$(T)/check\n",
    "scripts/check.sh": "#!/bin/sh\npython checks/run.py\n",
    "package.json": '{"scripts": {"lint": "eslint src", "test": "jest", "pretest": "node tool/prepare.js"}}',
    "app/__init__.py": "",
    "scripts/root.sh": '"$ROOT/tools/check"\n. "$(dirname "$0")/lib"\n',
    "scripts/all.sh": 'for f in lib/*; do . "$f"; done\n',
    "sub/Makefile": "include rules\ntest:\n\ttrue\n",
    "tools/rules": "all:\n\ttrue\n",
    "pytest.ini": "[pytest]\npython_files = t_*.py\n  u_*.py\naddopts = -q\n",
    "src/documented.py": '"""Doubles.\n\n>>> f(1)\n2\n"""\n',
    "bin/start": "#!/usr/bin/env bash\n",
    "cli.py": "#!/usr/bin/env python3\n",
    "tool/reads.py": "import json\nfrom yaml import load\n",
}


def decided(command: str, path: str) -> bool:
    def read(name: str) -> bytes | None:
        if name.endswith("/"):
            raise ValueError("is no file")
        return TREE[name].encode() if name in TREE else None

    return verified(command, read).decides(path) is not None


def verified(command: str, read: Callable[[str], bytes | None]) -> Verification:
    return verification(command, read, who="`verify`", installed=sys.stdlib_module_names.__contains__)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("make test", "scripts/check.sh"),
        ("make test", "checks/run.py"),
        ("make -f other.mk", "tests/a.py"),
        ("npm test", "src/app.test.js"),
        ("npm test", "tool/prepare.js"),
        ("npm run unknown", "src/app.test.js"),
        ("pytest -q", "tests/data/a.json"),
        ("cargo test", "tests/x.rs"),
        ("go test ./...", "a_test.go"),
        ("timeout 60 uv run pytest", "test_a.py"),
        (".venv/bin/pytest", "tests/x.py"),
        ("ruff check --config conf/r.toml src", "conf/r.toml"),
        ("ruff check --config=conf/r.toml src", "conf/r.toml"),
        ("grep -f words.txt a.txt", "words.txt"),
        ("python attack.py", "attack.py"),
        ("sh -c 'python x.py'", "x.py"),
        ("cd sub && ./go.sh", "sub/go.sh"),
        ("PATH=. X=1 ./go.sh", "go.sh"),
        ("python - < x.py", "x.py"),
        ("cat x.py | python", "x.py"),
        ('sh -c "$(cat x.sh)"', "x.sh"),
        ("find . -name x.py -exec python {} +", "x.py"),
        ("node tool", "tool/index.js"),
        ("python tool", "tool/__main__.py"),
        ("it's not closed x.py", "x.py"),
        ("python -m unittest", "random.py"),
        ("python -m pytest", "pytest/__init__.py"),
        ("if true; then sh X.SH; fi", "x.sh"),
        ("pytest checks/api.py::test_a", "checks/api.py"),
        ("cd tools && ./check", "tools/check"),
        ("(cd tools && sh check)", "tools/check"),
        ("make indirect", "tools/check"),
        ("make -C sub test", "sub/rules"),
        ("make -C tools -f rules", "tools/rules"),
        ("sh scripts/root.sh", "tools/check"),
        ("sh scripts/root.sh", "scripts/lib"),
        ("sh scripts/all.sh", "lib/anything"),
        ("X=tools/check; $X", "tools/check"),
        ("X=tools; $X/check", "tools/check"),
        ("PATH=$PWD/bin:$PATH check", "bin/check"),
        ("env -C tools ./check", "tools/check"),
        ("for f in tools/*; do $f || exit 1; done", "tools/anything"),
        ("tools/ch*", "tools/check"),
        ("find tools -type f", "tools/deep/any"),
        ("run-parts tools", "tools/any"),
        ("python -m tools.check", "tools/check.py"),
        ("python -m check", "check.py"),
        ("python -m unittest checks.t", "checks/t.py"),
        ("python -m pytest checks", "checks/t_x.py"),
        ("python -m pytest --doctest-modules", "src/documented.py"),
        ("unknown-runner", "bin/start"),
        ("python tool/reads.py", "yaml.py"),
    ],
)
def test_what_a_verification_runs_or_is_told_by(command: str, path: str) -> None:
    assert decided(command, path)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("make test", "src/app.py"),
        ("make indirect", "src/app.py"),
        ("npm run lint", "src/app.test.js"),
        ("pytest -q --cov=src", "src/app.py"),
        ("pytest src", "src/app.py"),
        ("python attack.py", "app.py"),
        ("grep -q TWO a.txt", "a.txt"),
        ("test -f a.txt && cat a.txt", "a.txt"),
        ("ruff check . && mypy .", "tests/a.py"),
        ("uv run ruff check a.py", "a.py"),
        ("python -m py_compile a.py", "a.py"),
        ("cargo clippy --all-targets -- -D warnings && cargo build", "tests/x.rs"),
        ("go vet ./... && go build ./...", "a_test.go"),
        ("bash -n x.sh", "x.sh"),
        ("node --check a.js", "a.js"),
        ("python -m unittest", "app/random.py"),
        ("exit 7", "tests/a.py"),
        ("python -m pytest", "cli.py"),
        ("git add -A && git commit -m x && gh pr create --fill", "tests/a.py"),
        ("python tool/reads.py", "toml.py"),
        ("sh scripts/root.sh", "src/app.py"),
        ("gh pr comment 1 --body 'It `works`:\n**yes** *x*'", "app.py"),
        ('git commit -m "$(cat note)" && echo **yes**', "app.py"),
        ("", "tests/a.py"),
    ],
)
def test_what_it_only_looks_at(command: str, path: str) -> None:
    assert not decided(command, path)


def test_a_long_script_is_taken_to_run_whatever_it_names() -> None:
    lines = "\n".join(f"true {number}" for number in range(1_000))
    assert verified("sh a.sh", lambda path: lines.encode() if path == "a.sh" else None).tests


@pytest.mark.parametrize(
    "path", ["test/a.c", "a/Tests/b.json", "x_test.go", "a.spec.ts", "FooTest.java", "tests.py"]
)
def test_tests_are_known_by_their_names(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize(
    "path", ["latest.py", "contest/a.py", "Latest.java", "src/testing/api.py", "attestation.go"]
)
def test_other_names_are_none(path: str) -> None:
    assert not is_test(path)
