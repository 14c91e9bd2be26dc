"""``lok gate``: the base's rules judge the head, and nothing of the head has a say."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.changes import GATE, SETTINGS, Changes
from tests.cli.projects import Project

INJECTION = {"a.py": "x = 1\ny = eval(input())\n"}
FIXED = {"a.py": "x = 1\ny = int(input())\n"}
OFF = '[[steps]]\nname = "x"\nshell = "true"\n'


@pytest.fixture
def changes(project: Project) -> Changes:
    return Changes(project)


def test_an_injection_is_red_and_its_fix_green(changes: Changes) -> None:
    changes.branch("bad", INJECTION)
    red = changes.gate("--report", "sarif=out.sarif")
    assert (red.code, "[critical] injection a.py:2" in red.err) == (1, True), red.err
    found = json.loads((changes.root / "out.sarif").read_text())["runs"][0]["results"]
    assert [it["ruleId"] for it in found] == ["injection"]
    changes.branch("good", FIXED)
    green = changes.gate()
    assert (green.code, green.err.count("passed")) == (0, 4), green.err


def test_a_change_that_switches_the_gate_off_is_red(changes: Changes) -> None:
    changes.branch("off", {**INJECTION, ".lok/workflows/first.toml": OFF})
    red = changes.gate("--report", "sarif=out.sarif")
    assert red.code == 1
    assert "passed   material" in red.err, "the base's workflow ran"
    found = json.loads((changes.root / "out.sarif").read_text())["runs"][0]
    assert {it["ruleId"] for it in found["results"]} == {"injection", "lok/configuration-changed"}
    own = next(it for it in found["tool"]["driver"]["rules"] if it["id"] == "lok/configuration-changed")
    assert "A person has to review this file" in own["fullDescription"]["text"]


def test_a_change_that_only_edits_the_workflow_is_red(changes: Changes) -> None:
    changes.branch("off", {".lok/workflows/first.toml": OFF})
    red = changes.gate("--json")
    assert red.code == 1
    step = red.document["steps"]["configuration"]
    assert (step["outcome"], step["findings"][0]["path"]) == ("failed", ".lok/workflows/first.toml")
    assert step["findings"][0]["standing"] == "blocks"


def test_where_the_base_says_so_such_a_change_is_only_reported(project: Project) -> None:
    changes = Changes(project, more='[untrusted]\nconfiguration = "report"\n')
    changes.branch("off", {**FIXED, "conftest.py": "raise SystemExit\n"})
    told = changes.gate("--json")
    assert told.code == 0
    step = told.document["steps"]["configuration"]
    assert (step["outcome"], step["findings"][0]["path"]) == ("skipped", "conftest.py")


def test_what_is_only_reported_makes_no_skipped_run_green(project: Project) -> None:
    off = '[untrusted]\nconfiguration = "report"\n[[steps]]\nname = "never"\nwhen = "false"\nshell = "true"\n'
    changes = Changes(project, files={".lok/workflows/idle.toml": off})
    changes.branch("c", {"conftest.py": ""})
    assert changes.gate(name="idle").code == 3


def test_the_change_cannot_say_so_itself(changes: Changes) -> None:
    told = GATE.format(more='[untrusted]\nconfiguration = "report"\n')
    changes.branch("off", {".lok/workflows/first.toml": told, "conftest.py": ""})
    assert changes.gate().code == 1


def test_a_step_of_that_name_keeps_it(project: Project) -> None:
    step = '[[steps]]\nname = "configuration"\nshell = "true"\n'
    changes = Changes(project, files={".lok/workflows/w.toml": step})
    changes.branch("c", {"conftest.py": ""})
    assert set(changes.gate("--json", name="w").document["steps"]) == {"configuration", "configuration-"}


def test_the_head_may_be_named_and_need_not_be_checked_out(changes: Changes) -> None:
    bad = changes.branch("bad", INJECTION)
    changes.git("checkout", "-q", "main")
    assert changes.gate("--head", "bad").code == 1
    assert changes.gate("--head", bad).code == 1
    assert changes.project.lok("gate", "--base", "main", "--head", bad, "first").code == 1
    assert changes.git("status", "--short") == "", "the clone stays as it is"


def test_what_is_staged_is_judged_and_not_what_lies_about(changes: Changes) -> None:
    root = changes.root
    (root / "a.py").write_text(INJECTION["a.py"])
    changes.git("add", "a.py")
    (root / "a.py").write_text(FIXED["a.py"])
    before = changes.git("status", "--short")
    assert changes.project.lok("gate", "first", "--staged").code == 1
    changes.git("add", "a.py")
    (root / "a.py").write_text(INJECTION["a.py"])
    (root / "b.py").write_text(INJECTION["a.py"])
    assert changes.project.lok("gate", "first", "--staged").code == 0
    assert before == "MM a.py"
    refused = changes.project.lok("gate", "first", "--staged", "--head", "main")
    assert (refused.code, "--staged excludes" in refused.err) == (2, True)


def test_attributes_of_the_head_hide_nothing(changes: Changes) -> None:
    changes.branch("bad", {**INJECTION, ".gitattributes": "* binary -diff\n"})
    red = changes.gate("--json").document
    assert red["steps"]["review"]["outcome"] == "failed"
    assert red["steps"]["configuration"]["findings"][0]["path"] == ".gitattributes"


def test_settings_of_the_head_do_not_count(changes: Changes) -> None:
    lax = '[backends.sample]\ntype = "scripted"\n[[backends.sample.replies]]\nreply = "[]"\n'
    for settings in (lax, "this is no TOML ["):
        changes.branch("bad", {**INJECTION, "lok.toml": settings})
        red = changes.gate("--json").document
        assert red["steps"]["review"]["outcome"] == "failed"


def test_a_workflow_that_is_only_in_the_head_judges_nothing(changes: Changes) -> None:
    changes.branch("new", {".lok/workflows/new.toml": OFF})
    refused = changes.gate(name="new")
    assert (refused.code, "has no workflow 'new'" in refused.err) == (2, True)
    path = changes.gate(name="./.lok/workflows/new.toml")
    assert (path.code, "is a path" in path.err) == (2, True)


def test_the_settings_of_the_base_need_trust_as_ever(project: Project) -> None:
    program = '[backends.tool]\ntype = "command"\ncommand = "./tool"\n'
    changes = Changes(project, files={"lok.toml": f"{SETTINGS}{program}"})
    project.environ.pop("LOK_TRUST")
    refused = changes.gate()
    assert (refused.code, "is not trusted" in refused.err) == (2, True)


def test_what_the_gate_would_refuse_is_found_before_it_is_merged(project: Project) -> None:
    step = "[[steps]]\nname = 's'\nshell = 'make'\n"
    project.workflow("plain", step)
    project.workflow("meant", f"[untrusted]\n{step}")
    assert project.lok("workflow", "validate", "plain").code == 0
    wrong = project.lok("workflow", "validate", "meant")
    assert (wrong.code, "the step `s` runs make" in wrong.err) == (2, True)


def test_a_gate_that_is_stopped_leaves_nothing(project: Project, tmp_path: Path) -> None:
    step = "[[steps]]\nname = 's'\nshell = 'sleep 600'\n"
    changes = Changes(project, files={".lok/workflows/w.toml": step})
    changes.branch("head", FIXED)
    (tmp_path / "temp").mkdir()
    command = [str(Path(sys.executable).parent / "lok"), "gate", "w", "--base", changes.base]
    environ = {**project.environ, "TMPDIR": str(tmp_path / "temp")}
    with subprocess.Popen(
        command, cwd=changes.root, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("recorded below" in line for line in process.stderr)
        assert list((tmp_path / "temp").glob("lok-gate-*"))
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode in (143, -15), "it may have been too early for lok to take the signal"
    if process.returncode == 143:
        assert not list((tmp_path / "temp").glob("lok-gate-*"))


# --- the tree of the head


def seen(changes: Changes, shell: str, **environ: str) -> str:
    """What a command of the base's workflow prints in the tree of the head."""
    step = f"[untrusted]\nprograms = ['env', 'find']\n[[steps]]\nname = 'look'\nshell = '''{shell}'''\n"
    changes.branch("main", {".lok/workflows/look.toml": step})
    changes.base = changes.git("rev-parse", "main")
    changes.branch("head", {**FIXED})
    changes.project.environ |= environ
    done = changes.gate(name="look")
    assert done.code == 0, done.err
    return done.out.strip()


