"""The recipes for CI: their YAML is right, nobody can misuse it, and their shell parts do what they say.

Nothing here is a copy: the shell parts are taken out of the files, and run with a fake python, pip and gh in
a clean clone of a real repository, with the real lok.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pytest_lok.cli.main import main
from tests.fake_llm_api import FakeLLM
from tests.workspace.test_forge_reviews import There

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "pytest_lok" / "cli" / "recipes"
ACTION = ROOT / ".github" / "actions" / "lok" / "action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
BIN = Path(sys.executable).parent
SCHEMAS = {
    RECIPES / "github.yml": ["vendor.github-workflows"],
    ACTION: ["vendor.github-actions"],
    RECIPES / "gitlab.yml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}
WHO = {f"GIT_{who}_{what}": "x@x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
FINDING = [
    {
        "rule_id": "injection", "severity": "critical", "confidence": 0.9, "title": "text becomes code",
        "message": "Parse it.", "path": "app.py", "line": 2, "evidence": "eval(input())",
    }
]  # fmt: skip
REPO = "octo/cat"
BAD = {"app.py": "x = 1\ny = eval(input())\n"}
FIXED = {"app.py": "x = 1\ny = int(input())\n"}


def yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


# --- the files


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name)
def test_they_fit_the_schemas_of_their_services(file: Path) -> None:
    tool = BIN / "check-jsonschema"
    if not tool.exists():
        pytest.skip("check-jsonschema is not installed: make install")
    checked = subprocess.run(
        [tool, "--builtin-schema", *SCHEMAS[file], file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_nobody_can_misuse_them(tmp_path: Path) -> None:
    tool = BIN / "zizmor"
    if not tool.exists():
        pytest.skip("zizmor is not installed: make install")
    # it looks where GitHub does
    place = tmp_path / ".github" / "workflows"
    place.mkdir(parents=True)
    shutil.copy(RECIPES / "github.yml", place / "lok.yml")
    shutil.copytree(ACTION.parent, tmp_path / ".github" / "actions" / "lok")
    checked = subprocess.run(
        [tool, "--offline", "--no-progress", tmp_path], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    (place / "lok.yml").write_text(
        (place / "lok.yml").read_text().replace('"$BASE"', "${{ github.head_ref }}")
    )
    again = subprocess.run([tool, "--offline", "--no-progress", tmp_path], capture_output=True, check=False)
    assert again.returncode != 0, "zizmor looked at the file"


def test_the_job_with_the_key_writes_nothing_and_the_one_that_writes_has_no_key() -> None:
    recipe = yaml(RECIPES / "github.yml")
    review, comment = recipe["jobs"]["review"], recipe["jobs"]["comment"]
    assert recipe["permissions"] == {}
    assert set(review["permissions"].values()) == {"read"}
    assert "secrets." not in json.dumps(comment)
    assert "checkout" not in json.dumps(comment)
    assert {"pull_request", "merge_group"} == set(recipe["on"])


def test_the_page_names_each_of_them() -> None:
    page = (ROOT / "docs" / "ci.md").read_text()
    files = [*RECIPES.iterdir(), ACTION, HOOKS]
    assert [it.name for it in files if f"(../{it.relative_to(ROOT)})" not in page] == []


# --- what they run


class Forge:
    """A bare repository, as a forge has it, with a project whose ``main`` has the gate of `lok init`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.origin = folder, folder / "origin.git"
        self.environ = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **WHO,
        }
        for name in ("bin", "home", "temp"):
            (folder / name).mkdir()
        self.git("init", "-q", "--bare", "-b", "main", self.origin, cwd=folder)
        self.work = folder / "work"
        self.git("clone", "-q", self.origin, self.work, cwd=folder)
        self.write(
            {
                "app.py": "x = 1\n",
                "lok.toml": f'[backends.gateway]\ntype = "openai"\nmodel = "m"\nbase_url = "{url}/v1"\n'
                'api_key_env = "GATEWAY_KEY"\n[defaults]\nbackend = "gateway"\n',
            }
        )
        for system in ("github", "gitlab"):
            assert main(["--dir", str(self.work), "init", "--ci", system], self.environ) == 0
        self.base = self.commit("main")
        self.there = There(folder / "there", "gh")

    def git(self, *words: str | Path, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *map(str, words)],
            cwd=cwd or self.work,
            env=self.environ,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)

    def commit(self, branch: str) -> str:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", branch)
        self.git("push", "-q", "origin", f"HEAD:{branch}")
        return self.git("rev-parse", "HEAD")

    def change(self, name: str, files: Mapping[str, str]) -> str:
        """A branch of ``main`` with these files."""
        self.git("checkout", "-q", "-B", name, self.base)
        self.write(files)
        return self.commit(name)

    def clone(self, name: str, commit: str) -> Path:
        """A clean clone in which the change is checked out, as CI has it."""
        place = self.folder / f"clone-{name}"
        self.git("clone", "-q", "--no-checkout", self.origin, place, cwd=self.folder)
        self.git("checkout", "-q", "--detach", commit, cwd=place)
        return place

    def tool(self, name: str, text: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}")
        file.chmod(0o755)

    def sh(self, text: str, cwd: Path, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """A shell part, run as the services run one."""
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
            cwd=cwd,
            env={**self.environ, "CI": "true", **environ},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    rules = [{"match": "+y = eval(", "reply": json.dumps(FINDING)}, {"reply": "[]"}]
    with FakeLLM(rules) as server:
        made = Forge(tmp_path, server.url)
        # what `python -I -m venv lok` and `pip install` leave behind: this lok
        install = f'mkdir -p "$4/bin" && ln -sf {BIN / "lok"} "$4/bin/lok" && ln -sf {made.folder / "bin/pip"} "$4/bin/pip"\n'
        for name in ("python", "python3"):
            made.tool(name, f'test "$1 $2 $3" = "-I -m venv" || exit 9\n{install}')
        made.tool("pip", 'test "$*" = "install --quiet pytest-lok" || exit 9\n')
        # each call names the repository, and the fake forge has only that one
        named = f'test "$word" = "--repo={REPO}" || set -- "$@" "$word"'
        made.tool("gh", f'for word; do shift; {named}; done\nexec {made.folder / "there/bin/gh"} "$@"\n')
        yield made


class GitHubJob:
    """A run of the recipe of GitHub for a pull request."""

    def __init__(self, forge: Forge, name: str, head: str, recipe: Path | None = None) -> None:
        self.forge, self.head = forge, head
        self.jobs = yaml(recipe or forge.work / ".github/workflows/lok.yml")["jobs"]
        self.clone = forge.clone(name, head)
        self.temp = forge.folder / "temp" / name
        self.temp.mkdir()
        forge.there.set(head=head, diff=forge.git("diff", f"{forge.base}...{head}") + "\n")
        sides = {"base": forge.base, "head": head}
        change = {side: {"sha": sha, "repo": {"full_name": REPO}} for side, sha in sides.items()}
        self.github = {
            "event": {"pull_request": {**change, "number": 12}},
            "token": "token",
            "repository": REPO,
            "event_name": "pull_request",
        }
        (self.temp / "event.json").write_text(json.dumps(self.github["event"]))

    def run(self, job: str) -> list[subprocess.CompletedProcess[str]]:
        """The shell parts of a job, one after another, until one fails."""
        done: list[subprocess.CompletedProcess[str]] = []
        for step in self.jobs[job]["steps"]:
            if "run" not in step or (done and done[-1].returncode):
                continue
            environ = {
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_ACTIONS": "true",
                "GITHUB_EVENT_NAME": "pull_request",
                "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"),
                "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
                "GITHUB_BASE_REF": "main",
                **{name: self.value(str(text)) for name, text in step.get("env", {}).items()},
            }
            place = self.value(step.get("working-directory", str(self.clone)))
            assert "${{" not in step["run"]
            done.append(self.forge.sh(step["run"], Path(place), environ))
        return done

    def value(self, text: str) -> str:
        """A text with its expressions replaced: of names with dots the first that is there."""
        known = {
            "github": self.github,
            "runner": {"temp": str(self.temp)},
            "secrets": {"GATEWAY_KEY": "sk-canary-1234567890"},
        }

        def one(found: re.Match[str]) -> str:
            for path in found[1].split("||"):
                value: Any = known
                for part in path.strip().split("."):
                    value = value.get(part) if isinstance(value, dict) else None
                if value is not None:
                    return str(value)
            raise AssertionError(f"{found[1]} is nothing")

        return re.sub(r"\$\{\{ ([^}]+) \}\}", one, text)


