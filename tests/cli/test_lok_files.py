"""Files that lok's users have: keys, templates, conditions and failures, each run as its documents say.

The page docs/lok-parity.md names these cases in its column of tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.cli.projects import Project

BACKENDS = """
[backends.claude]
type = "scripted"
strengths = ["general"]
replies = [
    { match = "field", reply = '{"n": 2, "who": "{{ env.HOME }}", "title": "{ a } }"}' },
    { match = "braces", reply = "take {{ item }} and {{ env.HOME }}" },
    { match = "down", error = "overload" },
    { match = "no edits", reply = '{"edits": []}' },
    { match = "new file", reply = '{"edits": [{"file": "new.py", "old": "", "new": "x = {1: {}}\\n"}]}' },
    { match = "leave", reply = '{"edits": [{"file": "../out.py", "old": "", "new": "x"}]}' },
    { reply = "claude says" },
]
[backends.codex]
type = "scripted"
replies = [{ match = "down", error = "overload" }, { reply = "codex says" }]
[backends.off]
type = "scripted"
enabled = false
replies = [{ reply = "off says" }]
"""


def steps(*tables: str, top: str = "") -> str:
    return top + "".join(f"[[steps]]\n{table}\n" for table in tables)


@dataclass(frozen=True, slots=True)
class Case:
    """A workflow file, and what ``lok run w`` makes of it: the exit code, and what it says and does not say."""

    flow: str
    code: int
    says: str = ""
    silent: str = field(default="\0")
    words: tuple[str, ...] = ()
    settings: str = ""


CASES = {
    "no-name": Case(
        steps(
            'name = "scan"\nbackend = "codex"\nprompt = "scan"',
            'name = "fix"\ndepends_on = ["scan"]\nbackend = "claude"\nprompt = "{{ steps.scan.output }}"',
        ),
        0,
        "claude says",
    ),
    "when": Case(
        steps(
            'name = "scan"\nshell = "echo critical"',
            'name = "yes"\nwhen = "steps.scan.output contains \'critical\'"\nshell = "echo ran"',
            'name = "no"\nif = "steps.scan.output contains \'harmless\'"\nshell = "echo never"',
        ),
        0,
        "when is false: steps.scan.output contains 'harmless'",
        "never",
    ),
    "hard-failure": Case(
        steps(
            'name = "soft"\nshell = "exit 1"',
            'name = "critical_step"\ncontinue_on_error = false\nbackend = "claude"\nprompt = "down"',
            top="continue_on_error = true\n",
        ),
        3,
        "error    critical_step",
    ),
    "failed-leaf": Case(
        steps('name = "good"\nshell = "echo good"', 'name = "leaf"\nshell = "echo bad; exit 7"'), 1, "good"
    ),
    "failure-keeps-stdout": Case(steps('name = "s"\nshell = "echo told; echo why >&2; exit 1"'), 1, "told"),
    "stderr-is-no-output": Case(
        steps(
            'name = "s"\nshell = "echo out; echo err >&2"',
            'name = "t"\nshell = "echo [{{ steps.s.output }}]"',
        ),
        0,
        "[out]",
    ),
    "two-of-three-soft": Case(
        steps(
            'name = "a"\nshell = "echo a"',
            'name = "b"\nshell = "echo b"',
            'name = "c"\ncontinue_on_error = true\nshell = "exit 1"',
            'name = "d"\ndepends_on = ["a", "b", "c"]\nmin_deps_success = 2\nshell = "echo enough"',
        ),
        0,
        "enough",
    ),
    "output-field": Case(
        steps(
            'name = "a"\nbackend = "claude"\nprompt = "field"\noutput_format = "json"',
            'name = "b"\nshell = "echo {{ steps.a.output.n }} {{ steps.a.n }} {{ steps.a.title }}"',
        ),
        0,
        "2 2 { a } }",
    ),
    "data-is-no-template": Case(
        steps(
            'name = "a"\nbackend = "claude"\nprompt = "field"\noutput_format = "json"',
            'name = "b"\nshell = "echo {{ steps.a.who }}"',
        ),
        0,
        "{{ env.HOME }}",
    ),
    "item-in-output-stays": Case(
        steps(
            'name = "a"\nbackend = "claude"\nprompt = "braces"',
            'name = "b"\nfor_each = ["ONE"]\nshell = "echo {{ item }}: {{ steps.a.output }}"',
        ),
        0,
        "ONE: take {{ item }} and {{ env.HOME }}",
    ),
    "for-each-output": Case(
        steps(
            'name = "a"\nfor_each = ["x", "y"]\nshell = "echo {{ index }}{{ item }}"',
            'name = "b"\nshell = "echo {{ steps.a.output }}"',
        ),
        0,
        '[{"index": 0, "item": "x", "output": "0x", "success": true}, {"index": 1, "item": "y", "output": "1y"',
    ),
    "for-each-objects": Case(
        steps(
            "name = \"a\"\nshell = '''echo '[{\"file\": \"f.py\"}]' '''\noutput_format = \"json\"",
            'name = "b"\nfor_each = "steps.a.output"\nshell = "echo {{ item.file }}"',
        ),
        0,
        "f.py",
    ),
    "skipped-output": Case(
        steps(
            'name = "a"\nwhen = "false"\nshell = "echo a"',
            'name = "b"\nshell = "echo [{{ steps.a.output }}]"',
        ),
        0,
        "[]",
    ),
    "workflow-backends": Case(
        steps(
            'name = "a"\nbackends = ["codex", "claude"]\nconsensus = "first"\nprompt = "hi"',
            'name = "b"\nbackend = "codex"\nprompt = "hi"',
            'name = "c"\ndepends_on = ["a", "b"]\nshell = "echo {{ workflow.backends }}"',
        ),
        0,
        "Codex",
    ),
    "docker-format": Case(steps("name = \"a\"\nshell = '''echo '{{ '{{' }}.Names}}' '''"), 0, "{{.Names}}"),
    "docker-format-bare": Case(
        steps('name = "a"\nshell = "docker ps --format \'{{.Names}}\'"'), 2, "{{ '{{' }}"
    ),
    "missing-env": Case(steps('name = "a"\nshell = "echo {{ env.NOPE }}"'), 3, "NOPE", "not set]"),
    "missing-field": Case(
        steps(
            'name = "a"\nbackend = "claude"\nprompt = "field"\noutput_format = "json"',
            'name = "b"\nshell = "echo {{ steps.a.nope }}"',
        ),
        3,
        "nope",
        "not found]",
    ),
    "arguments": Case(
        steps('name = "a"\nshell = "echo {{ arg.1 }} {{ arg.2 }}"'), 0, "one two", words=("one", "two")
    ),
    "one-backend-in-a-list": Case(steps('name = "a"\nbackends = ["codex"]\nprompt = "hi"'), 0, "codex says"),
    "backends-with-blanks": Case(
        steps('name = "a"\nbackend = "codex, claude"\nconsensus = "all"\nprompt = "hi"'), 0, "== claude =="
    ),
    "no-backend": Case(steps('name = "a"\nprompt = "hi"'), 0, "claude says"),
    "nothing-to-do": Case(steps('name = "a"'), 2, "w.toml:1:1"),
    "disabled": Case(steps('name = "a"\nbackend = "off"\nprompt = "hi"'), 3, "off is switched off"),
    "first-of-list-is-down": Case(
        steps('name = "a"\nbackends = ["codex", "claude"]\nconsensus = "vote"\nprompt = "hi"'),
        1,
        "do not agree",
    ),
    "one-of-two-is-no-majority": Case(
        steps('name = "a"\nbackends = ["codex", "off"]\nconsensus = "vote"\nprompt = "hi"'), 3, "1 of 2"
    ),
    "synthesis-by-the-first": Case(
        steps('name = "a"\nbackends = ["codex", "claude"]\nconsensus = "synthesis"\nprompt = "hi"'),
        0,
        "codex says",
    ),
    "format-unknown": Case(
        steps('name = "a"\nbackend = "claude"\nprompt = "x"\noutput_format = "jsn"'), 2, "json"
    ),
    "json-that-is-none": Case(
        steps('name = "a"\nbackend = "codex"\nprompt = "x"\noutput_format = "json"'), 3, "no JSON"
    ),
    "no-edits": Case(
        steps('name = "a"\nbackend = "claude"\nprompt = "no edits"\napply_edits = true'), 1, "allow_empty"
    ),
    "no-edits-allowed": Case(
        steps('name = "a"\nbackend = "claude"\nprompt = "no edits"\napply_edits = true\nallow_empty = true'),
        0,
    ),
    "new-file": Case(
        steps(
            'name = "a"\nbackend = "claude"\nprompt = "new file"\napply_edits = true\nverify = "test -f new.py"'
        ),
        0,
        "created new.py",
    ),
    "path-out-of-the-project": Case(
        steps('name = "a"\nbackend = "claude"\nprompt = "leave"\napply_edits = true'), 1, "outside"
    ),
    "timeout-in-milliseconds": Case(steps('name = "a"\ntimeout = 200\nshell = "sleep 20"'), 3, "0.2 s"),
    "wrapper-and": Case(
        steps('name = "a"\nshell = \'echo one && echo "$INSIDE"\''),
        0,
        "one\ninside",
        settings='[defaults]\ncommand_wrapper = "env INSIDE=inside {cmd}"\n',
    ),
    "wrapper-in-quotes": Case(
        steps('name = "a"\nshell = "echo it\\\\\'s && echo two"'),
        0,
        "it's\ntwo",
        settings="[defaults]\ncommand_wrapper = \"sh -c '{cmd}'\"\n",
    ),
    "unknown-key-of-settings": Case(
        steps('name = "a"\nshell = "true"'), 2, "timeout", settings="[defaults]\ntimout = 5\n"
    ),
    "not-parallel": Case(
        steps(
            'name = "a"\nshell = "echo a >> order; sleep 0.1; echo A >> order"',
            'name = "b"\nshell = "echo b >> order; sleep 0.1; echo B >> order"',
            'name = "c"\ndepends_on = ["a", "b"]\nshell = "tr -d \'\\\\n\' < order"',
        ),
        0,
        "aAbB",
        settings="[defaults]\nparallel = false\n",
    ),
    "extends": Case(
        'extends = "parent"\ncontinue_on_error = false\n' + steps('name = "b"\nshell = "echo mine; exit 1"'),
        1,
        "mine",
    ),
    "every-backend-fails": Case(
        steps('name = "a"\nbackends = ["claude", "codex"]\nprompt = "down"'), 3, "0 of 2 backends"
    ),
    "cycle": Case(
        steps(
            'name = "a"\ndepends_on = ["b"]\nshell = "true"', 'name = "b"\ndepends_on = ["a"]\nshell = "true"'
        ),
        2,
        "a -> b -> a",
    ),
}


@pytest.fixture
def house(project: Project) -> Project:
    project.write("lok.toml", BACKENDS)
    project.workflow(
        "parent",
        "continue_on_error = true\n"
        + steps('name = "a"\nshell = "echo a"', 'name = "b"\nshell = "echo theirs"'),
    )
    return project


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_lok_does_what_it_says(house: Project, name: str) -> None:
    case = CASES[name]
    house.write("lok.toml", case.settings + BACKENDS)
    house.workflow("w", case.flow)
    done = house.lok("run", "w", *case.words)
    said = done.out + done.err
    assert done.code == case.code, said
    assert case.says in said
    assert case.silent not in said
    assert not (house.root.parent / "out.py").exists()


CONDITIONS = {
    # right in lok too
    "contains(yes.output, 'PASS')": True,
    "contains(yes.output, 'nope')": False,
    "equals(yes.output, 'PASS')": True,
    "equals(yes.output, 'pass')": False,
    "not(contains(yes.output, 'nope'))": True,
    "not(equals(yes.output, 'PASS'))": False,
    "steps.yes.output contains 'AS'": True,
    "steps.yes.output contains 'x'": False,
    "steps.yes.success": True,
    "steps.bad.success": False,
    # false, and lok runs the step
    "contains(steps.yes.output, 'nope')": False,
    "equals(yes.output,'')": False,
    " steps.bad.success": False,
    "steps.bad.success == true": False,
    "steps.yes.output == 'X'": False,
    "steps.yes.failed": False,
    "steps.bad.success and contains(yes.output, 'PASS')": False,
    "false": False,
    # true, in lok by luck
    "true": True,
    "arg.1 == 'x'": True,
    "steps.yes.success == true": True,
    "steps.bad.failed": True,
    "steps.bad.success or steps.yes.success": True,
    # the text in quotes is a text
    "contains(yes.output, 'not(')": False,
    "steps.bad.output contains 'rror'": True,
}
BROKEN = ("contains(nope.output, 'x')", "not(contains(nope.output, 'x'))", "garbage here")


def test_a_condition_of_lok_is_what_it_says(house: Project) -> None:
    conditions = "".join(
        f'[[steps]]\nname = "s{at}"\ndepends_on = ["yes", "bad"]\nwhen = "{text}"\nshell = "true"\n'
        for at, text in enumerate(CONDITIONS)
    )
    first = steps(
        'name = "yes"\nshell = "echo PASS"', 'name = "bad"\ncontinue_on_error = true\nshell = "exit 1"'
    )
    house.workflow("w", first + conditions)
    found = house.lok("run", "w", "x", "--json").document["steps"]
    ran = {text: found[f"s{at}"]["outcome"] == "passed" for at, text in enumerate(CONDITIONS)}
    assert ran == CONDITIONS


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_condition_runs_nothing(house: Project, text: str) -> None:
    house.workflow(
        "w", steps('name = "a"\nshell = "touch ran"', f'name = "b"\nwhen = "{text}"\nshell = "true"')
    )
    done = house.lok("run", "w")
    assert (done.code, "w.toml:" in done.err) == (2, True)
    assert not (house.root / "ran").exists()
