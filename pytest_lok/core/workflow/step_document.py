"""The tables of a step: every key with its type, its default, and what editors say of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pytest_lok.core.asking.answer_options import editor_schema_of_options
from pytest_lok.core.results import Json
from pytest_lok.core.toml.duration import MAX_SECONDS
from pytest_lok.core.toml.fields import (
    Bounds,
    Convert,
    Count,
    EditorSchema,
    MisfitError,
    Positive,
    PositiveNumber,
    Repetitions,
    Table,
    Times,
    key,
    time_limit,
)
from pytest_lok.late_regex import late_regex

NAME = r"[A-Za-z0-9_-]+"
VERIFY_PRESETS = ("rust", "go", "python", "node", "ruby")

MOST_ROUNDS = 100
"""Rounds of a loop: each of them may cost money."""

Delay = Annotated[int, Bounds(ge=0, le=int(MAX_SECONDS * 1000))]
Quorum = Positive | Literal["majority", "all"]


def _timeout(value: object) -> float:
    """A written timeout in seconds; whole numbers are milliseconds, and no limit is infinity."""
    seconds = time_limit(
        value,
        per_second=1000,
        wanted="whole milliseconds",
        example='for example "90s", "5m", or 0 for no limit',
        units="whole numbers are milliseconds",
    )
    if seconds < 0.1:
        slip = f'; did you mean seconds? timeout = "{value}s"' if isinstance(value, int) else ""
        raise MisfitError("is too short: less than 100 milliseconds", f"whole numbers are milliseconds{slip}")
    return seconds


Timeout = Annotated[
    float,
    Convert(_timeout),
    EditorSchema(
        {
            "description": 'Milliseconds, or "90s", "5m"; 0 = no limit.',
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}],
        }
    ),
]


_UNITS = {"": 1, "K": 1, "M": 2, "G": 3, "T": 4}
_MEMORY = late_regex(r"(\d+(?:\.\d+)?) ?([KMGT])(i?)B")


def _bytes(value: object) -> int:
    """A written size in bytes: 8GB is 8 * 1000 ** 3, and 8GiB is 8 * 1024 ** 3."""
    found = _MEMORY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise MisfitError("must be a size in quotes", 'for example "8GB" or "512MiB"')
    size = int(float(found[1]) * (1024 if found[3] else 1000) ** _UNITS[found[2]])
    if not 0 < size < 2**60:
        raise MisfitError("is no size that a machine has", 'for example "8GB"')
    return size


Memory = Annotated[
    int,
    Convert(_bytes),
    EditorSchema({"type": "string", "description": 'A size, such as "8GB" or "512MiB".'}),
]


class NeedsDocument(Table):
    """What a command needs of the place that it runs at, for itself alone."""

    cores: PositiveNumber = key(1.0, description="Processor cores.")
    memory: Memory | None = key(None, description='Main memory, such as "8GB".')


class AnyStep(Table):
    """What every step may say."""

    name: str = key(
        "",
        description="Unique in the workflow; letters, digits, _ and -.",
        schema={"pattern": rf"^{NAME}$"},
    )
    depends_on: list[str] | None = key(None, description="Steps that finish first. References count too.")
    when: str | None = key(None, description="Condition; where it is false the step is skipped.")
    if_: str | None = key(None, alias="if", description="The same as `when`.")
    timeout: Timeout | None = key(None, description="One attempt's limit.")
    retries: Times = key(
        0,
        description="More attempts: after transient trouble for an ask, after any failure for a shell step.",
    )
    retry_delay: Delay = key(1000, description="Milliseconds before the first retry; doubles, with jitter.")
    continue_on_error: bool | None = key(None, description="A failure or error becomes soft.")
    min_deps_success: Count | None = key(
        None, description="Run when at least this many of `depends_on` passed, even if others failed."
    )
    for_each: str | list[Json] | None = key(
        None, description="Run once per item of a JSON array: inline, `steps.X.output` or `steps.X.field`."
    )
    cases: str | list[dict[str, Json]] | None = key(
        None,
        description="A step for each: tables with a unique `name`, or the path of a .toml, .csv or .jsonl "
        "file (or of several, by * in its name), relative to this file.",
    )
    matrix: dict[str, list[str | int | float | bool]] | None = key(
        None,
        description='A step for each combination of these values, and of `cases`: { backend = ["a", "b"] }.',
    )
    max_parallel: Positive | None = key(None, description="Items of `for_each` running at once.")
    output_format: Literal["text", "json", "json_array", "jsonl", "lines", "findings"] | None = key(
        None, description="What the output must be. Default: text, or json where there is an output_schema."
    )
    output_schema: dict[str, Json] | str | None = key(
        None, description="JSON Schema the parsed output must satisfy: a table, or the path of a JSON file."
    )
    assert_: list[str] | None = key(
        None,
        alias="assert",
        description="Conditions over this step's output, json, cost, seconds; all must hold.",
    )
    on: str | None = key(
        None,
        description='Its command runs at a place of the fleet with this label; "here" = on this machine.',
    )
    needs: NeedsDocument | None = key(
        None, description="Its command runs at a place of the fleet that has this much free."
    )


class AskStep(Table):
    """What a step that asks may say: it has `prompt` or `prompt_file`."""

    prompt: str | None = key(None, description="What is asked; a template.")
    prompt_file: str | None = key(
        None, description="What is asked, in a file of its own: its path below .lok/prompts."
    )
    backend: str | list[str] | None = key(
        None, description='Who is asked: a name, "a, b", a list, or "auto" (routed by task).'
    )
    backends: str | list[str] | None = key(None, description="The same as `backend`.")
    model: str | None = key(None, description="Overrides the backend's model.")
    system: str | None = key(None, description="System prompt; a template.")
    system_file: str | None = key(
        None, description="System prompt, in a file of its own: its path below .lok/prompts."
    )
    options: dict[str, Any] | None = key(
        None,
        description="Options of the answer, such as temperature, and in a table named like a backend those "
        "of that backend alone. Its type says which it knows.",
        schema=editor_schema_of_options(of_step=True),
    )
    attach: str | list[str] | None = key(
        None,
        description="Files that go with the prompt, texts and images: paths, which are templates, patterns "
        "such as docs/*.md, or an expression such as item.files whose value is a list of paths.",
    )
    instructions: list[str] | None = key(
        None, description="Files of the project whose text follows the system prompt, such as AGENTS.md."
    )
    consensus: Literal["first", "fallback", "vote", "weighted_vote", "synthesis", "all"] | None = key(
        None, description="How several answers become one. Default: synthesis."
    )
    quorum: Quorum | None = key(
        None, description="How many of the backends must answer validly and, for votes, agree."
    )
    vote_on: str | None = key(None, description="JSON field that votes compare; default: the whole text.")
    weights: dict[str, PositiveNumber] | None = key(
        None, description="Weight of each backend in a weighted_vote."
    )
    synthesizer: str | None = key(None, description="Backend that makes one answer of several.")
    apply_edits: bool = key(False, description='Apply the answer\'s {"edits": [...]} as one transaction.')
    verify: str | bool | None = key(
        None,
        description="Command that must exit 0 afterwards; "
        'true = detect, false = off, or "rust", "go", "python", "node", "ruby".',
    )
    fix_retries: Times = key(
        0, description="After an answer that fails a check or has not its form: ask again, so often."
    )
    tools: dict[str, str] | None = key(
        None, description="What the answer may call instead: a description for each name. The output is JSON."
    )
    allow_empty: bool = key(False, description="An answer that changes nothing is done, not failed.")
    allow_paths: list[str] | None = key(None, description="Extra paths that edits may touch.")
    rollback: bool = key(True, description="On final failure restore every file.")
    repeat: Repetitions = key(1, description="Ask this many times.")
    pass_: Positive | None = key(
        None,
        alias="pass",
        description="How many of the repeated answers must pass every check; default: all.",
    )


class ShellStep(Table):
    """What a step that runs a command may say: it has `shell` or `argv`."""

    shell: str | None = key(None, description="Command for `sh -c`; a template whose values stay data.")
    argv: list[str] | None = key(None, description="Command without a shell; each item is a template.")
    stdin: str | None = key(None, description="The command's input; a template of any size.")
    env: dict[str, str] | None = key(None, description="Extra environment; the values are templates.")
    cwd: str | None = key(None, description="Directory inside the workspace; a template.")
    judges: bool = key(True, description="A non-zero exit is a no; false: an error, as nothing was judged.")
    pipefail: bool = key(False, description="A pipe fails with any of its commands; bash runs `shell`.")
    unsafe_shell: bool = key(False, description="Let text become shell code. Trust every value first.")
    effects: bool | None = key(
        None,
        description="It changes something outside of the project, and is never repeated unasked. "
        "Default: whether a command of it is `git push`, or a `gh` or `glab` that does not only read.",
    )
    artifacts: list[str] | None = key(
        None,
        description="Files that it makes, as patterns such as dist/*.whl: they are kept with the run, and "
        "come back from a place of the fleet.",
    )


class NestedStep(Table):
    """What a step that runs a workflow may say: it has `workflow`."""

    workflow: str | None = key(
        None, description="The workflow that the step runs: its name, or the path of a file beside this one."
    )
    with_: dict[str, str | bool | int | float | list[str]] | None = key(
        None, alias="with", description="Values of that workflow's arguments; texts are templates."
    )
    until: str | None = key(
        None, description="Condition after each round: where it is false the workflow is run again."
    )
    max_rounds: Annotated[int, Bounds(ge=1, le=MOST_ROUNDS)] | None = key(
        None, description="How many rounds `until` may take; more are an error."
    )
    stalled: Annotated[int, Bounds(ge=0, le=MOST_ROUNDS)] | None = key(
        None,
        description="So many rounds in a row that bring nothing new are an error. Default: 0, any number.",
    )


class ApproveStep(Table):
    """What a step that waits for a person may say: it has `approve`."""

    approve: str | None = key(
        None, description="The question to a person; a template. What depends on the step waits for a yes."
    )


class StepDocument(
    ApproveStep,
    NestedStep,
    ShellStep,
    AskStep,
    AnyStep,
    title="Step",
    required=["name"],
    oneOf=[{"required": [it]} for it in ("prompt", "prompt_file", "shell", "argv", "workflow", "approve")],
):
    """One step: it asks (`prompt`, `prompt_file`), runs a command or a `workflow`, or waits (`approve`)."""
