"""The workflows that ship, built in and to copy: they parse, say what they take, and the built-in ones only read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pytest_lok.workflows
from pytest_lok.core.workflow.model import Ask, Origin, Shell, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.discovery import WorkflowPaths

BUILT_IN = Path(pytest_lok.workflows.__file__).parent
EXAMPLES = Path(__file__).parents[1] / "workflows"


def load(path: Path) -> Workflow:
    origin = Origin.BUILTIN if path.parent == BUILT_IN else Origin.PROJECT
    source = SourceText.decode(path.read_bytes(), path=path.name, stem=path.stem, origin=origin)
    texts = WorkflowPaths(EXAMPLES.parent, None)
    backends = ["claude", "codex", "gemini"]
    return parse_workflow(source, parent=_parent, backends=backends, texts=texts, inner=_inner)


def _inner(name: str, file: SourceText) -> SourceText:
    path = EXAMPLES / name
    return SourceText.decode(path.read_bytes(), path=path.name, stem=path.stem, origin=file.origin)


def _parent(name: str, child: SourceText) -> SourceText:
    path = BUILT_IN / f"{name}.toml"
    return SourceText.decode(path.read_bytes(), path=path.name, stem=name, origin=child.origin)


def test_these_are_built_in() -> None:
    assert sorted(path.stem for path in BUILT_IN.glob("*.toml")) == [
        "audit", "ci", "diff", "explain", "fix", "hunt", "pr", "review-pr", "security-review",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    sorted([*BUILT_IN.glob("*.toml"), *EXAMPLES.glob("*.toml")]),
    ids=lambda p: f"{p.parent.parent.name}-{p.stem}",
)
def test_it_parses_and_describes_itself(path: Path) -> None:
    workflow = load(path)
    assert workflow.description
    assert all(argument.description for argument in workflow.args.values())


@pytest.mark.parametrize("path", sorted(BUILT_IN.glob("*.toml")), ids=lambda p: p.stem)
def test_a_built_in_one_leaves_the_choice_of_backend_to_the_settings_and_only_reads(path: Path) -> None:
    workflow = load(path)
    assert not workflow.collect
    for step in workflow.steps:
        match step.action:
            case Ask() as ask:
                assert (ask.backends, ask.model) == ((), "")
                # what edits files does so only if the command line says so
                assert ask.apply_edits is (path.stem == "fix" and step.name == "apply")
                assert not ask.apply_edits or (step.when and step.when.source == "arg.apply == 'true'")
            case Shell(shell=None, argv=argv):
                words = [word.source for word in argv]
                # the headings of what is looked at, and what lok itself gathers
                posts = words[:3] == ["lok", "forge", "comment"]
                assert words[0] == "printf" or words[:2] in (["lok", "parts"], ["lok", "forge"])
                assert posts is (path.stem == "review-pr" and step.name == "comment")
            case Shell(shell=shell):
                assert shell is not None
                assert not step.action.judges, "what it gathers is no judgement"
                used = re.findall(r"\b(gh|git(?: -c \S+)?) (\S+(?: \S+)?)", shell.source)
                assert all(_reads(tool.split()[0], command) for tool, command in used), used


def _reads(tool: str, command: str) -> bool:
    first, _, second = command.partition(" ")
    if tool == "git":
        # "git add" stands in what is said where nothing is staged
        return first in ("diff", "ls-files", "rev-parse", "show") or command == "add, or"
    return second in ("view", "diff", "list", "checks")


@pytest.mark.parametrize(
    ("stem", "named", "positions"),
    [
        ("diff", {"range", "unstaged"}, {"range": 1}),
        ("explain", {"path", "focus"}, {"path": 1}),
        ("audit", {"path", "issues", "yes", "issue_backend"}, {"path": 1}),
        ("hunt", {"path", "issues", "yes", "issue_backend"}, {"path": 1}),
        ("fix", {"issue", "apply", "forge"}, {"issue": 1}),
        ("ci", {"pr", "forge"}, {"pr": 1}),
        ("pr", {"pr", "repo", "forge"}, {"pr": 1}),
        ("review-pr", {"pr", "repo", "forge"}, {"pr": 1}),
        ("security-review", {"change"}, {"change": 1}),
    ],
)
def test_a_built_in_one_takes_these_arguments(stem: str, named: set[str], positions: dict[str, int]) -> None:
    arguments = load(BUILT_IN / f"{stem}.toml").args
    assert arguments.keys() == named
    assert {name: a.position for name, a in arguments.items() if a.position} == positions


def test_unstaged_is_a_switch() -> None:
    unstaged = load(BUILT_IN / "diff.toml").args["unstaged"]
    assert (unstaged.default, unstaged.choices) == ("false", ("true", "false"))


def test_only_examples_that_act_on_nothing_outside_are_collected() -> None:
    collected = {path.stem for path in EXAMPLES.glob("*.toml") if load(path).collect}
    assert collected == {"checks", "each-file", "merge-vote", "personas", "security-review"}
