"""``options`` of a step: whom each is for, and that nobody is asked with one that it does not know."""

from __future__ import annotations

import json

import pytest

from pytest_lok.core.asking.answer_options import Answerer, Answerers
from pytest_lok.core.workflow.model import Ask, Origin, Role, Workflow
from pytest_lok.core.workflow.reading.reader import SourceText, parse_workflow
from pytest_lok.errors import WorkflowError

KINDS = {
    "claude": Answerer(kind="claude"),
    "shut": Answerer(kind="claude", access="none"),
    "sonnet": Answerer(kind="anthropic"),
    "gpt": Answerer(kind="openai"),
    "fake": Answerer(kind="scripted"),
    "parrot": Answerer(kind="parrot"),
}
SERVERS = {"mcpServers": {"docs": {"command": "docs-server"}}}
FILES = {
    "servers.json": json.dumps(SERVERS),
    "none.json": '{"mcpServers": {}}',
    "odd.json": '{"mcpServers": {"a b": {"command": "x"}}}',
    "lame.json": '{"mcpServers": {"a": {"args": ["x"]}}}',
    "more.json": '{"mcpServers": {"a": {"url": "http://x"}}, "hooks": {}}',
    "broken.json": "{",
}


def read(lines: str, *, default: tuple[str, ...] = ()) -> Workflow:
    source = SourceText(
        text=f'[[steps]]\nname = "s"\nprompt = "?"\n{lines}\n', path="w.toml", stem="w", origin=Origin.PROJECT
    )
    return parse_workflow(
        source,
        parent=lambda *_: None,
        backends=KINDS,
        roles={"team": Role(backends=("sonnet", "gpt"))},
        answerers=Answerers(by_name=KINDS, default=default),
        read=lambda name, _: FILES[name] if name in FILES else (_ for _ in ()).throw(FileNotFoundError(name)),
    )


def ask_of(lines: str, **more: tuple[str, ...]) -> Ask:
    action = read(lines, **more).step("s").action
    assert isinstance(action, Ask)
    return action


def test_options_of_all_and_of_one() -> None:
    """Those of one backend win over those of all, key by key."""
    ask = ask_of(
        'backends = "team"\noptions = { temperature = 0, top_p = 1, gpt = { seed = 7, top_p = 0.5 } }'
    )
    assert ask.options_for("sonnet") == {"temperature": 0, "top_p": 1}
    assert ask.options_for("gpt") == {"temperature": 0, "top_p": 0.5, "seed": 7}


def test_each_case_has_the_options_of_the_backend_that_it_chooses() -> None:
    made = read(
        'matrix = { backend = ["gpt", "claude", "team"] }\n'
        "options = { gpt = { seed = 1 }, claude = { max_turns = 2 }, sonnet = { top_k = 3 } }"
    )
    said = {step.name: step.action.options for step in made.steps if isinstance(step.action, Ask)}
    assert said == {
        "s[gpt]": {"gpt": {"seed": 1}},
        "s[claude]": {"claude": {"max_turns": 2}},
        "s[team]": {"gpt": {"seed": 1}, "sonnet": {"top_k": 3}},
    }


def test_whom_the_settings_name_is_asked() -> None:
    assert ask_of("options = { seed = 1 }", default=("gpt",)).options_for("gpt") == {"seed": 1}


def test_where_it_is_open_who_is_asked_only_named_ones_have_options() -> None:
    ask = ask_of('backend = "auto"\noptions = { claude = { max_turns = 3 }, gpt = { seed = 1 } }')
    assert (ask.options_for("claude"), ask.options_for("sonnet")) == ({"max_turns": 3}, {})


def test_a_stand_in_takes_what_anybody_knows() -> None:
    assert ask_of('backend = "fake"\noptions = { max_usd = 1, seed = 2 }').options_for("fake") == {
        "max_usd": 1,
        "seed": 2,
    }


def test_mcp_servers_are_read_with_the_workflow() -> None:
    """So they are of the record, and in a gate of the base, as the workflow itself."""
    made = read('backend = "claude"\noptions = { mcp = "servers.json" }')
    action = made.step("s").action
    assert isinstance(action, Ask)
    assert action.options_for("claude") == {"mcp": SERVERS}
    assert made.sources.beside == (("w.toml", "servers.json", FILES["servers.json"]),)


@pytest.mark.parametrize(
    ("lines", "message", "hint"),
    [
        (
            'backend = "claude"\noptions = { temperature = 0 }',
            "`claude`: a backend of type",
            "known to: anthropic",
        ),
        (
            'backend = "claude"\noptions = { max_turn = 3 }',
            "no option `max_turn`",
            "did you mean `max_turns`?",
        ),
        (
            'backends = "team"\noptions = { seed = 1 }',
            '`sonnet`: a backend of type "anthropic" knows no',
            "openai",
        ),
        (
            'backends = "team"\noptions = { gpt = { top_k = 1 } }',
            "`gpt`: a backend of type",
            "known to: anthropic",
        ),
        (
            'backends = ["sonnet", "gpt"]\nsynthesizer = "claude"\noptions = { top_p = 1 }',
            "`claude`: a backend of type",
            "it knows",
        ),
        ('backend = "auto"\noptions = { top_p = 1 }', "leaves open who that is", "name the backend"),
        ('backend = "all"\noptions = { top_p = 1 }', "leaves open who that is", "name the backend"),
        ("options = { top_p = 1 }", "leaves open who that is", "name the backend"),
        ('backend = "gpt"\noptions = { claude = { max_turns = 3 } }', "does not ask it", "asked are: gpt"),
        (
            'backend = "gpt"\noptions = { clade = { max_turns = 3 } }',
            "there is no backend `clade`",
            "`claude`",
        ),
        ('backend = "gpt"\noptions = { team = { top_p = 1 } }', "there is no backend `team`", ""),
        (
            'backend = "gpt"\noptions = { seed = { a = 1 } }',
            "there is no backend `seed`",
            "has no table as its",
        ),
        (
            'matrix = { backend = ["gpt"] }\noptions = { claude = { max_turns = 3 } }',
            "does not ask it",
            "asked are: gpt",
        ),
        ('backend = "parrot"\noptions = { top_p = 1 }', 'type "parrot" knows no option', "it knows none"),
        ('backend = "shut"\noptions = { tools = ["Read"] }', 'beyond access = "none"', "or leave it out"),
        ('backend = "claude"\noptions = { tools = ["Bash"] }', "a list of tools that only read", ""),
        (
            'backend = "claude"\noptions = { mcp = "gone.json" }',
            "cannot read the MCP servers in 'gone.json'",
            "path",
        ),
        ('backend = "claude"\noptions = { mcp = "broken.json" }', "cannot read the MCP servers", "path"),
        ('backend = "claude"\noptions = { mcp = "none.json" }', "it has no table `mcpServers`", "mcpServers"),
        ('backend = "claude"\noptions = { mcp = "odd.json" }', "no server can be called 'a b'", "mcpServers"),
        (
            'backend = "claude"\noptions = { mcp = "lame.json" }',
            "`a` needs a `command`, or a `url`",
            "mcpServers",
        ),
        (
            'backend = "claude"\noptions = { mcp = "more.json" }',
            "it has more than `mcpServers`",
            "mcpServers",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_stands(lines: str, message: str, hint: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        read(lines)
    [problem] = caught.value.problems
    assert problem.line == 3 + lines[: lines.index("options")].count("\n") + 1
    assert message in problem.message
    assert hint in problem.hint
