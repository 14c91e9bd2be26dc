"""What is not whole is not taken for whole: outputs that lost their middle, pipes that lost a failure, no material."""

from __future__ import annotations

import json

import pytest

from tests.cli.projects import Project
from tests.field.test_conditions import says

SCAN = """
[[steps]]
name = "scan"
shell = "head -c %d /dev/zero | tr '\\\\0' x; echo; echo CRITICAL; head -c %d /dev/zero | tr '\\\\0' x; exit %d"
%s
"""
LONG = 4_300_000
"""Bytes, twice, that are too many."""

READERS = {
    "when": 'when = "not contains(scan.output, \'CRITICAL\')"\nshell = "true"',
    "an assert": 'shell = "true"\nassert = ["scan.passed and not contains(scan.output, \'CRITICAL\')"]',
    "stdin": 'argv = ["sh", "-c", "! grep -q CRITICAL"]\nstdin = "{{ steps.scan.output }}"',
    "argv": 'argv = ["echo", "{{ steps.scan.output[:10] }}"]',
    "shell": 'shell = "echo {{ steps.scan.output | length }}"',
    "env": 'shell = "true"\nenv = { X = "{{ steps.scan.output | lines | first }}" }',
    "a prompt": 'prompt = "{{ steps.scan.output }}"',
    "a system prompt": 'prompt = "x"\nsystem = "{{ steps.scan.output }}"',
    "a prompt's condition": "prompt = \"{% if 'CRITICAL' in steps.scan.output %}x{% endif %}\"",
    "for_each": 'for_each = "steps.scan.output | lines"\nshell = "true"',
    "its JSON": 'shell = "true"\nwhen = "steps.scan.found == 1"',
    "its fields": 'prompt = "{{ steps.scan.output.found | default(1) }}"',
    "verify": 'prompt = "x"\nverify = "! echo {{ steps.scan.output }} | grep -q CRITICAL"',
}


@pytest.mark.parametrize("reader", READERS)
def test_whoever_reads_an_output_without_its_middle_gets_an_error(reader: str, project: Project) -> None:
    says(project, "fine")
    project.workflow("w", SCAN % (LONG, LONG, 0, "") + f'[[steps]]\nname = "gate"\n{READERS[reader]}\n')
    done = project.lok("run", "w", "--json")
    scan, gate = (done.document["steps"][name] for name in ("scan", "gate"))
    assert done.code == 3
    assert (scan["outcome"], scan["cut"]) == ("passed", True)
    assert gate["outcome"] == "error"
    assert "'scan' is too long to be judged or passed on: its middle was not kept" in gate["reason"]
    assert gate["hint"].startswith("let the command print less")


OWN = {
    "an assert": "assert = [\"not contains(output, 'CRITICAL')\"]",
    "an assert of JSON": 'assert = ["json.a == 1"]',
    "a rubric": "assert = ['rubric(\"it is safe\")']",
    "lines": 'output_format = "lines"',
    "json": 'output_format = "json"',
    "findings": 'output_format = "findings"',
}


@pytest.mark.parametrize("reader", OWN)
def test_so_does_its_own_step(reader: str, project: Project) -> None:
    says(project, '{"verdict": "yes", "reason": "r"}')
    project.workflow("w", SCAN % (LONG, LONG, 0, OWN[reader]))
    assert project.lok("run", "w").code == 3


def test_what_reads_nothing_of_it_goes_on(project: Project) -> None:
    project.workflow(
        "w",
        SCAN % (LONG, LONG, 0, 'assert = ["seconds < 600"]')
        + '[[steps]]\nname = "after"\nwhen = "steps.scan.passed"\nargv = ["echo", "{{ steps.scan.outcome }}"]\n',
    )
    done = project.lok("run", "w", "--json")
    assert done.code == 0
    assert done.document["steps"]["after"]["output"] == "passed"


def test_what_is_just_short_enough_is_whole_whatever_it_says(project: Project) -> None:
    mark = "[... 9 bytes of output dropped here ...]"
    project.workflow(
        "w",
        (SCAN % (4_190_000, 4_190_000, 0, "")).replace("CRITICAL", mark)
        + '[[steps]]\nname = "gate"\nargv = ["grep", "-c", "dropped here"]\nstdin = "{{ steps.scan.output }}"\n',
    )
    done = project.lok("run", "w", "--json")
    assert done.code == 0
    assert done.document["steps"]["gate"]["output"] == "1"
    assert done.document["steps"]["scan"]["cut"] is False