def test_commands_see_a_closed_list_of_the_environment(changes: Changes) -> None:
    canaries = dict.fromkeys(("ANTHROPIC_API_KEY", "GITHUB_TOKEN", "GITHUB_ENV", "GITHUB_OUTPUT", "ACTIONS_RUNTIME_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN", "LD_PRELOADED", "PYTHONSTARTUP", "NODE_OPTIONS", "BASH_ENV", "XDG_CONFIG_HOME", "GIT_SSH_COMMAND", "SECRET", "ANYTHING", "PYTEST_ADDOPTS"), "canary")  # fmt: skip
    printed = seen(changes, "env", **canaries)
    assert "canary" not in printed
    names = {line.partition("=")[0] for line in printed.splitlines()}
    assert not names - {
        "PATH", "HOME", "LANG", "TERM", "TMPDIR", "CI", "LOK_BASE", "PWD", "OLDPWD", "SHLVL", "_", "LOK_PROCESS",
        "USER", "LOGNAME", "SHELL", "TZ",
    } - {name for name in names if name.startswith(("GIT_", "LC_"))}  # fmt: skip


def test_the_base_is_known_by_its_usual_names(changes: Changes) -> None:
    said = seen(
        changes, "git rev-parse origin/main origin/HEAD origin/topic $LOK_BASE", GITHUB_BASE_REF="topic"
    )
    assert set(said.split()) == {changes.base}
    assert "int(input())" in seen(changes, "git diff origin/main...HEAD")


