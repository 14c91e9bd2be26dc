"""The settings' command wrapper runs the whole command inside, with its values, whatever they hold."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.shell.compiler import ShellCommand, check_wrapper, wrap
from pytest_lok.errors import SourceError, TemplateError
from tests.core.shell.shells import filled

PATH = os.defpath
EMPTY = f"env -i PATH={PATH}"

# Wrappers as people have them; the programs are scripts in the tests' own directory, like the real ones.
WRAPPERS = [
    "{cmd}",
    "sh -c '{cmd}'",
    'sh -c "{cmd}"',
    f"{EMPTY} sh -c '{{cmd}}'",
    f"{EMPTY} {{cmd}}",
    f"{EMPTY} bash -c '{{cmd}}'",
    "nix-shell --run '{cmd}'",
    'nix-shell --pure --run "{cmd}"',
    "direnv exec . {cmd}",
    "docker exec -i box sh -c '{cmd}'",
    "docker exec -i box {cmd}",
    "nix develop --command {cmd}",
    "timeout 60 {cmd}",
    "cd . && {cmd}",
    "sh -c 'cd . && {cmd}'",
    "sh -c 'cd . && {cmd} || exit 7'",
    'sh -c "cd . && {cmd}; exit $?"'.replace("$?", "0"),
    "bash -c 'sh -c \"{cmd}\"'",
    "A=1 {cmd}",
    "wrap --run='{cmd}'",
    "ssh box '{cmd}'",
    "if true; then {cmd}; fi",
    "( {cmd} ) | cat",
]

PROGRAMS = {
    "nix-shell": 'while [ "$1" != --run ]; do shift; done; exec env -i PATH="$PATH" bash -c "$2"',
    "direnv": 'shift 2; exec "$@"',
    "docker": 'shift 3; exec env -i PATH="$PATH" "$@"',
    "nix": 'shift 2; exec env -i PATH="$PATH" "$@"',
    "wrap": 'exec sh -c "${1#--run=}"',
    "ssh": 'shift; exec env -i PATH="$PATH" sh -c "$*"',
}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wrappers")
    for name, script in PROGRAMS.items():
        (root / name).write_text(f"#!/bin/sh\n{script}\n")
        (root / name).chmod(0o755)
    return root


def _run(text: str, programs: Path, shell: str = "sh") -> subprocess.CompletedProcess[bytes]:
    path = f"{programs}:{PATH}"
    return subprocess.run(
        [shell, "-c", text], env={"PATH": path}, capture_output=True, stdin=subprocess.DEVNULL, timeout=30
    )


SCRIPT = """\
printf '%s,' {{ arg.a }} "$(printf %s '{{ arg.a }}')" && false || cat <<'E'
$x `y` \\ {{ arg.a }}
E
printf '%s' "$((1 + 1))"; exit 0
"""


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_the_whole_command_runs_inside_with_its_values(wrapper: str, programs: Path) -> None:
    assert check_wrapper(wrapper) is None
    value = 'it\'s "$(touch no)" `no`\n\\ -x; & | * ~ é EOF'
    done = _run(wrap(filled(SCRIPT, a=value), wrapper), programs)
    assert done.stderr == b""
    assert done.stdout.decode() == f"{value},{value},$x `y` \\ {value}\n2"


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_no_part_of_the_command_runs_outside(wrapper: str, programs: Path) -> None:
    """``a && b`` stays together: what it exits with is what the wrapper sees."""
    outside = wrap(ShellCommand(text="false && echo no; exit 3", values={}), wrapper)
    done = _run(outside + "\necho status $?", programs)
    assert b"no" not in done.stdout
    if "|" not in wrapper and "exit" not in wrapper:
        assert done.stdout == b"status 3\n"


@settings(deadline=None, max_examples=25)
@given(
    value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.text("'\"\\$`\n -")
)
@pytest.mark.parametrize("wrapper", [f"{EMPTY} sh -c '{{cmd}}'", f"{EMPTY} bash -c 'cd . && {{cmd}}'"])
def test_any_value_reaches_an_empty_environment(wrapper: str, value: str, programs: Path) -> None:
    done = _run(wrap(filled("printf %s {{ arg.a }}", a=value), wrapper), programs)
    assert (done.stdout, done.stderr) == (os.fsencode(value), b"")


def test_values_without_placeholders_travel_too(programs: Path) -> None:
    command = ShellCommand(
        text='printf "%s %s" "$A" "$(env printf %s "$B")"', values={"A": "a 'b'", "B": "$x"}
    )
    assert _run(wrap(command, f"{EMPTY} sh -c '{{cmd}}'"), programs).stdout == b"a 'b' $x"
    child = ShellCommand(text="sh -c 'printf %s \"$A\"'", values={"A": "exported"})
    assert _run(wrap(child, f"{EMPTY} sh -c '{{cmd}}'"), programs).stdout == b"exported"


@pytest.mark.parametrize(
    ("wrapper", "why"),
    [
        ("nix-shell", "has no {cmd}"),
        ("", "has no {cmd}"),
        ("sh -c '{command}'", "has no {cmd}"),
        ("sh -c '{cmd}; {cmd}'", "twice"),
        ("sh -c '{cmd}", "never closed"),
        ("sh -c {cmd}", "in quotes"),
        ("bash -lc {cmd}", "in quotes"),
        ("nix-shell --run {cmd}", "in quotes"),
        ("ssh box {cmd}", "in quotes"),
        ("timeout 5 ssh box {cmd}", "in quotes"),
        ("eval {cmd}", "in quotes"),
        ("wrap --run={cmd}", "word of its own"),
        ("x{cmd}", "word of its own"),
        ("'{cmd}'", "argument of a command"),
        ("A='{cmd}' sh", "argument of a command"),
        ("A={cmd} sh", "word of its own"),
        ("sh <<E\n{cmd}\nE", "argument of a command"),
        ("sh # {cmd}", "inside a comment"),
        ("sh > {cmd}", "the target of a redirect"),
        ("`{cmd}`", "backticks"),
        ("echo $(({cmd}))", "calculates"),
        ("echo ${x:-{cmd}}", "inside ${…}"),
        ("echo \\{cmd}", "backslash"),
        ('sh -c "cd $HOME && {cmd}"', "single quotes"),
        ('sh -c "`x` {cmd}"', "single quotes"),
        ("sh -c 'a <(b) {cmd}'", "<(b"),
        ("sh -c 'echo # {cmd}'", "inside a comment"),
        ("sh -c 'sh -c {cmd}'", "in quotes"),
        ("sh -c 'exec sh -c '\\''{cmd}'\\'", "one pair of quotes"),
        ("sh -c 'a; '\"{cmd}\"", "one pair of quotes"),
        ("sh -c 'a '{cmd}' b'", "word of its own"),
        ("for x in {cmd}; do :; done", "word of its own"),
        ("a <(b) {cmd}", "<(b"),
    ],
)
def test_a_wrapper_without_a_safe_place_is_said_before_it_is_used(wrapper: str, why: str) -> None:
    message = check_wrapper(wrapper)
    assert message is not None
    assert why in message
    with pytest.raises(SourceError):
        wrap(ShellCommand(text="true", values={}), wrapper)


def test_a_wrapped_command_has_the_limit_of_an_argument() -> None:
    wrapper = "sh -c '{cmd}'"
    assert wrap(ShellCommand(text="true", values={"A": "x" * 120_000}), wrapper)
    with pytest.raises(TemplateError, match="bytes") as raised:
        wrap(ShellCommand(text="true", values={"A": "x" * 70_000, "B": "y" * 70_000}), wrapper)
    assert "`stdin`" in raised.value.hint


def test_a_variable_that_no_shell_can_set_is_an_error() -> None:
    with pytest.raises(TemplateError, match="'A-B' cannot be set"):
        wrap(ShellCommand(text="true", values={"A-B": "1"}), "sh -c '{cmd}'")
