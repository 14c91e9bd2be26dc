"""T2: text that came from a model, a command or a pull request never becomes shell code."""

from __future__ import annotations

import json
import sys

import pytest

from tests import forks
from tests.cli.projects import Project

PAYLOADS = {
    "substitution": "$(touch pwned)",
    "backticks": "`touch pwned`",
    "single quote": "'; touch pwned; '",
    "double quote": '"; touch pwned; "',
    "newline": "a\ntouch pwned\n",
    "delimiter": "EOF\ntouch pwned\nEOF\n",
    "operators": "x; touch pwned & touch pwned | touch pwned && touch pwned",
    "option": "x --output=pwned > pwned",
    "expansion": "${IFS}$HOME${x:=$(touch pwned)}$((y=1)) * ~ {a,b}",
    "backslash": "\\$(touch pwned)\\n\\",
}
PLACES = {
    "bare": "printf %s {}",
    "single": "printf %s '{}'",
    "double": 'printf %s "{}"',
    "in a word": "printf %s a{}b | sed 's/^a//; $ s/b$//'",
    "here-document": "cat <<EOF\n{}\nEOF",
    "quoted here-document": "cat <<'EOF'\n{}\nEOF",
    "substitution": "printf %s \"$(printf %s '{}')\"",
    "here-document in a substitution": "printf %s \"$(cat <<'EOF'\n{}\nEOF\n)\"",
    "assignment": 'V={}; printf %s "$V"',
    "nested shell": "V={} sh -c 'printf %s \"$V\"'",
}


def workflow(shell: str, keys: str = "") -> str:
    ask = '[[steps]]\nname = "ask"\nprompt = "?"\n'
    return f'{ask}[[steps]]\nname = "use"\nshell = {json.dumps(shell)}\n{keys}\n'


@pytest.mark.parametrize("place", PLACES)
def test_t2_every_payload_is_data_in_every_place(project: Project, place: str) -> None:
    project.workflow("w", workflow(PLACES[place].replace("{}", "{{ steps.ask.output }}")))
    for payload in PAYLOADS.values():
        project.write("answer", payload)
        done = project.lok("w", "--json").document
        assert done["steps"]["use"]["outcome"] == "passed", done["steps"]["use"]["reason"]
        assert done["steps"]["use"]["output"] == payload.strip()
        assert done["steps"]["ask"]["output"] == payload
    assert not (project.root / "pwned").exists()


UNSAFE = {
    "command": "{}",
    "a word of a command": "git-{} x",
    "eval": "eval {}",
    "sh -c": "sh -c '{}'",
    "xargs": "echo x | xargs -I% sh -c {}",
    "ssh": "ssh host {}",
    "an interpreter": 'python3 -c "{}"',
    "awk": "awk '{}' file",
    "backticks": "echo `echo {}`",
    "arithmetic": "echo $(({} + 1))",
    "a parameter": "echo ${x:-{}}",
    "a here-string": "cat <<< {}",
    "a redirect": "echo x >&{}",
    "a variable's name": "{}=1",
    "behind a redirect": "eval 2>&1 {}",
    "a delimiter": "cat <<{}\nx\n{}",
    "find -exec": "find . -exec {} \\;",
    "env -S": "env -S {}",
    "trap": "trap {} EXIT",
}


@pytest.mark.parametrize("place", UNSAFE)
def test_t2_a_place_without_a_safe_spelling_is_refused_before_anything_runs(
    project: Project, place: str
) -> None:
    project.workflow("w", workflow(UNSAFE[place].replace("{}", "{{ steps.ask.output }}")))
    project.write("answer", "touch pwned")
    done = project.lok("w")
    assert done.code == 2
    assert ".lok/workflows/w.toml:6:" in done.err
    assert "argv" in done.err
    assert "unsafe_shell" in done.err
    assert not (project.root / "pwned").exists()


@pytest.mark.parametrize("value", ["-rf", "--upload-pack=x", "-"])
def test_t2_a_value_that_looks_like_an_option_is_refused(project: Project, value: str) -> None:
    project.workflow("w", workflow("git checkout {{ steps.ask.output }}"))
    project.write("answer", value)
    done = project.lok("w")
    assert done.code == 3
    assert "looks like an option" in done.err
    project.workflow("w", workflow("printf '%s' -- {{ steps.ask.output }}"))
    assert project.lok("w").code == 0