def test_a_pull_request_with_an_injection_is_red_and_its_fix_green(forge: Forge) -> None:
    bad = GitHubJob(forge, "bad", forge.change("bad", BAD))
    done = bad.run("review")
    assert [it.returncode for it in done] == [0, 1], done[-1].stderr
    assert "::error file=app.py,line=2" in done[-1].stdout
    reports = bad.temp / "reports"
    sarif = json.loads((reports / "lok.sarif").read_text())["runs"][0]
    assert [it["ruleId"] for it in sarif["results"]] == ["injection"]
    assert "text becomes code" in (reports / "lok.md").read_text()
    assert "text becomes code" in (reports / "lok.html").read_text()
    assert all("sk-canary" not in file.read_text() for file in reports.iterdir())

    done = bad.run("comment")
    assert [it.returncode for it in done] == [0, 0], done[-1].stderr
    (said,) = forge.there.bodies()
    assert "text becomes code" in said
    assert [(it["path"], it["line"]) for it in forge.there.load()["threads"]] == [("app.py", 2)]

    good = GitHubJob(forge, "good", forge.change("good", FIXED))
    done = good.run("review")
    assert [it.returncode for it in done] == [0, 0], done[-1].stderr
    assert json.loads((good.temp / "reports/lok.sarif").read_text())["runs"][0]["results"] == []
    assert [it.returncode for it in good.run("comment")] == [0, 0]
    (again,) = forge.there.bodies()
    assert "text becomes code" not in again, "one comment, in the place of the last one"
    assert [it["resolved"] for it in forge.there.load()["threads"]] == [True]


