"""Shell steps as lok's published workflows have them: they compile, and what they run gets their values."""

from pathlib import Path

import pytest

from pytest_lok.core.results import Json, Outcome, StepResult
from pytest_lok.core.shell.compiler import ShellTemplate
from pytest_lok.core.templates.scope import Scope, VisibleNames
from pytest_lok.errors import SourceError
from tests.core.shell.shells import SHELLS, run

EVIL = "It's \"done\"; $(touch pwned) `touch pwned`\n-- $HOME \\ 100% 'q'"


def _result(name: str, data: Json = None, output: str = "") -> StepResult:
    return StepResult(name=name, outcome=Outcome.PASSED, output=output, data=data, has_data=data is not None)


RESULTS = {
    "pick": _result("pick", {"number": 12, "title": EVIL, "issue": EVIL, "severity": "high", "file": "a b.py", "line": 3}),
    "fix": _result("fix", {"summary": EVIL}),
    "fetch-pr": _result("fetch-pr", {"headRefName": "feature/x"}),
    "debate": _result("debate", output=EVIL),
    "issue": _result("issue", output="https://localhost/1"),
    "verdict": _result("verdict", {"verdict": "APPROVE", "critical": "None", "important": f"- {EVIL}", "minor": ""}),
}  # fmt: skip
NAMES = VisibleNames(steps=frozenset(RESULTS), arguments=frozenset({"unstaged"}))
SCOPE = Scope(steps=RESULTS, arguments={"1": "main..HEAD", "unstaged": "no"}, backends=("Claude", "Codex"))

# Each text, and the arguments of the programs it starts.
STEPS: list[tuple[str, list[list[str]]]] = [
    ("gh pr view {{ arg.1 }} --json number,title", [["gh", "pr", "view", "main..HEAD", "--json", "number,title"]]),
    ("gh issue view {{ steps.pick.number }} --json body", [["gh", "issue", "view", "12", "--json", "body"]]),
    (
        """\
if [ -n "{{ arg.1 }}" ]; then
    git diff {{ arg.1 }}
elif [ "{{ arg.unstaged }}" = "true" ]; then
    git diff
else
    git diff --cached
fi
""",
        [["git", "diff", "main..HEAD"]],
    ),
    (
        "gh issue create \\\n  --title '{{ steps.pick.issue }}' \\\n  --body 'Severity: {{ steps.pick.severity }}\n"
        "File: {{ steps.pick.file }}:{{ steps.pick.line }}\n\nFound by lok hunt.'\n",
        [["gh", "issue", "create", "--title", EVIL, "--body", "Severity: high\nFile: a b.py:3\n\nFound by lok hunt."]],
    ),
    (
        "git add -A && git commit -m \"$(cat <<'EOF'\nfix: {{ steps.fix.summary }}\n\nIt's $5 `now` \\o/\nEOF\n)\"\n",
        [["git", "add", "-A"], ["git", "commit", "-m", f"fix: {EVIL}\n\nIt's $5 `now` \\o/"]],
    ),
    (
        'git add -A && git commit -m "fix: {{ steps.fix.summary }}\n\nCloses #{{ steps.pick.number }}"',
        [["git", "add", "-A"], ["git", "commit", "-m", f"fix: {EVIL}\n\nCloses #12"]],
    ),
    (
        "gh issue comment {{ steps.pick.number }} --body \"$(cat <<'LOKEOF'\n## Proposal ({{ workflow.backends }})\n\n"
        '{{ steps.debate.output }}\n\n---\n*Automated*\nLOKEOF\n)"\n',
        [["gh", "issue", "comment", "12", "--body", f"## Proposal (Claude + Codex)\n\n{EVIL}\n\n---\n*Automated*"]],
    ),
    (
        'gh pr comment {{ arg.1 }} --body "## Review\n\n**Critical:** {{ steps.verdict.critical }}\n'
        '**Important:** {{ steps.verdict.important }}\n**Minor:** {{ steps.verdict.minor }}"\n',
        [["gh", "pr", "comment", "main..HEAD", "--body",
          f"## Review\n\n**Critical:** None\n**Important:** - {EVIL}\n**Minor:** "]],
    ),
    (
        "git fetch origin {{ steps.fetch-pr.headRefName }} && git checkout {{ steps.fetch-pr.headRefName }}",
        [["git", "fetch", "origin", "feature/x"], ["git", "checkout", "feature/x"]],
    ),
    (
        "git checkout -b fix/issue-{{ steps.pick.number }}-$(printf %s now)",
        [["git", "checkout", "-b", "fix/issue-12-now"]],
    ),
    (
        "start=$(date +%s)\ngh pr create --title 'fix: {{ steps.fix.summary }}' --body 'Created: {{ steps.issue.output }}\n"
        "- it'\"'\"'s done'\n[ $(( $(date +%s) - start )) -ge 0 ] && gh done\n",
        [["gh", "pr", "create", "--title", f"fix: {EVIL}", "--body", "Created: https://localhost/1\n- it's done"],
         ["gh", "done"]],
    ),
]  # fmt: skip


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """``gh`` and ``git`` that note their arguments, each ended by a NUL, each call by two."""
    root = tmp_path / "bin"
    root.mkdir()
    for name in ("gh", "git"):
        (root / name).write_text(
            f"#!/bin/sh\n{{ printf '%s\\0' {name} \"$@\"; printf '\\0'; }} >> '{tmp_path}/calls'\n"
        )
        (root / name).chmod(0o755)
    return root


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("text", "calls"), STEPS)
def test_published_steps_run_with_their_values(
    shell: tuple[str, ...], text: str, calls: list[list[str]], programs: Path
) -> None:
    command = ShellTemplate.parse(text, NAMES).render(SCOPE)
    done = run(shell, command, cwd=programs.parent, path=f"{programs}:")
    assert (done.returncode, done.stderr) == (0, b"")
    noted = (programs.parent / "calls").read_text().removesuffix("\0\0").split("\0\0")
    assert [call.split("\0") for call in noted] == calls
    assert not (programs.parent / "pwned").exists()


def test_the_one_step_that_is_all_model_output_says_what_to_do() -> None:
    with pytest.raises(SourceError) as raised:
        ShellTemplate.parse("{{ steps.debate.output }}", NAMES)
    assert "in the name of a command" in raised.value.faults[0].message
    assert "unsafe_shell = true" in raised.value.faults[0].hint
