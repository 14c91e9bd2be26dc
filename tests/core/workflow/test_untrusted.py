"""Which commands a workflow may run in the tree of a change that nobody trusts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lok.core.workflow.model import Origin, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.core.workflow.untrusted import GIT_READERS, LOK_READERS, READERS, refusals
from pytest_lok.errors import WorkflowError


def workflow(text: str) -> Workflow:
    source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
    return parse_workflow(source, parent=lambda _name, _child: None, backends=["a"])


def said(shell: str, above: str = "") -> list[str]:
    found = refusals(workflow(f"{above}\n[[steps]]\nname = 's'\nshell = '''\n{shell}\n'''\n"))
    assert all((it.path, it.line, bool(it.hint)) == ("w.toml", found[0].line, True) for it in found)
    return [it.message for it in found]


READING = [
    "cat a.py | grep -n x | head -3",
    "git diff ${LOK_BASE:-origin/main}...HEAD -- {{ env.X }}",
    "git -C sub -c core.quotePath=off --no-pager log --format=%s",
    "if test -f a; then echo {{ env.X }}; else exit 1; fi",
    'while read -r line; do printf "%s\\n" "$line"; done < list',
    "show() { cat \"$1\"; }\nshow a.py",
    "n=$(wc -l < a.py); echo \"$n\"",
    "for f in *.py; do cat \"$f\"; done",
    'test -z "$CI" || { echo "only a sample"; exit 1; }',
    "lok parts --change branch",
    "cat <<EOF\nPATH=. make\nEOF",
    "# make\n:",
    "git -c color.ui=never -c core.quotePath=off grep -n -e x -- a", "git diff -Oorder", "sort -c a",
    "export LIMIT=3", "cat a > out; tee copy < a", "sort -o out a", "git diff --output=out", "mkdir -p out",
]  # fmt: skip
RUNNING = [
    "pytest", "make lint", "python x.py", "sh run.sh", "./run", "sub/run", ". ./env.sh", "source env.sh", "eval x",
    "cat x | sh", "find . -exec cat {} +", "xargs cat", "env X=1 cat a", "timeout 5 cat a", "sed -f x a", "awk -f x a",
    "echo $(make)", "echo `make`", "true && npm test", "if make; then :; fi", "f() { make; }\nf", "$TOOL a",
    "git submodule foreach x", "git checkout x", "git $X", "git", "lok run first", "lok gate x", "lok $X", "lok",
    "PATH=. cat a", "LD_PRELOAD=./x cat a", "GIT_EXTERNAL_DIFF=./x git diff", "export PATH=.", "export GIT_DIR=x",
    "read PATH < x", "for PATH in .; do cat a; done", ": ${PATH:=.}", "PYTHONPATH=. cat a", "unset HOME", "local $X",
    "cat a > {{ env.X }}", 'cat a > "$X"', "tee {{ env.X }}", 'rm -r "$X"', "uniq a {{ env.X }}", "sort -o {{ env.X }} a",
    "git diff --output={{ env.X }}", "git diff --output={{ env.X }} main", "lok parts -o {{ env.X }}", "mkdir $X",
    "git -c diff.external=./x diff", "git -c core.fsmonitor=./x status", "git -C sub -c alias.log=x log",
    "git --git-dir=sub status", "git --git-dir sub status", "git --exec-path=. log", "git --config-env=a.b=C log",
    "git grep -O./x y", "git grep -nO./x y", "git grep --open-files-in-pager=./x y",
    "sort --compress-program=./x a", "sort --comp ./x a",
    "cat a |& sh", "((x))", "exec cat a", "trap x EXIT", "time cat a", "command cat a", "builtin cat",
]  # fmt: skip


@pytest.mark.parametrize("shell", READING)
def test_what_only_reads_may_run(shell: str) -> None:
    assert said(shell) == []


@pytest.mark.parametrize("shell", RUNNING)
def test_what_may_run_the_change_is_refused(shell: str) -> None:
    assert said(shell) != []


def test_the_page_lists_what_may_run() -> None:
    page = (Path(__file__).parents[3] / "docs" / "ci.md").read_text()
    listed = page.partition("**Commands only read.**")[2].partition("```toml")[0]
    programs, subcommands, verbs = (set(re.findall(r"`([^`]+)`", part)) for part in listed.split("\n- ")[1:])
    assert programs == READERS
    assert subcommands - {"git"} == GIT_READERS
    assert {f"lok {verb}" for verb in LOK_READERS} <= verbs


def test_a_program_that_the_workflow_names_may_run() -> None:
    assert said("ruff check .", "[untrusted]\nprograms = ['ruff']") == []
    assert said("ruff check . && make", "[untrusted]\nprograms = ['ruff']") == [
        "the step `s` runs make, which may run what the change wrote"
    ]
    assert said("git fetch", "[untrusted]\nprograms = ['git']") == []
    # a name in a directory would be a file of the change
    for name in ("./ruff", "bin/ruff", ""):
        with pytest.raises(WorkflowError, match="no name of a program"):
            said("true", f"[untrusted]\nprograms = ['{name}']")


@pytest.mark.parametrize(
    ("step", "refused"),
    [
        ("argv = ['git', '-c', 'core.fsmonitor=./x', 'status']", True),
        ("argv = ['cat', '{{ env.X }}']", False),
        ("argv = ['sh', '-c', 'cat a']", True),
        ("argv = ['tee', '{{ env.X }}']", True),
        ("argv = ['lok', 'parts', '--output={{ env.X }}']", True),
        ("argv = ['lok', 'parts', '--change', '{{ env.X }}']", False),
        ("argv = ['git', '{{ env.X }}']", True),
        ("argv = ['cat', 'a']\nenv = { GIT_DIR = 'x' }", True),
        ("argv = ['cat', 'a']\nenv = { LIMIT = '3' }", False),
        ("shell = 'echo {{ arg.x }}'\nunsafe_shell = true", True),
        ("prompt = '?'\nbackend = 'a'", False),
        ("prompt = '?'\nbackend = 'a'\nverify = 'grep -q x a'", False),
        ("prompt = '?'\nbackend = 'a'\nverify = 'make'", True),
        ("prompt = '?'\nbackend = 'a'\nverify = 'python'", True),
        ("prompt = '?'\nbackend = 'a'\napply_edits = true", True),
    ],
)
def test_every_kind_of_step(step: str, refused: bool) -> None:
    text = f"[args.x]\ndefault = ''\n[[steps]]\nname = 's'\n{step}\n"
    assert bool(refusals(workflow(text))) == refused


def test_a_wrapper_is_a_command_too() -> None:
    plain = workflow("[[steps]]\nname = 's'\nargv = ['cat', 'a']\n")
    assert refusals(plain) == ()
    (problem,) = refusals(plain, "nix-shell --run '{cmd}'")
    assert (problem.path, "nix-shell" in problem.message) == ("lok.toml", True)
    named = workflow("[untrusted]\nprograms = ['nix-shell']\n[[steps]]\nname = 's'\nargv = ['cat', 'a']\n")
    assert refusals(named, "nix-shell --run '{cmd}'") == ()


SERVERS = '{"mcpServers": {"docs": {"command": "docs-server"}, "far": {"url": "http://far"}}}'


def test_mcp_servers_run_only_where_the_workflow_names_them() -> None:
    """A model that has read the change says what a server is asked, and a server is a program."""
    text = "[[steps]]\nname = 's'\nprompt = '?'\nbackend = 'a'\noptions.a.mcp = 'servers.json'\n"

    def judged(text: str) -> list[str]:
        source = SourceText(text=text, path="w.toml", stem="w", origin=Origin.PROJECT)
        return [
            it.message
            for it in refusals(parse_workflow(source, parent=lambda *_: None, read=lambda *_: SERVERS))
        ]

    far = "the step `s` asks the MCP server `far`, and the change may say what it is asked"
    docs, *rest = judged(text)
    assert "by its MCP server `docs`, runs `docs-server`" in docs
    assert rest == [far]
    assert judged(f"[untrusted]\nprograms = ['docs-server']\n{text}") == [far]
