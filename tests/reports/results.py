"""Results to report on."""

from pytest_lok.core.results import (
    ItemResult,
    Outcome,
    Refusal,
    Reply,
    RunResult,
    Section,
    StepResult,
    Usage,
)

USAGE = Usage(calls=1, input_tokens=1000, output_tokens=204, cost_usd=0.0123)

PASSED = StepResult(
    name="review",
    outcome=Outcome.PASSED,
    output="all is well",
    seconds=2.345,
    attempts=1,
    replies=(Reply(text="all is well", backend="claude", model="sonnet", usage=USAGE, seconds=2.3),),
    usage=USAGE,
)
FAILED = StepResult(
    name="tests",
    outcome=Outcome.FAILED,
    reason="exit code 1",
    hint="read the output",
    output="1 failed",
    exit_code=1,
    seconds=0.5,
    attempts=2,
    sections=(Section(title="stderr", text="Traceback\nboom\n"),),
)
ERROR = StepResult(
    name="vote",
    outcome=Outcome.ERROR,
    reason="1 of 2 backends gave a valid answer, 2 needed (codex: no network)",
    refusals=(
        Refusal(backend="codex", kind="network", reason="no network"),
        Refusal(backend="gemini", kind="timeout", reason="no answer within 5 s"),
    ),
    seconds=61.0,
    attempts=1,
)
SKIPPED = StepResult(
    name="join", outcome=Outcome.SKIPPED, reason="blocked by tests: exit code 1", blocked_by="tests"
)
SOFT = StepResult(
    name="lint",
    outcome=Outcome.SOFT,
    underlying=Outcome.FAILED,
    reason="2 of 3 items did not pass",
    items=(
        ItemResult(index=0, item="a", outcome=Outcome.PASSED),
        ItemResult(index=1, item="b", outcome=Outcome.FAILED, reason="exit code 2"),
        ItemResult(index=2, item="c", outcome=Outcome.ERROR, reason="timed out"),
    ),
    attempts=1,
)


def run_of(*steps: StepResult, leaves: tuple[str, ...] = (), interrupted: str = "") -> RunResult:
    return RunResult(
        run_id="abc123",
        workflow="gate",
        path=".lok/workflows/gate.toml",
        sha256="00ff",
        started=1_700_000_000.0,
        seconds=64.2,
        steps={step.name: step for step in steps},
        selected=tuple(step.name for step in steps),
        leaves=leaves,
        interrupted=interrupted,
    )