def test_an_entry_of_the_merge_queue_is_judged(forge: Forge) -> None:
    job = GitHubJob(forge, "bad", forge.change("bad", BAD))
    job.github["event"] = {"merge_group": {"base_sha": forge.base, "head_sha": job.head}}
    assert [it.returncode for it in job.run("review")] == [0, 1]


def test_a_change_that_switches_the_gate_off_is_red(forge: Forge) -> None:
    off = '[[steps]]\nname = "review"\nshell = "true"\n'
    changes = {
        "workflow": {".lok/workflows/first.toml": off, **BAD},
        "settings": {"lok.toml": '[defaults]\nbackend = "auto"\n', **FIXED},
        "job": {".github/workflows/lok.yml": "on: push\njobs: {}\n", **FIXED},
    }
    for name, files in changes.items():
        job = GitHubJob(forge, name, forge.change(name, files), RECIPES / "github.yml")
        forge_key = {"ANTHROPIC_API_KEY": "GATEWAY_KEY", "LOK_BACKEND: anthropic": "LOK_BACKEND: gateway"}
        text = (RECIPES / "github.yml").read_text()
        for old, new in forge_key.items():
            text = text.replace(old, new)
        (job.temp / "recipe.yml").write_text(text)
        job.jobs = yaml(job.temp / "recipe.yml")["jobs"]
        done = job.run("review")
        assert [it.returncode for it in done] == [0, 1], (name, done[-1].stderr)
        sarif = json.loads((job.temp / "reports/lok.sarif").read_text())["runs"][0]
        found = {it["ruleId"] for it in sarif["results"]}
        assert found == {"lok/configuration-changed"} | ({"injection"} if name == "workflow" else set())


def test_a_pull_request_that_has_moved_on_gets_no_comment(forge: Forge) -> None:
    job = GitHubJob(forge, "good", forge.change("good", FIXED))
    job.run("review")
    forge.there.set(head="f" * 40)
    done = job.run("comment")
    assert [it.returncode for it in done] == [0, 3]
    assert "the pull request is at ffffffffffff now" in done[-1].stderr
    assert forge.there.bodies() == []


