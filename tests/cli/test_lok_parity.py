"""Command lines of lok's articles, README, crate page and --help, and what docs/lok-parity.md says of them."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from tests.cli.projects import Project
from tests.cli.test_built_in import GH
from tests.cli.test_lok_files import CASES

TESTS = Path(__file__).parents[1]
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
INVENTORY = """
ask hunt audit fix ci spec implement init report backends conduct debate suggest smart team doctor spawn run context
diff pr explain workflow list validate -b -d -c -v -o -l -r -f -a -q -y --config --version --help --backend --no-cache
--issues --issue-backend --yes --dry-run --no-verify --limit --since --pr --json --output --debate --agent --issue
--query --unstaged --repo --focus
defaults.parallel defaults.timeout command_wrapper max_rounds max_tokens enabled ttl_hours command args skip_lines
api_key_env model backends.X.timeout tasks.X.backends prompts
name extends continue_on_error depends_on when if shell apply_edits verify fix_retries retries retry_delay timeout
for_each output_format min_deps_success consensus backend backends prompt description synthesis vote weighted_vote first
json json_array jsonl lines text
steps.X.output steps.X.field env.V arg.N workflow.backends item index
contains equals not steps.X.success
codex gemini claude ollama bedrock
"""
"""What lok's own sources have: commands, flags, keys, formats, templates, forms of conditions, backends."""

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
    ('lok ask --backend gemini "Review caching approach in lib/cache.rb"', 0, "gemini says"),
    ('lok ask --backend codex "Find dead code"', 0, "codex says"),
    ('lok ask "Find N+1 queries in this codebase"', 0, "== claude =="),
    ('lok ask "Find performance issues"', 0, "== claude =="),
    ('lok suggest "Find SQL injection vulnerabilities"', 0, "gemini"),
    ('lok suggest "Find SQL injection"', 0, "gemini"),
    ('lok smart "Security audit"', 0, "gemini says"),
    ('lok team "Analyze this codebase for issues"', 0, "claude says"),
    ('lok debate "async?"', 3, "No debate"),
    ('lok debate "What\'s the best way to handle auth?"', 3, "No debate"),
    ("lok doctor", 0, "3 backends ready"),
    ("lok init", 0, "kept   lok.toml"),
    ("lok run explain", 0, "claude says"),
    ("lok run fix 123", 0, "#4 It breaks"),
    ("lok run review-pr 123", 3, "Add x"),
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
    ("lok hunt . --issues -y", 2, "only the built-in `hunt` has --issues"),
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


def git(project: Project, *words: str) -> str:
    done = subprocess.run(("git", *words), cwd=project.root, check=True, capture_output=True, text=True)
    return done.stdout


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


def test_the_second_name_of_the_program_is_there() -> None:
    names = {it.name: it.value for it in metadata.entry_points(group="console_scripts")}
    assert names["lokomotiv"] == names["lok"] == "pytest_lok.cli.main:main"


def test_code_that_an_issue_names_stays_in_the_project_and_in_its_file(house: Project) -> None:
    house.write("../secret.py", "PASSWORD = 1\n")
    named = "see src/app.py:1, src/app.py:9999, ../secret.py:1 and /etc/passwd:1"
    house.write("bin/gh", GH.replace('"body": "b", "comments": []}', f'"body": "{named}", "comments": []}}'))
    done = house.lok("context", "--issue", "4")
    assert done.code == 0, done.err
    assert "x = 1" in done.out
    assert "PASSWORD" not in done.out
    assert "root:" not in done.out


def test_a_log_is_cut_between_characters_and_fetched_once(house: Project) -> None:
    house.write("log", "é" * 30_000 + "the end\n")
    house.write("bin/gh", GH.replace('echo "no such run" >&2; exit 1', "cat log"))
    done = house.lok("forge", "logs", "45")
    assert done.code == 0, done.err
    assert done.out.startswith("== test\né")
    assert done.out.rstrip("\n").endswith("éthe end")
    assert (house.root / "gh.log").read_text().count("run view") == 1


