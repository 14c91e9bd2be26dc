"""Command lines of lok's articles, README, crate page and --help, and what docs/lok-parity.md says of them."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.cli.test_built_in import GH

PAGE = (Path(__file__).parents[2] / "docs" / "lok-parity.md").read_text()

TASKS = """
[tasks.hunt]
description = "Find bugs"
backends = ["codex"]
prompts = [{ name = "n+1", prompt = "Find N+1 queries" }, { name = "dead-code", prompt = "Find dead code" }]
[tasks.audit]
backends = ["gemini"]
prompts = [{ name = "secrets", prompt = "Find secrets" }]
"""
SETTINGS = TASKS + "".join(
    f"""
[backends.{name}]
type = "scripted"
strengths = {strengths}
replies = [
    {{ match = "Which of its files", reply = '{{"files": ["src/app.py"]}}' }},
    {{ match = "findings", reply = "[]" }},
    {{ reply = "{name} says" }},
]
"""
    for name, strengths in (
        ("claude", ["general", "architecture"]),
        ("codex", ["dead-code", "performance", "analysis"]),
        ("gemini", ["security"]),
    )
)
WORKFLOWS = {
    "retried": '[[steps]]\nname = "s"\nshell = "echo {{ arg.1 }}"\n',
    "soft": """
[[steps]]
name = "risky_step"
shell = "exit 1"
continue_on_error = true
[[steps]]
name = "handler"
backend = "claude"
prompt = '{% if "error" in steps.risky_step.output %}RECOVER{% else %}GO ON{% endif %}'
[[steps]]
name = "lok"
when = "steps.risky_step.output contains 'rror'"
shell = "echo branch"
""",
    "empty": '[[steps]]\nname = "s"\nfor_each = []\nshell = "echo {{ item }}"\n',
}
TYPED = [
    ('lok ask --backend codex "Find N+1 queries and performance issues"', 0, "codex says"),
    ('lok ask --backend gemini "Is the SQL in auth.rs:45 exploitable?"', 0, "gemini says"),
    ('lok ask --backend codex,gemini "Review this code"', 0, "== gemini =="),
    ('lok ask -b "codex, gemini" x', 0, "== codex =="),
    ("lok ask -b codex,nope x", 2, "no backend is called `nope`"),
    ("lok ask -d . -b codex x", 0, "codex says"),
    ('lok ask -b codex ""', 2, "there is nothing to ask"),
    ("lok -v ask -b codex x", 0, "    > x\n"),
    ('lok suggest "Find SQL injection vulnerabilities"', 0, "gemini"),
    ('lok smart "Find N+1 queries"', 0, "codex says"),
    ('lok team "analyze"', 0, "claude says"),
    ("lok hunt .", 0, "== n+1 == codex\ncodex says\n\n== dead-code == codex\ncodex says"),
    ("lok audit .", 0, "gemini says"),
    ("lok hunt nope", 2, "there is no 'nope'"),
    ("lok fix '#4'", 0, "#4 It breaks"),
    ("lok fix 4 --dry-run", 0, "#4 It breaks"),
    ("lok fix 4 --apply", 3, "verify"),  # the project has no checks that lok knows
    ('lok team --debate "Should we use async here?"', 3, "claude says"),  # an opinion has a form
    ('lok debate "Best approach for caching?"', 3, "No debate"),
    ('lok spawn "Build a todo app with frontend and backend"', 3, "spawn"),
    ('lok spawn "task" --agent "api:Build REST endpoints" --agent "ui:Build React components"', 0, "## api"),
    ('lok conduct "Find and fix the most impactful performance issues"', 3, "There is none"),
    ('lok spec "Write a parser"', 3, "spec"),
    ("lok implement", 2, "there are no specs"),
    ("lok run fix 4", 0, "#4 It breaks"),
    ("lok run review-pr 45", 3, "Add x"),  # "says" is no list of findings
    ("lok workflow install http://example.com/a.toml", 2, "plain http"),
    ("lok diff nope..HEAD", 3, "nope"),
    ("lok diff -- --output=FILE", 3, "is no range of commits"),
    ("lok explain", 0, "claude says"),
    ("lok explain -f X", 0, "claude says"),
    ("lok explain src", 0, "claude says"),
    ("lok backends", 0, "available"),
    ("lok -V", 0, "lok "),
    ("lok help", 0, "Usage: lok "),
    ("lok help run", 0, "Usage: lok run "),
    ("lok workflow list", 0, "built in"),
    ("lok workflow run retried hi", 0, "hi\n"),
    ("lok run retried hi", 0, "hi\n"),
    ("lok retried hi", 0, "hi\n"),
    ("lok run ./.lok/workflows/retried.toml hi", 0, "hi\n"),
    ("lok run retried", 3, "positional argument 1 is not given"),
    ("lok run retried one two", 2, "nothing reads 'two'"),
    ("lok run retried --foo", 2, "No such option '--foo'"),
    ("lok run soft", 0, "branch"),
    ("lok run empty", 0, "for_each has no items"),
    ("lok context", 0, "# Project"),
]


@pytest.fixture
def house(project: Project) -> Project:
    project.write("lok.toml", SETTINGS)
    project.write("src/app.py", "x = 1\n")
    project.write("bin/gh", GH).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    for name, text in WORKFLOWS.items():
        project.workflow(name, text)
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q"), ("add", "src"), (*author, "commit", "-qm", "one")):
        subprocess.run(("git", *words), cwd=project.root, check=True, capture_output=True)
    return project


@pytest.mark.parametrize(("line", "code", "fragment"), TYPED, ids=[line for line, _, _ in TYPED])
def test_a_line_that_lok_takes_does_what_the_page_says(
    house: Project, line: str, code: int, fragment: str
) -> None:
    done = house.lok(*shlex.split(line)[1:])
    assert done.code == code, done.err
    assert fragment in done.out + done.err


@pytest.mark.parametrize("line", ["lok explain", "lok fix 4", "lok ci 45"])
def test_all_answer_as_in_lok_and_each_under_its_name(house: Project, line: str) -> None:
    for options, names in ((), ("claude", "codex", "gemini")), (("-b", "codex,gemini"), ("codex", "gemini")):
        done = house.lok(*line.split()[1:], *options)
        assert done.code == 0, done.err
        assert [part in done.out for part in ("claude says", "codex says", "gemini says")] == [
            name in names for name in ("claude", "codex", "gemini")
        ]
        assert "\n\n".join(f"== {name} ==\n{name} says" for name in names) in done.out


def test_the_error_branch_of_the_article_is_taken(house: Project) -> None:
    prompts = house.lok("-v", "run", "soft").err
    assert "> RECOVER" in prompts


def test_each_verdict_of_the_page_is_counted_right() -> None:
    rows = [line.rsplit("|", 2)[1].strip() for line in PAGE.splitlines() if line.count(" | ") >= 3]
    counted = {
        cells[1].strip(): int(cells[3])
        for line in PAGE.splitlines()
        if len(cells := line.split("|")) == 5 and cells[3].strip().isdigit()
    }
    assert {verdict: rows.count(verdict) for verdict in counted} == counted
    assert set(rows) - {"verdict"} == set(counted)