def test_what_lies_in_the_change_is_not_imported_by_the_parts_that_install(forge: Forge) -> None:
    canary = f"open({str(forge.folder / 'canary')!r}, 'w')\n"
    names = ("venv.py", "pip.py", "sitecustomize.py", "click.py", "argparse.py", "pytest_lok/__init__.py")
    job = GitHubJob(forge, "evil", forge.change("evil", dict.fromkeys(names, canary)))
    done = job.run("review")
    assert [it.returncode for it in done] == [0, 1], done[-1].stderr
    assert not (forge.folder / "canary").exists()


def test_the_action_judges(forge: Forge) -> None:
    steps = [step for step in yaml(ACTION)["runs"]["steps"] if "run" in step]
    given = {"WORKFLOW": "first", "BASE": forge.base, "PACKAGE": "pytest-lok"}
    keys = {"LOK_BACKEND": "gateway", "LOK_TRUST": "1", "GATEWAY_KEY": "sk-canary-1234567890"}
    job = GitHubJob(forge, "bad", forge.change("bad", BAD))
    environ = {**given, **keys, "HEAD": job.head, "RUNNER_TEMP": str(job.temp)}
    codes = [
        forge.sh(step["run"], job.temp if "working-directory" in step else job.clone, environ).returncode
        for step in steps
    ]
    assert codes == [0, 1]
    names = {"lok.html", "lok.md", "lok.sarif", "lok.xml"}
    assert {it.name for it in (job.temp / "reports").iterdir()} == names
    # what comes from outside reaches the shell in variables alone
    assert "${{" not in "".join(step["run"] for step in steps)


def test_the_recipe_of_gitlab_judges(forge: Forge) -> None:
    for name, files, code in (("bad", BAD, 1), ("good", FIXED, 0)):
        head = forge.change(name, files)
        clone = forge.clone(name, head)
        job = yaml(forge.work / ".gitlab-ci.yml")["lok"]
        script = "\n".join(job["script"]).replace("/tmp/lok", str(forge.folder / "temp" / "lok"))
        environ = {
            **{key: str(value) for key, value in job["variables"].items()},
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            "CI_COMMIT_SHA": head,
            "CI_PROJECT_ID": "1",
            "CI_MERGE_REQUEST_PROJECT_ID": "1",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1",
            "GATEWAY_KEY": "sk-canary-1234567890",
        }
        done = forge.sh(script, clone, environ)
        assert done.returncode == code, done.stderr
        assert len(json.loads((clone / "lok.json").read_text())) == code
        listed = [*job["artifacts"]["paths"], *job["artifacts"]["reports"].values()]
        assert all((clone / path).is_file() for path in listed)


def test_the_recipe_of_jenkins_judges(forge: Forge) -> None:
    text = (RECIPES / "Jenkinsfile").read_text()
    parts = re.findall(r"sh '''\n(.*?)'''", text, re.DOTALL)
    assert len(parts) == 2
    clone = forge.clone("bad", forge.change("bad", BAD))
    environ = {
        "LOK_BACKEND": "gateway",
        "LOK_TRUST": "1",
        "WORKSPACE_TMP": str(forge.folder / "temp"),
        "CHANGE_TARGET": "main",
        "GATEWAY_KEY": "sk-canary-1234567890",
    }
    # in a Groovy string a backslash before a line's end is written as it is here
    codes = [forge.sh(part, clone, environ).returncode for part in parts]
    assert codes == [0, 1]
    assert (clone / "lok.xml").is_file()


def test_the_hook_judges_what_is_staged(forge: Forge) -> None:
    (hook,) = yaml(HOOKS)
    assert (hook["id"], hook["language"], hook["pass_filenames"]) == ("lok-gate", "python", False)
    work, environ = forge.work, {"LOK_TRUST": "1", "GATEWAY_KEY": "sk-canary-1234567890"}
    command = f"{hook['entry']} first"
    (forge.folder / "bin" / "lok").symlink_to(BIN / "lok")
    # git runs hooks with these
    environ |= {"GIT_INDEX_FILE": ".git/index", "GIT_PREFIX": ""}
    for files, code in ((BAD, 1), (FIXED, 0)):
        forge.write(files)
        forge.git("add", "app.py")
        forge.write({"app.py": "y = eval(input())  # not staged\n"})
        done = forge.sh(command, work, environ)
        assert done.returncode == code, done.stderr
