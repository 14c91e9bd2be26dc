"""T5: a child sees what it needs and no more: no model's key but its own, no file that commands CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.projects import Project

KEYS = {
    "CLAUDE_KEY": "of claude",
    "OTHER_KEY": "of the other",
    "ANTHROPIC_API_KEY": "known",
    "OPENAI_API_KEY": "known",
}
CI_FILES = dict.fromkeys(
    ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"), "/ci/file"
)
SHELL_STARTUP = {"BASH_ENV": "/startup"}
PEOPLES = {"GH_TOKEN": "of people", "CARGO_HOME": "/cargo", "EDITOR": "vi", "LD_LIBRARY_PATH": "/lib"}
NEEDED = {"LANG": "C.UTF-8", "TERM": "xterm", "SSL_CERT_FILE": "/certs", "https_proxy": "http://proxy"}

SPY = '#!/bin/sh\nenv -0 > "{}/$(basename "$0").env"\ncat > /dev/null\necho answer\n'
WORKFLOW = """
[[steps]]
name = "shell"
shell = "env -0 > ../shell.env"
env = { DECLARED = "yes" }
[[steps]]
name = "argv"
argv = ["sh", "-c", "env -0 > ../argv.env"]
env = { DECLARED = "yes" }
[[steps]]
name = "each"
for_each = [1]
shell = "env -0 > ../each.env"
env = { DECLARED = "yes" }
[[steps]]
name = "claude"
prompt = "?"
backend = "claude-spy"
verify = "env -0 > ../verify.env"
[[steps]]
name = "other"
prompt = "?"
backend = "other-spy"
"""
SETTINGS = """
[defaults]
env_policy = "{}"
[backends.claude-spy]
type = "command"
command = "claude-spy"
api_key_env = "CLAUDE_KEY"
[backends.other-spy]
type = "command"
command = "other-spy"
api_key_env = "OTHER_KEY"
env = ["EDITOR"]
"""


@pytest.fixture
def spying(project: Project, tmp_path: Path) -> Project:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("claude-spy", "other-spy"):
        (tools / name).write_text(SPY.format(tmp_path))
        (tools / name).chmod(0o755)
    del project.environ["PYTHONPATH"]
    project.environ["PATH"] = f"{tools}:{project.environ['PATH']}"
    project.environ |= KEYS | CI_FILES | SHELL_STARTUP | PEOPLES | NEEDED
    project.workflow("w", WORKFLOW)
    return project


def seen(project: Project, policy: str) -> dict[str, dict[str, str]]:
    """The environment of every child, by its step; without what shells make up, and our own mark."""
    project.write("lok.toml", SETTINGS.format(policy))
    done = project.lok("w")
    assert done.code == 0, done.err
    found = {}
    for path in project.root.parent.glob("*.env"):
        pairs = (pair.partition("=") for pair in path.read_text().split("\0") if pair)
        found[path.stem] = {
            name: value for name, _, value in pairs if name not in ("PWD", "OLDPWD", "SHLVL", "_")
        }
        assert found[path.stem].pop("LOK_PROCESS")
        found[path.stem].pop("LOK_TRUST", None)
    return found


def base(project: Project) -> dict[str, str]:
    return {name: project.environ[name] for name in ("PATH", "HOME")} | NEEDED


def test_t5_commands_see_the_users_environment_without_keys_and_ci_files(spying: Project) -> None:
    children = seen(spying, "inherit")
    assert children.keys() == {"shell", "argv", "each", "verify", "claude-spy", "other-spy"}
    for child in ("shell", "argv", "each"):
        assert children[child] == base(spying) | PEOPLES | {"DECLARED": "yes"}
    assert children["verify"] == base(spying) | PEOPLES


def test_t5_clean_commands_see_an_allow_list_and_what_they_declare(spying: Project) -> None:
    children = seen(spying, "clean")
    for child in ("shell", "argv", "each"):
        assert children[child] == base(spying) | {"DECLARED": "yes"}
    assert children["verify"] == base(spying)


@pytest.mark.parametrize("policy", ["inherit", "clean"])
def test_t5_a_model_sees_an_allow_list_its_own_key_and_what_it_is_passed(
    spying: Project, policy: str
) -> None:
    children = seen(spying, policy)
    plain = base(spying) | {"NO_COLOR": "1"}
    assert children["claude-spy"] == plain | {"CLAUDE_KEY": "of claude"}
    assert children["other-spy"] == plain | {"OTHER_KEY": "of the other", "EDITOR": "vi"}


def test_t5_a_workflow_may_hand_on_what_it_names(spying: Project) -> None:
    spying.write("lok.toml", SETTINGS.format("clean"))
    spying.workflow("w", "[[steps]]\nname = 'a'\nshell = 'echo $T'\nenv = { T = '{{ env.CARGO_HOME }}' }\n")
    assert spying.lok("w").out == "/cargo\n"


def test_t5_nothing_is_loaded_from_the_directory(spying: Project) -> None:
    spying.write(".env", "INJECTED=1\nPATH=/evil\n")
    assert all("INJECTED" not in child for child in seen(spying, "inherit").values())
