"""The tables of a workflow file: every key with its type, its default, and what editors say of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pytest_lok.core.results import Severity
from pytest_lok.core.toml.fields import (
    Check,
    FiniteNumber,
    Fraction,
    MisfitError,
    Positive,
    PositiveNumber,
    Table,
    key,
)
from pytest_lok.core.value_types import TypeName
from pytest_lok.core.workflow.step_document import Quorum, StepDocument, Timeout


class ArgumentDocument(Table, title="Argument"):
    """A declared argument: `lok NAME --focus auth`, and `arg.focus` in templates."""

    description: str = key("", description="Shown by `lok NAME --help`.")
    type: TypeName | None = key(None, description="What its values are; without it they are texts.")
    default: str | bool | int | float | list[str] | None = key(
        None, description="Value where none is given. true or false makes it a switch."
    )
    required: bool = key(False, description="Nothing runs without a value.")
    choices: list[str | int | float] = key([], description="The only values allowed; of a list, its items.")
    position: Positive | None = key(None, description="1 = the first positional value.")
    min: int | FiniteNumber | None = key(None, description="The least number allowed.")
    max: int | FiniteNumber | None = key(None, description="The greatest number allowed.")
    pattern: str | None = key(
        None, description="Regular expression that the whole text matches; of a list, each item."
    )


class RuleDocument(Table, title="Rule", required=["severity"]):
    """A rule that findings may name."""

    severity: Severity | None = key(None, description="How severe its findings are, give or take a step.")
    description: str = key("", description="What it forbids; whoever is asked reads it.")


class GateDocument(Table, title="Gate"):
    """When findings fail a step."""

    fail_on: Severity | Literal["never"] = key("high", description="The least severity that blocks.")
    min_confidence: Fraction = key(0.0, description="Findings below this confidence do not block.")
    scope: Literal["diff", "file", "all"] = key(
        "all", description="What may block: findings in changed lines, in changed files, or all."
    )
    baseline: Literal["new", "all"] = key(
        "all", description="Whether findings in the base's .lok/baseline.json block."
    )
    quorum: Quorum = key(1, description="How many of the backends asked must report a finding.")
    min_backends: Positive = key(1, description="How many backends must answer validly.")
    evidence: Literal["required", "warn", "report"] = key(
        "required",
        description="What a quote that is nowhere means: no ruling, the lines count, or it is only told.",
    )
    on_inconclusive: Literal["fail", "warn"] = key(
        "fail", description="What no ruling is: an error, or a soft one."
    )
    since: Literal["base", "reviewed"] = key(
        "base",
        description="What is asked about: all that changed since the base, or since it was reviewed before.",
    )


def _program(value: str) -> None:
    """Check the name of a program; with a directory it would be a file of the change."""
    if "/" in value or not value.strip():
        raise MisfitError("is no name of a program", 'a name that PATH finds, for example "ruff"')


class UntrustedDocument(Table, title="Untrusted changes"):
    """How `lok gate` judges a change that nobody trusts."""

    programs: list[Annotated[str, Check(_program)]] = key(
        [], description="Programs that may run in the tree of the change, beside those known to read only."
    )
    configuration: Literal["block", "report"] = key(
        "block", description="What a change of lok's, pytest's, CI's or an agent's configuration does."
    )


class BudgetDocument(Table, title="Budget"):
    """Limits of one run, checked before each call."""

    usd: PositiveNumber | None = key(None, description="Money.")
    tokens: Positive | None = key(None, description="Input plus output tokens.")
    calls: Positive | None = key(None, description="Calls of backends.")
    time: Timeout | None = key(None, description="Time since the run began.")


class WorkflowDocument(
    Table, title="pytest-lok workflow", anyOf=[{"required": ["steps"]}, {"required": ["extends"]}]
):
    """A workflow of pytest-lok: steps that ask language models or run commands."""

    name: str | None = key(None, description="Title; default: the file's stem.")
    description: str | None = key(None, description="Shown in lists, help and reports.")
    extends: str | None = key(None, description="A workflow whose steps and keys this one starts from.")
    timeout: Timeout | None = key(None, description="Default limit of one attempt of a step.")
    continue_on_error: bool | None = key(None, description="Default for every step.")
    collect: bool | None = key(None, description="Whether plain `pytest --lok` may run it.")
    allow_skip: bool | None = key(
        None,
        description="Whether a run in which each step was skipped by its own `when` is green in CI.",
    )
    tags: list[str] | None = key(None, description="Each becomes a pytest marker on every step.")
    max_parallel: Positive | None = key(None, description="Steps running at once.")
    exclusive: bool | None = key(
        None, description="Runs alone in its workspace. Default: where a step applies edits."
    )
    args: dict[str, ArgumentDocument] = key({}, description="Declared arguments, by name.")
    gate: GateDocument | None = key(None, description="What makes findings fail a step.")
    rules: dict[str, Severity | RuleDocument] = key(
        {}, description="The rules that findings may name, with their severity."
    )
    budget: BudgetDocument | None = key(None, description="Limits of one run.")
    untrusted: UntrustedDocument | None = key(
        None, description="How `lok gate` judges a change that nobody trusts."
    )
    outputs: dict[str, str] = key(
        {}, description="What a step that runs this workflow hands on, by name; the values are templates."
    )
    steps: list[StepDocument] = key([], description="What is done, in any order that dependencies allow.")


def schema() -> dict[str, Any]:
    """JSON Schema of a workflow file, for editors and ``lok schema``."""
    from pytest_lok.core.toml.editor_schema import schema_of

    return schema_of(WorkflowDocument)