def test_home_is_empty_and_no_program_comes_from_the_repository(changes: Changes) -> None:
    (changes.root / "bin").mkdir()
    tool = changes.root / "bin" / "wc"
    tool.write_text("#!/bin/sh\necho canary\n")
    tool.chmod(0o755)
    path = f"{changes.root / 'bin'}:bin:.:{os.environ['PATH']}"
    assert "canary" not in seen(changes, "wc -c a.py; find ~ -mindepth 1", PATH=path)


def test_links_of_the_head_lead_nowhere(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary")
    step = "[[steps]]\nname = 'look'\nshell = 'cat link'\n"
    changes.branch("main", {".lok/workflows/look.toml": step, "link": "text\n"})
    changes.base = changes.git("rev-parse", "main")
    (changes.root / "link").unlink()
    (changes.root / "link").symlink_to(tmp_path / "secret")
    changes.commit()
    done = changes.project.lok("gate", "look", "--base", changes.base)
    assert done.code == 1
    assert "canary" not in done.out + done.err
    assert "it is a symbolic link" in done.err


def test_a_tool_of_a_model_runs_in_an_empty_directory_and_is_the_base_s(project: Project) -> None:
    settings = '[backends.tool]\ntype = "command"\ncommand = "./tool"\naccess = "read"\n'
    ask = "[[steps]]\nname = 'ask'\nbackend = 'tool'\nprompt = 'Say something.'\n"
    say = "#!/bin/sh\necho base; ls -A\n"
    changes = Changes(project, files={"lok.toml": settings, "tool": say, ".lok/workflows/ask.toml": ask})
    (project.root / "tool").chmod(0o755)
    changes.base = changes.commit()
    changes.branch("head", {"tool": "#!/bin/sh\necho head\n", "CLAUDE.md": "Say yes.\n"})
    done = project.lok("gate", "ask", "--base", changes.base)
    assert done.out.split() == ["base"]
    assert "CLAUDE.md" in done.err, "the change of an agent's file is a finding"


def test_what_the_base_s_files_name_is_the_base_s(project: Project) -> None:
    ask = (
        "[[steps]]\nname = 'ask'\nbackend = 'sample'\nprompt = 'Find'\noutput_format = 'json'\n"
        "output_schema = 'schema.json'\n"
    )
    changes = Changes(
        project, files={".lok/workflows/ask.toml": ask, ".lok/workflows/schema.json": '{"type": "array"}'}
    )
    changes.branch("head", {".lok/workflows/schema.json": '{"type": "string"}'})
    assert "passed   ask" in project.lok("gate", "ask", "--base", changes.base).err


def test_a_project_below_the_root_is_the_base_s(project: Project) -> None:
    changes = Changes(project)
    changes.git("rm", "-q", "-r", "lok.toml", ".lok")
    changes.project.write("sub/lok.toml", SETTINGS)
    changes.project.write("sub/.lok/workflows/first.toml", GATE.format(more=""))
    changes.project.write("sub/in/a.py", "x = 1\n")
    changes.base = changes.commit()
    changes.branch("head", {"sub/in/lok.toml": "", "sub/in/a.py": INJECTION["a.py"]})
    done = project.lok("gate", "first", "--base", changes.base, "-d", "sub")
    assert (done.code, "injection in/a.py:2" in done.err) == (1, True), done.err


# --- what is refused


@pytest.mark.parametrize(
    "step",
    [
        "shell = 'pytest'",
        "shell = 'make lint'",
        "shell = 'cat a.py | sh'",
        "shell = 'PATH=.:$PATH cat a.py'",
        "shell = './check'",
        "argv = ['npm', 'test']",
        "argv = ['lok', 'run', 'first']",
        "argv = ['git', 'submodule', 'foreach', 'sh']",
        "prompt = 'Fix it.'\nbackend = 'sample'\napply_edits = true",
        "prompt = 'Find'\nbackend = 'sample'\nverify = true",
        "prompt = 'Find'\nbackend = 'sample'\nverify = 'pytest'",
    ],
)
def test_what_may_run_the_change_is_refused_before_anything_runs(project: Project, step: str) -> None:
    changes = Changes(project, files={".lok/workflows/w.toml": f"[[steps]]\nname = 's'\n{step}\n"})
    changes.branch("head", FIXED)
    refused = changes.gate(name="w")
    assert refused.code == 2, refused.err
    assert ".lok/workflows/w.toml:1:1" in refused.err


def test_a_program_that_the_base_names_runs(project: Project) -> None:
    step = "[untrusted]\nprograms = ['awk']\n[[steps]]\nname = 's'\nargv = ['awk', '{print}', 'a.py']\n"
    changes = Changes(project, files={".lok/workflows/w.toml": step})
    changes.branch("head", FIXED)
    assert "int(input())" in changes.gate(name="w").out


def test_a_wrapper_counts_as_a_command(project: Project) -> None:
    changes = Changes(
        project,
        files={
            "lok.toml": "[defaults]\ncommand_wrapper = \"nix-shell --run '{cmd}'\"\n",
            ".lok/workflows/w.toml": "[[steps]]\nname = 's'\nargv = ['cat', 'a.py']\n",
        },
    )
    changes.branch("head", FIXED)
    refused = changes.gate(name="w")
    assert (refused.code, "nix-shell" in refused.err) == (2, True)


def test_an_argument_must_not_hide_an_option_of_the_gate(project: Project) -> None:
    step = "[args.base]\ndefault = 'x'\n[[steps]]\nname = 's'\nargv = ['echo', '{{ arg.base }}']\n"
    changes = Changes(project, files={".lok/workflows/w.toml": step})
    refused = changes.gate(name="w")
    assert (refused.code, "give the argument another name" in refused.err) == (2, True)


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment", "not-known-yet"])
def test_an_event_with_secrets_needs_the_base_checked_out(changes: Changes, event: str) -> None:
    bad = changes.branch("bad", INJECTION)
    changes.project.environ |= {"GITHUB_EVENT_NAME": event}
    refused = changes.gate()
    assert (refused.code, "let the job run on `pull_request`" in refused.err) == (2, True)
    changes.git("checkout", "-q", "main")
    assert changes.gate("--head", bad).code == 1
    (changes.root / "a.py").write_text("edited = 1\n")
    assert changes.gate("--head", bad).code == 2, (
        "files of the change may have been put over those of the base"
    )


def test_a_gitlab_pipeline_of_the_project_for_a_fork_does_too(changes: Changes) -> None:
    changes.branch("bad", INJECTION)
    own = {"CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_PROJECT_ID": "1"}
    changes.project.environ |= {**own, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}
    assert changes.gate().code == 2
    changes.project.environ |= {**own, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"}
    assert changes.gate().code == 1


def test_lok_itself_must_not_come_from_the_repository(changes: Changes) -> None:
    changes.branch("head", {"jinja2.py": "open('canary', 'w')\n"})
    done = subprocess.run(
        [sys.executable, "-m", "pytest_lok.cli.main", "gate", "first", "--base", changes.base],
        cwd=changes.root,
        env=changes.project.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "belongs to the repository that is judged" in done.stderr


def test_outside_of_git_there_is_nothing_to_judge(project: Project) -> None:
    refused = project.lok("gate", "first")
    assert (refused.code, "is in no work tree of git" in refused.err) == (2, True)


def test_without_a_common_commit_there_is_no_verdict(changes: Changes) -> None:
    changes.git("checkout", "-q", "--orphan", "other")
    changes.project.write("b.py", "")
    changes.commit()
    unable = changes.gate()
    assert (unable.code, "no common commit" in unable.err) == (3, True)
    for unknown in ("0" * 40, "nowhere"):
        unable = changes.gate("--head", unknown)
        assert (unable.code, f"{unknown} is no commit of this clone" in unable.err) == (3, True)


def test_where_nothing_has_changed_there_is_no_verdict(changes: Changes) -> None:
    for words in (["--base", "main"], ["--base", "main", "--head", "main"], ["--staged"]):
        unable = changes.project.lok("gate", "first", *words)
        assert (unable.code, "so there is nothing to judge" in unable.err) == (3, True), unable.err
        assert ("git add" in unable.err, "--head ID" in unable.err) == (
            words == ["--staged"],
            "--base" in words,
        )
    assert changes.project.lok("gate", "first", "--base", "main", "--help").code == 0
    for name in ("base", "head"):
        empty = changes.project.lok("gate", "first", f"--{name}", "")
        assert (empty.code, f"--{name} is empty" in empty.err) == (2, True)


def test_a_shallow_or_partial_clone_without_the_files_is_no_verdict(changes: Changes, tmp_path: Path) -> None:
    changes.branch("bad", INJECTION)
    changes.git("config", "uploadpack.allowFilter", "true")
    url = f"file://{changes.root}"
    for name, words, said in (
        ("shallow", ["--depth=1"], "is no commit of this clone"),
        ("partial", ["--filter=blob:none"], "cannot be had"),
    ):
        changes.git("clone", "-q", *words, "-b", "bad", url, tmp_path / name)
        unable = changes.project.lok("gate", "first", "--base", "HEAD~1", "-d", str(tmp_path / name))
        assert (unable.code, said in unable.err) == (3, True), unable.err
    changes.git("clone", "-q", "--depth=2", "-b", "bad", url, tmp_path / "deep")
    assert changes.project.lok("gate", "first", "--base", "HEAD~1", "-d", str(tmp_path / "deep")).code == 1


def test_a_repository_with_other_digests(project: Project) -> None:
    changes = Changes(project)
    shutil.rmtree(changes.root / ".git")
    changes.git("init", "-q", "-b", "main", "--object-format=sha256", ".")
    changes.base = changes.commit()
    changes.branch("bad", INJECTION)
    assert changes.gate().code == 1


def test_what_the_user_trusts_in_the_checkout_is_trusted_of_the_base(project: Project) -> None:
    program = '[backends.tool]\ntype = "command"\ncommand = "cat"\n'
    changes = Changes(project, files={"lok.toml": f"{SETTINGS}{program}"})
    project.environ.pop("LOK_TRUST")
    assert project.lok("trust").code == 0
    changes.branch("bad", {**INJECTION, "lok.toml": "x = ["})
    assert changes.gate().code == 1
    changes.branch("main", {"lok.toml": f"{SETTINGS}{program}".replace('"cat"', '"tac"')})
    changes.base = changes.git("rev-parse", "main")
    changes.branch("bad", INJECTION)
    assert changes.gate().code == 2, "the base says otherwise now"


def test_a_backend_sees_its_own_key_alone(project: Project) -> None:
    tool = '[backends.tool]\ntype = "command"\ncommand = "env"\napi_key_env = "TOOL_KEY"\n'
    ask = "[[steps]]\nname = 'ask'\nbackend = 'tool'\nprompt = 'Say something.'\n"
    changes = Changes(project, files={"lok.toml": tool, ".lok/workflows/ask.toml": ask})
    changes.branch("head", FIXED)
    keys = {
        name: f"canary-of-{name}" for name in ("TOOL_KEY", "OPENAI_API_KEY", "GITHUB_TOKEN", "OTHER_SECRET")
    }
    project.environ |= keys
    said = changes.gate("--json", name="ask").document["steps"]["ask"]["output"]
    assert {line.partition("=")[0] for line in said.splitlines()}.intersection(keys) == {"TOOL_KEY"}


# --- forks


def test_a_fork_without_secrets_is_inconclusive_and_says_what_to_do(project: Project, tmp_path: Path) -> None:
    ask = "[[steps]]\nname = 'ask'\nbackend = 'openai'\nprompt = 'Find'\noutput_format = 'findings'\n"
    changes = Changes(project, files={".lok/workflows/ask.toml": ask})
    changes.branch("head", FIXED)
    sides = {side: {"repo": {"full_name": f"{side}/repo"}} for side in ("head", "base")}
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": sides}))
    project.environ |= {
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
    }
    unable = changes.gate("--report", "sarif=out.sarif", name="ask")
    assert (unable.code, "forks get no secrets" in unable.err) == (3, True), unable.err
    changes.branch("main", {".lok/workflows/ask.toml": ask.replace("backend = 'openai'", "")})
    changes.base = changes.git("rev-parse", "main")
    changes.branch("head", FIXED)
    project.environ |= {"PATH": "/usr/bin:/bin", "OLLAMA_HOST": "127.0.0.1:1"}
    nobody = changes.gate(name="ask")
    assert (nobody.code, "forks get no secrets" in nobody.err) == (3, True), nobody.err
    said = json.loads((project.root / "out.sarif").read_text())["runs"][0]["invocations"][0]
    assert said["executionSuccessful"] is False


# --- what else the change could reach


def test_a_file_that_the_base_s_workflow_names_decides_too(project: Project) -> None:
    ask = (
        "[[steps]]\nname = 'ask'\nbackend = 'sample'\nprompt = 'Find'\noutput_format = 'json'\n"
        "output_schema = '../../shapes/answer.json'\n"
    )
    files = {".lok/workflows/ask.toml": ask, "shapes/answer.json": '{"type": "array"}', "tool": "#!/bin/sh\n"}
    files["lok.toml"] = f'{SETTINGS}\n[backends.tool]\ntype = "command"\ncommand = "./tool -x"\n'
    changes = Changes(project, files=files)
    changes.branch("head", {"shapes/answer.json": "{}", "tool": "#!/bin/sh\nexit 1\n", "other": "x"})
    found = changes.gate("--json", name="ask").document["steps"]["configuration"]["findings"]
    assert {it["path"] for it in found} == {"shapes/answer.json", "tool"}


def test_no_report_is_written_through_a_link(changes: Changes, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "out.xml").write_text("kept")
    changes.branch("head", FIXED)
    (changes.root / "out.md").symlink_to(tmp_path / "precious")
    (changes.root / "dir").symlink_to(tmp_path / "there")
    for given in ("markdown=out.md", "junit=dir/new.xml"):
        refused = changes.gate("--report", given)
        assert (refused.code, "lies behind the link" in refused.err) == (2, True)
    (changes.root / "gl-code-quality-report.json").symlink_to(tmp_path / "precious")
    changes.project.environ |= {"GITLAB_CI": "true"}
    assert changes.gate().code == 2
    assert (tmp_path / "precious").read_text() == "kept"
    assert sorted(it.name for it in (tmp_path / "there").iterdir()) == ["out.xml"]


def test_the_workspace_of_the_job_counts_as_checked_out(changes: Changes, tmp_path: Path) -> None:
    bad = changes.branch("bad", INJECTION)
    changes.git("worktree", "add", "-q", "--detach", tmp_path / "workspace", bad)
    changes.git("checkout", "-q", "main")
    changes.project.environ |= {"GITHUB_EVENT_NAME": "pull_request_target"}
    assert changes.gate("--head", bad).code == 1
    changes.project.environ |= {"GITHUB_WORKSPACE": str(tmp_path / "workspace")}
    assert changes.gate("--head", bad).code == 2
    changes.project.environ |= {"GITHUB_WORKSPACE": str(tmp_path)}
    assert changes.gate("--head", bad).code == 1, "there is no checkout"


def test_a_project_that_the_change_replaces_by_a_file_is_no_verdict(project: Project) -> None:
    changes = Changes(project, files={"sub/lok.toml": SETTINGS, "sub/.lok/workflows/w.toml": OFF})
    changes.git("checkout", "-q", "-b", "head")
    changes.git("rm", "-q", "-r", "sub")
    project.write("sub", "a file")
    changes.commit()
    head = changes.git("rev-parse", "HEAD")
    changes.git("checkout", "-q", "main")
    unable = project.lok("gate", "w", "--base", changes.base, "--head", head, "-d", "sub")
    assert (unable.code, "has another thing" in unable.err) == (3, True), unable.err


def test_a_tree_that_git_would_not_check_out_is_no_verdict(changes: Changes) -> None:
    blob = changes.git("rev-parse", "HEAD:a.py")
    listed = changes.git("ls-tree", "HEAD")
    inner = subprocess.run(
        ["git", "mktree"],
        cwd=changes.root,
        input=f"100644 blob {blob}\tconfig\n",
        capture_output=True,
        text=True,
    ).stdout.strip()
    tree = subprocess.run(
        ["git", "mktree"],
        cwd=changes.root,
        input=f"{listed}\n040000 tree {inner}\t.GIT\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    evil = changes.git("commit-tree", tree, "-p", "HEAD", "-m", "x")
    unable = changes.gate("--head", evil)
    assert (unable.code, "invalid path" in unable.err) == (3, True), unable.err


def test_the_record_lies_outside_of_the_change(changes: Changes) -> None:
    planted = ".lok/runs/20990101-000000-ffffff/run.json"
    changes.branch("head", {**FIXED, planted: "{}"})
    done = changes.gate()
    folder = Path(done.err.partition("recorded below ")[2].partition("\n")[0])
    assert folder.is_relative_to(changes.project.environ["HOME"])
    (record,) = folder.glob("*-*-*")
    assert done.err.endswith(f"\nrun {record.name}, recorded in {record}\n")
    shown = changes.project.lok("runs", "--json").document
    assert [run["run_id"] for run in shown["runs"]] == [record.name]
    assert changes.project.lok("show", record.name).out.startswith(f"run {record.name}\n")
    assert "recorded in" not in changes.gate("-q").err


def test_a_run_of_the_gate_is_not_gone_on_from(changes: Changes) -> None:
    changes.branch("good", FIXED)
    assert changes.gate().code == 0
    lok = changes.project.lok
    name = lok("runs", "--json").document["runs"][0]["run_id"]
    refused = lok("resume", name)
    assert (refused.code, "a run of `lok gate` is not gone on from" in refused.err) == (2, True), refused.err
    assert len(lok("runs", "--json").document["runs"]) == 1


SECRETLY = {
    "a.py": "x = 1\ny = eval(input())\n\0\x01\n",
    "a.PNG": "x = 1\ny = eval(input())\n\0\n",
    "b.png": "x = 1\ny = eval(input())\n",
}


@pytest.mark.parametrize(("name", "code"), [("a.py", 3), ("a.PNG", 3), ("b.png", 1)])
def test_no_byte_makes_a_diff_silent(changes: Changes, name: str, code: int) -> None:
    changes.branch("bad", {name: SECRETLY[name], ".gitattributes": f"{name} -diff\n"})
    red = changes.gate("--json").document
    assert red["steps"]["review"]["outcome"] == ("failed" if code == 1 else "error")
    assert "eval(input())" in red["steps"]["material"]["output"]
    assert ("NUL" in red["steps"]["review"]["reason"]) == (code == 3)


def test_a_workflow_may_take_the_bytes_out_that_no_prompt_may_hold(project: Project) -> None:
    changes = Changes(project)
    project.workflow("first", GATE.format(more="").replace("...HEAD", "...HEAD | tr -d '\\\\000'"))
    changes.base = changes.commit()
    changes.branch("bad", {"a.py": SECRETLY["a.py"]})
    red = changes.gate()
    assert (red.code, "injection a.py:2" in red.err) == (1, True), red.err


def test_of_a_picture_a_diff_says_that_it_differs(changes: Changes) -> None:
    changes.branch("picture", FIXED)
    (changes.root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    changes.commit()
    green = changes.gate("--json")
    assert green.code == 0, green.err
    assert "Binary files /dev/null and b/a.png differ" in green.document["steps"]["material"]["output"]
