"""Files of a change -> a finding for each that decides what lok, pytest, CI or an agent does with changes.

Under `lok gate` the base's version of these files rules. But the change brings another one, which rules as
soon as it is merged, so a person has to look at it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import tomli

from pytest_lok.core.edits.protected_names import decides_about_changes, fold_name
from pytest_lok.core.findings.diffs import changed_lines, lines_of
from pytest_lok.core.findings.evidence import fingerprint
from pytest_lok.core.findings.gate import headlines
from pytest_lok.core.results import Finding, Outcome, StepResult
from pytest_lok.core.templates.template import Template
from pytest_lok.core.text.words import words
from pytest_lok.core.workflow.model import Rule, Shell, Step, Workflow
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

RULE = "lok/configuration-changed"
"""The rule of these findings."""

RULES: Mapping[str, Rule] = {
    RULE: Rule(
        severity="critical",
        description="The change edits what decides about changes: workflows and settings of lok, the "
        "configuration of pytest, CI or an agent, a link, a submodule, or a module that would be imported "
        "instead of an installed one. The version of the base was used. A person has to review this file.",
    )
}
"""The rules of lok's own findings."""

STEP = "configuration"
"""The name of the step that tells of them, unless the workflow has a step of that name."""

# of hidden files, those that decide nothing about a change
_HARMLESS = late_regex(
    r"(.*/)?\.(gitignore|editorconfig|mailmap|git-blame-ignore-revs|python-version|nvmrc)"
    r"|\.github/(issue|pull_request|discussion)_template(/[^./][^/]*\.(md|ya?ml)|\.md)"
    r"|\.github/(funding|dependabot|release)\.ya?ml"
    r"|\.github/(changelog|code[_-]of[_-]conduct|contributing|governance|readme|security|support)\.md"
)
_ACTION = late_regex(r"(.*/)?action\.ya?ml|\.?ci/.*")
_TABLES: Mapping[str, Callable[[str], Any]] = {
    "pyproject.toml": lambda text: _toml_tables(text),
    "setup.cfg": lambda text: _ini_section(text, "tool:pytest"),
    "tox.ini": lambda text: _ini_section(text, "pytest"),
}
"""Files of which only some tables are about pytest and lok, and what reads those."""

_IMPORTED = words("""
    _pytest _yaml anyio attr attrs botocore certifi click execnet h11 httpcore httpx idna iniconfig jinja2
    jsonschema jsonschema_specifications markdown_it markupsafe mdurl packaging pip pkg_resources pluggy py
    pydantic pygments pytest pytest_lok referencing regex rich rpds setuptools sniffio tomli tomli_w
    typing_extensions wheel xdist yaml
""")
_MODULE_ENDINGS = (".py", ".so", ".pyd")
_SHADOWED = (_IMPORTED | sys.stdlib_module_names) - words("antigravity test this")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedFile:
    """A file of a change: its git modes ("" = not there) and contents (None = not there, or not readable).

    ``path`` is that of the repository, ``shown`` the same as the project names it.
    """

    path: str
    shown: str = ""
    mode_before: str = ""
    mode_after: str = ""
    before: bytes | None = None
    after: bytes | None = None


def decision_of(file: ChangedFile) -> str | None:
    """What the file decides, by its name and kind; None if it decides nothing about changes.

    The contents are not looked at: see ``decision_in``.
    """
    if file.mode_after == "120000":
        return "it is a symbolic link, and what it leads to is no part of the change"
    if file.mode_after == "160000":
        return "it is a submodule, and what is in it is no part of the change"
    name = fold_name(file.path)
    if name.startswith(".lok/"):
        return "lok reads it: workflows, prompts, the baseline, recorded answers"
    if _HARMLESS.fullmatch(name):
        # orders for agents are obeyed in every directory, also in one whose files are read by people
        own_name = name.rpartition("/")[2]
        return None if own_name.startswith(".") else decides_about_changes(own_name)
    if _ACTION.fullmatch(name):
        return "a CI service runs it"
    return decides_about_changes(file.path) or _shadowing(file)