def test_implement_commits_nothing(house: Project) -> None:
    new = "# permission: let me say so\ny = 2\n"
    edit = json.dumps({"edits": [{"file": "src/new.py", "old": "", "new": new}], "summary": "s"})
    house.write(
        "lok.toml", f'[backends.a]\ntype = "scripted"\n[[backends.a.replies]]\nreply = {json.dumps(edit)}\n'
    )
    house.write(".arf/specs/01-x/01-y.arf", 'title = "t"\nfile = "src/new.py"\ntask = "do"\n')
    house.write("staged.py", "s = 1\n")
    git(house, "add", "staged.py")
    assert house.lok("implement", "--no-verify", "-b", "a").code == 0
    assert (house.root / "src/new.py").read_text() == new
    assert git(house, "log", "--oneline").count("\n") == 1
    assert git(house, "diff", "--cached", "--name-only") == "staged.py\n"


def test_uncommitted_is_staged_or_not(house: Project) -> None:
    house.write("src/app.py", "x = 2\n")
    git(house, "add", "src")
    house.write("src/app.py", "x = 3\n")
    for words, seen in ((["diff"], "x = 2"), (["diff", "--unstaged"], "x = 3")):
        text = house.lok(*words, "--json").document["steps"]["change"]["output"]
        assert [f"+{it}" in text for it in ("x = 2", "x = 3")] == [it == seen for it in ("x = 2", "x = 3")]


def test_args_of_llm_mux_get_the_mapping(house: Project) -> None:
    house.workflow("w", '[[steps]]\nname = "a"\nshell = "echo {{ args.name }}"\n')
    done = house.lok("run", "w")
    assert (done.code, "did you mean `arg`?" in done.err) == (2, True)


def test_the_error_branch_of_the_article_is_taken(house: Project) -> None:
    prompts = house.lok("-v", "run", "soft").err
    assert "> RECOVER" in prompts


ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and line.count(" | ") >= 2
]


def _tests_of(path: str) -> set[str]:
    tree = ast.parse((TESTS / path).read_text())
    found = {it.name for it in tree.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef)}
    for group in (it for it in tree.body if isinstance(it, ast.ClassDef)):
        found |= {f"{group.name}::{it.name}" for it in ast.walk(group) if isinstance(it, ast.FunctionDef)}
    return found


def test_each_row_of_the_page_names_a_test_that_is_there() -> None:
    rows = [row for row in ROWS if row[-1] not in ("test", "rows") and not row[-1].isdigit()]
    assert len(rows) > 300
    known: dict[str, set[str]] = {}
    for row in rows:
        named = row[-1].strip("`")
        if named == "none yet":
            assert row[-2] == "not yet", row
        elif named == "typed":
            spans = [it.removeprefix("lok ") for it in re.findall(r"`([^`]+)`", " ".join(row[:2]))]
            assert any(span in line for span in spans for line, _, _ in TYPED), row
        elif named.startswith("case "):
            assert named.removeprefix("case ") in CASES, row
        else:
            path, _, name = named.partition("::")
            assert name in known.setdefault(path, _tests_of(path)), row


def test_nothing_that_lok_has_is_missing_on_the_page() -> None:
    """Each command with its flags, each key, template and form of a condition: as lok's source has them."""
    spans = " ".join(re.findall(r"`([^`]+)`", PAGE))
    missing = [it for it in INVENTORY.split() if not re.search(rf"(?<![\w-]){re.escape(it)}(?![\w-])", spans)]
    assert missing == []


def test_each_verdict_of_the_page_is_counted_right() -> None:
    compared = PAGE.partition("## Defects of lok")[0]
    rows = [line.rsplit("|", 3)[1].strip() for line in compared.splitlines() if line.count(" | ") >= 4]
    counted = {
        cells[1].strip(): int(cells[3])
        for line in PAGE.splitlines()
        if len(cells := line.split("|")) == 5 and cells[3].strip().isdigit()
    }
    assert {verdict: rows.count(verdict) for verdict in counted} == counted
    assert set(rows) - {"verdict"} == set(counted)