@pytest.mark.parametrize("stream", ["", ">&2"])
def test_the_error_of_a_soft_step_may_not_be_whole_either(stream: str, project: Project) -> None:
    scan = (SCAN % (LONG, LONG, 1, "continue_on_error = true")).replace(
        "x; echo;", f"x {stream}; echo {stream};"
    )
    scan = scan.replace("x; exit", f"x {stream}; exit")
    project.workflow("w", scan + f'[[steps]]\nname = "gate"\n{READERS["when"]}\n')
    done = project.lok("run", "w", "--json")
    assert done.document["steps"]["gate"]["outcome"] == "error"


def test_one_item_that_is_not_whole_is_enough(project: Project) -> None:
    scan = (
        (SCAN % (LONG, LONG, 0, 'for_each = ["a", "b"]'))
        .replace("exit 0", "")
        .replace("head", "test {{ item }} = a || head")
    )
    project.workflow(
        "w", scan + '[[steps]]\nname = "gate"\nargv = ["echo", "{{ steps.scan.output[0].output }}"]\n'
    )
    document = project.lok("run", "w", "--json").document
    assert document["steps"]["gate"]["outcome"] == "error"
    assert [item["cut"] for item in document["steps"]["scan"]["items"]] == [False, True]


FINDINGS = '[gate]\nfail_on = "high"\n[[steps]]\nname = "d"\n%s\n[[steps]]\nname = "q"\nprompt = "Review: %s"\noutput_format = "findings"\n%s\n'
DIFF = 'shell = "git diff nope...HEAD | head -c 100000"'
READ = "{{ steps.d.output }}"


@pytest.mark.parametrize(
    ("before", "read", "more", "code"),
    [
        (DIFF, READ, "", 3),
        (f"{DIFF}\npipefail = true", READ, "", 1),
        ('shell = "true"', "{{ steps.d.output | trim }}", "", 3),
        ('shell = "echo a diff"', READ, "", 0),
        ('shell = "true"', READ, "when = \"steps.d.output != ''\"", 0),
        ('shell = "true"', "{{ steps.d.output | default('nothing', true) }}", "", 0),
        ('shell = "true"', "{% if steps.d.output %}x{% endif %}y", "", 0),
        ('when = "false"\nshell = "true"', READ, "", 3),
        ('shell = "true"', "the files", 'depends_on = ["d"]', 0),
    ],
)
def test_a_review_of_nothing_is_no_review(
    before: str, read: str, more: str, code: int, project: Project
) -> None:
    says(project, "[]")
    project.workflow("w", FINDINGS % (before, read, more))
    done = project.lok("run", "w", "--json")
    assert done.code == code, done.err
    if code == 3:
        step = done.document["steps"]["q"]
        assert step["reason"] == "there was nothing to review: what the text puts in of steps.d was empty"
        assert "when = \"steps.d.output != ''\"" in step["hint"]
        assert step["replies"] == [], "nobody is paid for it"


LISTED = """
[[steps]]
name = "d"
shell = "printf '%%s' '{ \\"files\\": %s }'"
output_format = "json"
[[steps]]
name = "q"
prompt = "Look."
output_format = "%s"
%s
"""
UNSAID = "there was nothing to review: "


@pytest.mark.parametrize(
    ("files", "kind", "keys", "outcome", "said"),
    [
        ("[]", "findings", 'attach = "steps.d.files"', "error", f"{UNSAID}`attach` lists no file"),
        (
            '["e"]',
            "findings",
            'attach = "steps.d.files"',
            "error",
            f"{UNSAID}every attached file is empty: e",
        ),
        ('["e", "f"]', "findings", 'attach = "steps.d.files"', "passed", ""),
        ("[]", "findings", 'attach = ["e"]', "error", f"{UNSAID}every attached file is empty: e"),
        ("[]", "text", 'attach = "steps.d.files"', "passed", ""),
        ("[]", "findings", 'attach = "steps.d.files"\nwhen = "steps.d.passed"', "passed", ""),
        (
            "[]",
            "findings",
            'attach = "steps.d.files"\nwhen = "steps.d.files != []"',
            "skipped",
            "when is false",
        ),
        ("[]", "findings", 'for_each = "steps.d.files"', "error", f"{UNSAID}for_each has no items"),
        ('["x"]', "findings", 'for_each = "steps.d.files"', "passed", ""),
        ("[]", "text", 'for_each = "steps.d.files"', "skipped", "for_each has no items"),
        ("[]", "findings", 'for_each = "steps.d.files"\nwhen = "1 == 1"', "error", f"{UNSAID}for_each has"),
        ("[]", "findings", 'for_each = "steps.d.files"\nwhen = "steps.d.passed"', "skipped", "no items"),
        (
            "[[]]",
            "findings",
            'for_each = "steps.d.files"\nattach = "item"',
            "error",
            "`attach` lists no file",
        ),
    ],
)
def test_a_review_of_no_files_and_no_items_is_none_either(
    files: str, kind: str, keys: str, outcome: str, said: str, project: Project
) -> None:
    says(project, "[]")
    project.write("e", " \n")
    project.write("f", "code\n")
    project.workflow("w", LISTED % (files.replace('"', '\\"'), kind, keys))
    done = project.lok("run", "w", "--json")
    step = done.document["steps"]["q"]
    assert (step["outcome"], said in step["reason"]) == (outcome, True), step["reason"]
    if outcome != "passed":
        assert step["replies"] == [], "nobody is paid for it"
    if "for_each" in keys and outcome == "error" and files == "[]":
        assert step["hint"] == 'when = "steps.d.files != []" skips the step instead'


