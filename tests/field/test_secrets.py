"""Secrets are seen by nobody who was not given them, in no part and no spelling; a log of CI obeys no output."""

from __future__ import annotations

import json
import sys

import pytest

from tests import forks
from tests.cli.projects import Project

LINES = "line-one-secret\nline-two-secret"
BODY = "bGluZS1vbmUtb2YtdGhlLWtleQ=="
PEM = f"-----BEGIN PRIVATE KEY-----\n{BODY}\nbGluZS10d28=\n-----END PRIVATE KEY-----\n"


def said(project: Project, text: str) -> str:
    """All that is shown and kept of a step that prints this."""
    project.workflow("w", f"[[steps]]\nname = 's'\nargv = ['printf', '%s', {json.dumps(text)}]\n")
    shown = project.lok("run", "w")
    document = project.lok("run", "w", "--json")
    forks.run(
        [sys.executable, "-m", "pytest", "--lok", "-q", "-rA", "--junitxml=j.xml", "-p", "no:cacheprovider"],
        cwd=project.root,
        env=project.environ,
    ).check_returncode()
    kept = [file.read_text() for file in (project.root / ".lok/runs").rglob("*") if file.is_file()]
    assert shown.code == 0
    return "".join([shown.out, shown.err, document.out, (project.root / "j.xml").read_text(), *kept])


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("MULTI_SECRET", LINES, "line-two-secret"),
        ("MULTI_SECRET", LINES.replace("\n", "\r\n"), "line-one-secret"),
        ("MULTI_SECRET", LINES.replace("\n", "\\n"), "line-two-secret"),
        ("DEPLOY_KEY", PEM, BODY),
        ("GCP_CREDENTIALS", json.dumps({"type": "service_account", "private_key": PEM}), BODY),
        ("DATABASE_URL", "postgres://user:s3cr3t-password@db.example/x", "s3cr3t-password"),
    ],
)
def test_every_part_that_can_stand_alone_is_masked(
    project: Project, name: str, value: str, line: str
) -> None:
    project.environ[name] = value
    everywhere = said(project, f"before {line} after service_account")
    assert line not in everywhere
    assert "before [redacted] after service_account" in everywhere


def test_the_whole_of_several_lines_is_masked_with_other_newlines_too(project: Project) -> None:
    project.environ["MULTI_SECRET"] = LINES.replace("\n", "\r\n")
    project.workflow("w", f"[[steps]]\nname = 's'\nargv = ['printf', '%s', {json.dumps(LINES)}]\n")
    assert project.lok("run", "w").out == "[redacted]\n"


def test_commands_see_no_token_that_nobody_named(project: Project) -> None:
    names = (
        "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_TOKEN", "MISTRAL_API_KEY", "OPENROUTER_API_KEY",
        "GROQ_API_KEY", "AWS_SECRET_ACCESS_KEY", "MY_PASSWORD",
    )  # fmt: skip
    kept = {
        "KEYBOARD": "qwertyuiop",
        "TOKENIZERS_PARALLELISM": "false",
        "GH_TOKEN": "for-gh",
        "DATABASE_URL": "x://y",
    }
    project.environ |= {name: f"value-of-{name}" for name in names} | kept
    project.write("lok.toml", '[defaults]\nenv = ["MY_PASSWORD"]\n')
    project.workflow(
        "w",
        "[[steps]]\nname = 's'\nshell = 'env > seen'\nenv = { GIVEN = '{{ env.GROQ_API_KEY }}' }\n",
    )
    for policy in ("inherit", "clean"):
        project.environ["LOK_ENV_POLICY"] = policy
        assert project.lok("run", "w").code == 0
        seen = dict(line.partition("=")[::2] for line in (project.root / "seen").read_text().splitlines())
        assert {name for name in names if name in seen} == {"MY_PASSWORD"}
        assert seen["GIVEN"] == "value-of-GROQ_API_KEY"
        assert (kept.items() <= seen.items()) is (policy == "inherit")


def test_commands_do_not_see_the_key_of_a_backend_whatever_its_variable_is_called(project: Project) -> None:
    project.environ |= {"GATEWAY": "value-of-the-key", "OTHER": "plain"}
    project.write(
        "lok.toml",
        '[backends.x]\ntype = "openai"\nbase_url = "http://127.0.0.1:9"\napi_key_env = "GATEWAY"\n',
    )
    for name, code in (("GATEWAY", 1), ("OTHER", 0)):
        project.workflow("w", f"[[steps]]\nname = 's'\nargv = ['printenv', '{name}']\n")
        assert project.lok("run", "w").code == code


@pytest.mark.parametrize("output", ["\x1b[31mred", "a\x9b31mb", "x\u202ey", "bell\x07", "a\x0db"])
def test_a_log_of_ci_spells_controls_out(project: Project, output: str) -> None:
    project.write("out", output)
    project.workflow("w", "[[steps]]\nname = 's'\nargv = ['cat', 'out']\n")
    raw = project.lok("run", "w").out
    assert raw == f"{output}\n", "a pipe gets what there is"
    project.environ["CI"] = "1"
    done = project.lok("run", "w")
    assert done.out.strip() == "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in output
    )
    project.lok("run", "w", "-o", "file.txt")
    assert (project.root / "file.txt").read_bytes().decode() == f"{output}\n", "a file does too"


@pytest.mark.parametrize("key", ["k", "ollama", "dummy"])
def test_a_short_key_masks_no_letters_of_messages(project: Project, key: str) -> None:
    project.environ["K"] = key
    project.write(
        "lok.toml",
        '[backends.x]\ntype = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/knownollamadummy"\napi_key_env = "K"\n',
    )
    done = project.lok("ask", "-b", "x", "hi")
    assert done.code == 3
    assert "***" not in done.out
    assert "knownollamadummy" in done.out