def decision_in(file: ChangedFile) -> str | None:
    """What the file decides by what the change does to it; None if that is nothing about changes."""
    return None if _same_tables(file) else decision_of(file)


def configuration_finding(file: ChangedFile, why: str) -> Finding:
    """The finding about a changed file, and what it decides."""
    line, quote, removed = _first_difference(file)
    path = file.shown or file.path
    return Finding(
        rule_id=RULE,
        title=f"the change edits {path}: {why}",
        message="The gate used the base's version of this file. As soon as the change is merged, this "
        "version decides about the changes that follow. A person has to review it.",
        severity="critical",
        confidence=1.0,
        path=path,
        line=line,
        end_line=line,
        evidence=quote,
        evidence_found=True,
        removed=removed,
        in_diff=True,
        file_changed=True,
        fingerprint=fingerprint(
            RULE, path, repr((file.mode_before, file.mode_after, file.before, file.after))
        ),
    )


def configuration_step(workflow: Workflow, findings: Sequence[Finding]) -> tuple[Step, StepResult]:
    """The step that tells of them, and its result: failed, or skipped where they are only reported."""
    names = {step.name for step in workflow.steps}
    name = STEP
    while name in names:
        name += "-"
    step = Step(name=name, action=Shell(argv=(Template.literal("true"),)), path=workflow.path)
    blocks = workflow.untrusted is None or workflow.untrusted.configuration == "block"
    judged = tuple(replace(it, standing="blocks" if blocks else "minor") for it in findings)
    files = "files decide" if len(judged) > 1 else "file decides"
    reason = f"{len(judged)} changed {files} about changes, and a person has to review this:"
    if not blocks:
        reason = f'{len(judged)} changed {files} about changes (configuration = "report"):'
    return step, StepResult(
        name=name,
        outcome=Outcome.FAILED if blocks else Outcome.SKIPPED,
        reason=f"{reason}\n{headlines(judged)}",
        hint="review these files by hand, and merge in spite of this, or in a change of their own" * blocks,
        findings=judged,
        attempts=1 if blocks else 0,
    )


def _shadowing(file: ChangedFile) -> str | None:
    """Why a new module at the root would be imported instead of an installed one, None if it would not."""
    if file.mode_before or not file.mode_after:
        return None
    first, _, rest = (file.shown or file.path).partition("/")
    if not fold_name(rest or first).endswith(_MODULE_ENDINGS):
        return None
    # `x.cpython-313-darwin.so` and `x.abi3.so` are the module x
    module = first if rest else first.partition(".")[0]
    if fold_name(module) not in _SHADOWED:
        return None
    return f"a module `{module}` here is imported instead of the one that is installed"


def _same_tables(file: ChangedFile) -> bool:
    """Whether of a file with many tables those about pytest and lok say the same before and after."""
    read = _TABLES.get(file.path.rpartition("/")[2])
    # a new one counts: pytest may take it for its configuration instead of another file
    if read is None or file.before is None or file.after is None or file.mode_after != file.mode_before:
        return False
    try:
        return bool(read(file.before.decode()) == read(file.after.decode()))
    except (ValueError, RecursionError):
        return False


def _toml_tables(text: str) -> Any:
    tool = tomli.loads(text).get("tool", {})
    return repr([tool.get(name) for name in ("pytest", "lok")]) if isinstance(tool, dict) else ""


def _ini_section(text: str, name: str) -> Any:
    import configparser

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(str(error)) from error
    return {key: dict(parser[key]) for key in parser if key.strip() == name}


def _first_difference(file: ChangedFile) -> tuple[int, str, bool]:
    """The number and text of the first line that is added, or removed if none is, and whether it is gone."""
    changes = changed_lines(file.before, file.after)
    content, at, removed = b"", 1, False
    if changes.added:
        content, at = file.after or b"", changes.added[0][0]
    elif changes.removed:
        content, at, removed = file.before or b"", changes.removed[0].first, True
    lines = lines_of(content)
    line = lines[at - 1].decode("utf-8", "replace").strip() if at <= len(lines) else ""
    return at, line[:500], removed