@pytest.mark.parametrize("size", [200_000, 3_000_000])
def test_t2_a_value_of_any_size_goes_through_stdin_and_never_breaks_a_command(
    project: Project, size: int
) -> None:
    project.write("answer", "x" * size)
    project.workflow("w", workflow("wc -c", 'stdin = "{{ steps.ask.output }}"'))
    assert project.lok("w").out.strip() == str(size)
    project.workflow("w", workflow("echo '{{ steps.ask.output }}'"))
    done = project.lok("w")
    assert done.code == 3
    assert "at most 120,000" in done.err
    assert "stdin" in done.err


def test_t2_a_nul_is_refused_and_what_is_no_text_is_shown_as_such(project: Project) -> None:
    project.workflow(
        "w", workflow("echo {{ steps.bytes.output }}", "") + NOT_TEXT.replace("BYTES", "a\\\\000b")
    )
    done = project.lok("w")
    assert done.code == 3
    assert "NUL" in done.err
    project.workflow(
        "w", workflow("echo {{ steps.bytes.output }}", "") + NOT_TEXT.replace("BYTES", "a\\\\377b")
    )
    assert project.lok("w", "-s", "use").out.strip() == "a\ufffdb"


NOT_TEXT = '[[steps]]\nname = "bytes"\nshell = "printf \'BYTES\'"\n'


def test_t2_argv_and_environment_are_never_read_as_code(project: Project) -> None:
    payload = "\n".join(PAYLOADS.values())
    project.write("answer", payload)
    project.write("show.sh", 'printf "%s|" "$1" "$V"')
    project.workflow(
        "w",
        '[[steps]]\nname = "ask"\nprompt = "?"\n[[steps]]\nname = "use"\n'
        'argv = ["sh", "show.sh", "{{ steps.ask.output }}"]\nenv = { V = "{{ steps.ask.output }}" }\n',
    )
    assert project.lok("w", "--json").document["steps"]["use"]["output"] == f"{payload}|{payload}|"
    assert not (project.root / "pwned").exists()


PASTED = workflow("echo {{ steps.ask.output }}; echo {{ env.HOME }}", "unsafe_shell = true")


def test_t2_unsafe_shell_is_refused_in_ci_where_its_text_is_not_typed(project: Project) -> None:
    project.write("answer", "$(echo pasted)")
    project.workflow("w", PASTED)
    assert project.lok("w").out.startswith("pasted\n")
    project.environ["CI"] = "true"
    done = project.lok("w")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("in CI no text but the workflow's arguments may become shell code") == 2
    assert ".lok/workflows/w.toml:6:15: " in done.err
    assert "`argv` or `stdin`" in done.err


@pytest.mark.parametrize(
    "placeholder", ["steps.ask.output", "env.X", "item", "project.root", "arg.1 ~ env.X"]
)
def test_t2_whatever_is_not_an_argument_was_not_typed(project: Project, placeholder: str) -> None:
    project.environ["CI"] = "1"
    keys = "unsafe_shell = true\nfor_each = [1]"
    project.workflow("w", workflow(f"echo {{{{ {placeholder} }}}}", keys))
    assert project.lok("w", "x").code == 2


def test_t2_what_the_operator_types_may_be_code_also_in_ci(project: Project) -> None:
    project.environ["CI"] = "true"
    project.workflow("w", workflow("{{ arg.1 }}; {{ '' }} echo {{ arg.1 }}", "unsafe_shell = true"))
    assert project.lok("w", "--", "echo typed").out == "typed\necho typed\n"


def test_t2_it_is_refused_in_pytest_too(project: Project) -> None:
    project.workflow("w", PASTED)
    command = [sys.executable, "-m", "pytest", "--lok"]
    done = forks.run(command, cwd=project.root, env={**project.environ, "CI": "true"})
    assert done.returncode == 2
    assert "in CI no text" in done.stdout
