"""The public face: a pinned list of names, imported when they are used, and the only ones that our pages show."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_lok
import pytest_lok.testing

ROOT = Path(__file__).parents[1]
NAMES = {
    *("Backend", "BackendError", "BackendFault", "BackendSetup", "Prompt", "Reply", "Usage", "hookimpl"),
    *("Scripted", "ScriptedReply", "Lok", "Settings"),
    *("Finding", "ItemResult", "Outcome", "Refusal", "RunResult", "Section", "StepResult", "Verdict"),
    *("LokError", "PlanError", "PlatformError", "Problem", "SettingsError", "UsageError", "WorkflowError"),
}
FOR_TESTS = {"ContractCase", "MakeBackend", "ask", "expect_error", "run_async"}


def test_the_list_is_pinned() -> None:
    assert sorted(pytest_lok.__all__) == sorted(NAMES | {"__version__"})
    assert sorted(pytest_lok.testing.__all__) == sorted(FOR_TESTS)
    assert set(dir(pytest_lok)) >= NAMES


@pytest.mark.parametrize(
    ("module", "name"),
    [*((pytest_lok, name) for name in sorted(NAMES)), *((pytest_lok.testing, n) for n in sorted(FOR_TESTS))],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_every_name_is_there_and_says_what_it_is(module: object, name: str) -> None:
    found = getattr(module, name)
    assert getattr(found, "__name__", name) == name
    assert len((found.__doc__ or "").split()) >= 5


def test_every_name_has_one_home() -> None:
    homes = [name for names in pytest_lok._HOMES.values() for name in names.split()]
    assert sorted(homes) == sorted(NAMES | {"__version__"})


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'pytest_lok' has no attribute 'Nothing'"):
        pytest_lok.Nothing  # type: ignore[attr-defined]  # noqa: B018 - that is what is tried


def loaded_by(code: str) -> set[str]:
    """What a process of its own has imported after the code, and had not before."""
    spy = f"import sys; before = set(sys.modules); {code}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", spy], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_of_it_and_of_others() -> None:
    loaded = loaded_by("import pytest_lok")
    assert {name for name in loaded if name.startswith("pytest_lok")} == {"pytest_lok"}
    assert not {name.partition(".")[0] for name in loaded} - {"pytest_lok", *sys.stdlib_module_names}


@pytest.mark.parametrize(
    ("name", "heavy"),
    [
        ("BackendError", {"pydantic", "pytest", "jinja2", "asyncio"}),
        ("Reply", {"pytest", "jinja2", "asyncio", "httpx"}),
        ("hookimpl", {"pydantic", "pytest", "jinja2", "asyncio"}),
    ],
)
def test_a_name_brings_what_it_needs_and_no_more(name: str, heavy: set[str]) -> None:
    assert not loaded_by(f"from pytest_lok import {name}") & heavy


def shown_to_users() -> Iterator[tuple[Path, str]]:
    """README, pages, demo and examples: everything that a user may copy."""
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        yield path, path.read_text()
    for folder in ("demo", "examples", "workflows"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".toml"):
                yield path, path.read_text()


def test_pages_and_demo_show_public_names_alone() -> None:
    found = [(path, found) for path, text in shown_to_users() for found in imports(text)]
    private = [
        f"{path.name}: {module} {name}" for path, (module, name) in found if not is_public(module, name)
    ]
    assert private == []
    assert {path.name for path, _ in found} >= {"README.md", "backends.md"}


def imports(text: str) -> Iterator[tuple[str, str]]:
    """Every module and name of ours that is imported, or spoken of as an attribute."""
    for module, names in re.findall(r"from (pytest_lok[\w.]*) import \(?([\w, \n*]+)", text):
        yield from ((module, name.strip()) for name in names.split("\n\n")[0].split(",") if name.strip())
    yield from ((module, "") for module in re.findall(r"^\s*import (pytest_lok[\w.]*)", text, re.M))
    for dotted in re.findall(r"`(pytest_lok\.[\w.]+)`", text):
        module, _, name = dotted.rpartition(".")
        yield ("pytest_lok.testing", "") if dotted == "pytest_lok.testing" else (module, name)


def is_public(module: str, name: str) -> bool:
    if module == "pytest_lok":
        return name in {"", *pytest_lok.__all__}
    if module == "pytest_lok.testing":
        return name in {"", "contract", *FOR_TESTS}
    return (module, name) in {("pytest_lok.testing.contract", ""), ("pytest_lok.testing.contract", "*")}


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("from pytest_lok import Reply, hookimpl", True),
        ("from pytest_lok.testing.contract import *", True),
        ("import pytest_lok", True),
        ("from pytest_lok.core.results import Reply", False),
        ("from pytest_lok import core", False),
        ("import pytest_lok.errors", False),
        ("`usage` is a `pytest_lok.Usage`", True),
        ("`usage` is a `pytest_lok.core.results.Usage`", False),
    ],
)
def test_how_the_pages_are_read(text: str, public: bool) -> None:
    found = list(imports(text))
    assert found
    assert all(is_public(*one) for one in found) is public


def test_the_pages_list_every_public_name() -> None:
    section = (ROOT / "docs" / "backends.md").read_text().split("## What is public")[1].split("\n## ")[0]
    assert set(re.findall(r"\w+", section)) >= NAMES | FOR_TESTS
