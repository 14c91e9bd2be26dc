"""Which files of a change decide about changes, and what is said of them."""

from __future__ import annotations

import pytest

from pytest_lok.core.findings.configuration import (
    RULE,
    ChangedFile,
    configuration_finding,
    configuration_step,
    decision_in,
)
from pytest_lok.core.results import Outcome
from pytest_lok.core.workflow.model import UntrustedChanges, Workflow

FILE, LINK, MODULE = "100644", "120000", "160000"


def changed(path: str, before: str | None, after: str | None, **more: str) -> ChangedFile:
    sides = {side: None if text is None else text.encode() for side, text in (("b", before), ("a", after))}
    modes = {
        "mode_before": FILE if before is not None else "",
        "mode_after": FILE if after is not None else "",
    }
    return ChangedFile(path=path, before=sides["b"], after=sides["a"], **(modes | more))


PYTEST = '[tool.pytest.ini_options]\naddopts = "-q"\n'
LOK = '[tool.lok.defaults]\nbackend = "a"\n'


@pytest.mark.parametrize(
    ("path", "before", "after", "decides"),
    [
        (
            "pyproject.toml",
            f'[project]\nversion = "1"\n{PYTEST}',
            f'[project]\nversion = "2"\n{PYTEST}',
            False,
        ),
        ("pyproject.toml", f"{PYTEST}{LOK}", f"{LOK}{PYTEST}", False),
        ("pyproject.toml", PYTEST, PYTEST.replace("-q", "-p evil"), True),
        ("pyproject.toml", LOK, LOK.replace('"a"', '"b"'), True),
        ("pyproject.toml", LOK, "", True),
        ("pyproject.toml", "", "[tool", True),
        ("pyproject.toml", "tool = 1", "tool = 2", False),
        ("pyproject.toml", "", "[tool.pytest]\nx = 1", True),
        ("pyproject.toml", None, "[project]\n", True),
        ("pyproject.toml", "[project]\n", None, True),
        ("sub/pyproject.toml", "", '[tool.lok]\n[project]\nname = "x"', True),
        ("setup.cfg", "[metadata]\nname = a\n", "[metadata]\nname = b\n", False),
        ("setup.cfg", "[tool:pytest]\naddopts = -q\n", "[tool:pytest]\naddopts = -p evil\n", True),
        ("setup.cfg", "[metadata]\n", "not an ini", True),
        ("tox.ini", "[tox]\n", "[tox]\nx = 1\n", False),
        ("tox.ini", "[tox]\n", "[tox]\n[pytest]\naddopts = -p evil\n", True),
        ("conftest.py", "", None, True),
        ("a/b/CONFTEST.PY", None, "", True),
        ("requirements.txt", "a", "b", False),
        ("src/app.py", "a", "b", False),
        (".github/ISSUE_TEMPLATE/bug.md", None, "x", False),
        (".github/dependabot.yml", None, "x", False),
        (".github/SECURITY.md", None, "x", False),
        (".github/copilot-instructions.md", None, "x", True),
        (".github/Agents.md", None, "x", True),
        (".github/orders.md", None, "x", True),
        (".github/ISSUE_TEMPLATE/AGENTS.md", None, "x", True),
        (".github/PULL_REQUEST_TEMPLATE/conftest.py", None, "x", True),
        (".github/ISSUE_TEMPLATE/.claude/settings.json", None, "x", True),
        (".github/ISSUE_TEMPLATE/.cursorrules", None, "x", True),
        (".github/workflows/dependabot.yml", None, "x", True),
        (".gitignore", None, "x", False),
        ("sub/.gitattributes", None, "x", True),
    ],
)
def test_by_name_and_by_tables(path: str, before: str | None, after: str | None, decides: bool) -> None:
    assert (decision_in(changed(path, before, after)) is not None) == decides


def test_a_module_shadows_only_as_a_new_one_at_the_root_of_the_project() -> None:
    assert decision_in(changed("jinja2.py", None, ""))
    assert decision_in(changed("Json/__init__.py", None, ""))
    assert decision_in(changed("jinja2.abi3.so", None, ""))
    assert decision_in(changed("JSON.cpython-313-x86_64-linux-gnu.so", None, ""))
    assert decision_in(changed("yaml/__init__.pyd", None, ""))
    assert decision_in(changed("app.abi3.so", None, "")) is None
    assert decision_in(changed("json.txt", None, "")) is None
    assert decision_in(changed("jinja2.py", "", "x")) is None
    assert decision_in(changed("src/jinja2.py", None, "")) is None
    assert decision_in(changed("json/data.txt", None, "")) is None
    assert decision_in(changed("sub/jinja2.py", None, "", shown="jinja2.py"))


def test_links_and_submodules_decide_whatever_their_name() -> None:
    assert "symbolic link" in (decision_in(changed("docs/a.md", "x", "y", mode_after=LINK)) or "")
    assert "submodule" in (decision_in(changed("vendor", None, None, mode_after=MODULE)) or "")
    assert decision_in(changed("docs/a.md", "x", None, mode_before=LINK)) is None
    # a file of tables that becomes a link is no file of tables any more
    assert decision_in(changed("pyproject.toml", PYTEST, PYTEST, mode_after=LINK))


@pytest.mark.parametrize(
    ("before", "after", "line", "quote", "removed"),
    [
        ("a\nb\n", "a\nc\n", 2, "c", False),
        ("a\nb\n", "a\n", 2, "b", True),
        (None, "", 1, "", False),
        ("a\n", None, 1, "a", True),
        (None, None, 1, "", False),
    ],
)
def test_it_points_at_the_first_difference(
    before: str | None, after: str | None, line: int, quote: str, removed: bool
) -> None:
    found = configuration_finding(changed("conftest.py", before, after), "why")
    assert (found.line, found.evidence, found.removed, found.rule_id) == (line, quote, removed, RULE)


def test_the_fingerprint_is_about_all_of_the_file() -> None:
    """Nobody who accepts one version accepts another one that begins alike."""
    one, other = (
        configuration_finding(changed("conftest.py", "", f"import x\n{rest}"), "why").fingerprint
        for rest in ("", "import evil\n")
    )
    assert one != other


def test_the_step_blocks_or_is_skipped() -> None:
    finding = configuration_finding(changed("conftest.py", None, "x"), "why")
    for said, outcome, standing in (
        ("block", Outcome.FAILED, "blocks"),
        ("report", Outcome.SKIPPED, "minor"),
    ):
        untrusted = UntrustedChanges(configuration=said)  # type: ignore[arg-type]
        workflow = Workflow(stem="w", name="w", steps=(), untrusted=untrusted)
        step, result = configuration_step(workflow, [finding])
        assert (step.name, result.outcome) == ("configuration", outcome)
        assert result.findings
        assert [it.standing for it in result.findings] == [standing]
        assert "conftest.py" in result.reason