def test_a_scanner_that_is_given_nothing_finds_nothing_out(project: Project) -> None:
    text = '[[steps]]\nname = "d"\nshell = "%s"\n[[steps]]\nname = "q"\nshell = "cat > /dev/null; echo []"\nstdin = "{{ steps.d.output }}"\noutput_format = "findings"\n'
    project.workflow("w", text % "true")
    assert project.lok("run", "w").code == 3
    project.workflow("w", text % "echo x")
    assert project.lok("run", "w").code == 0


def test_other_questions_about_nothing_say_so(project: Project) -> None:
    says(project, "fine")
    project.workflow(
        "w",
        '[[steps]]\nname = "d"\nshell = "true"\n[[steps]]\nname = "q"\nprompt = "x: {{ steps.d.output }}"\n',
    )
    done = project.lok("run", "w", "--json")
    assert done.code == 0
    sections = done.document["steps"]["q"]["sections"]
    assert {"title": "empty", "text": "what the text puts in of steps.d was empty"} in sections


HIDING = {
    "git diff nope...HEAD | head": "git",
    "x=$(curl x | jq .)": "curl",
    "gh api x | grep {{ arg.1 }} | wc -l": "gh",
    "{ cat a; echo; } | wc": "cat",
    "while read -r l; do gh x; done | sort": "gh",
}
PLAIN = [
    "echo a | wc",
    "printf '%s' a | wc",
    "git diff | cat",
    "a || b",
    "for i in a b; do echo $i; done | sort",
    "set -o pipefail; a | b",
]


@pytest.mark.parametrize("text", HIDING)
def test_a_pipe_that_hides_a_failure_is_named_before_it_runs(text: str, project: Project) -> None:
    step = f'[[steps]]\nname = "s"\nshell = {json.dumps(text)}\n'
    project.workflow("w", step)
    values = ("v",) if "arg" in text else ()
    for command in (("plan", "w", *values), ("workflow", "validate", "w")):
        done = project.lok(*command)
        assert done.code == 0, done.err
        assert f"where `{HIDING[text]}` fails, the pipe goes on" in done.err
        assert "warning: .lok/workflows/w.toml:3:" in done.err
    project.workflow("w", f"{step}pipefail = true\n")
    assert "warning" not in project.lok("workflow", "validate", "w").err


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_are_not(text: str, project: Project) -> None:
    piped = "pipefail = true\n" if text.startswith("git") else ""
    project.workflow("w", f'[[steps]]\nname = "s"\nshell = {json.dumps(text)}\n{piped}')
    done = project.lok("workflow", "validate", "w")
    assert (done.code, done.err) == (0, "")


def test_the_built_in_workflows_hide_no_failure(project: Project) -> None:
    for name in ("audit", "ci", "diff", "explain", "fix", "hunt", "pr"):
        done = project.lok("workflow", "validate", name)
        assert (done.code, done.err) == (0, ""), done.err


def test_pipefail_is_bash_without_what_the_environment_wants_of_it(project: Project) -> None:
    project.write("evil.sh", "echo evil")
    project.environ["BASH_ENV"] = str(project.root / "evil.sh")
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "echo {{ arg.1 }} | cat"\npipefail = true\n')
    done = project.lok("run", "w", "a $(id)", "--json")
    assert done.document["steps"]["s"]["output"] == "a $(id)"


def test_without_bash_pipefail_is_an_error(project: Project) -> None:
    (project.root / "bin").mkdir()
    project.environ["PATH"] = str(project.root / "bin")
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "true"\npipefail = true\n')
    assert "bash is not installed" in project.lok("plan", "w").err
    done = project.lok("run", "w")
    assert done.code == 3
    assert "command not found: bash" in done.err


def test_pipefail_goes_into_the_wrapper_too(project: Project) -> None:
    project.write("lok.toml", "[defaults]\ncommand_wrapper = \"env X=1 sh -c '{cmd}'\"\n")
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "false | echo {{ arg.1 }}"\npipefail = true\n')
    assert project.lok("run", "w", "it's").code == 1
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "false | echo {{ arg.1 }}"\n')
    done = project.lok("run", "w", "it's", "--json")
    assert (done.code, done.document["output"]) == (0, "it's")
