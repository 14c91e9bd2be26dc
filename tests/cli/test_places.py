"""Steps at places of a fleet, by `lok run` and by pytest: real processes of this machine, as a user has them."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.projects import Project
from tests.fleet.stories import alive
from tests.workspace.test_git_state import git

LOCAL = '[fleet]\nscheduler = "local"\nworkers = 1\n'
BACKEND = """\
[[backends.editor.replies]]
reply = '{"edits": [{"file": "one", "old": "1", "new": "2"}]}'
[backends.editor]
type = "scripted"
"""
WHOLE = """\
[[steps]]
name = "build"
on = "local-1"
shell = "mkdir dist; echo w > dist/a.whl; printf '#!/bin/sh\\necho ran\\n' > dist/tool; chmod +x dist/tool; touch x"
artifacts = ["dist/*"]

[[steps]]
name = "test"
needs = { cores = 1 }
shell = "test ! -e x || exit 9; cat dist/a.whl; dist/tool; echo $PWD > $SEEN; env > $SEEN.env; cat one"
env = { SEEN = "{{ env.SEEN }}" }
depends_on = ["build"]
artifacts = []

[[steps]]
name = "publish"
argv = ["dist/tool"]
depends_on = ["test"]

[[steps]]
name = "red"
needs = { cores = 1 }
shell = "echo no; echo why >&2; exit 3"

[[steps]]
name = "flaky"
needs = { cores = 1 }
retries = 2
retry_delay = 1
shell = "echo x >> $SEEN.flaky; test $(grep -c x $SEEN.flaky) = 2"
env = { SEEN = "{{ env.SEEN }}" }

[[steps]]
name = "late"
needs = { cores = 1 }
timeout = "300ms"
argv = ["sleep", "300.0625"]

[[steps]]
name = "many"
on = "local-1"
shell = "yes | head -c 20000000"

[[steps]]
name = "each"
needs = { cores = 1 }
for_each = ["1", "2"]
shell = "echo {{ item }} > made-{{ item }}"
artifacts = ["made-*"]

[[steps]]
name = "after"
needs = { cores = 1 }
shell = "cat made-1 made-2"
depends_on = ["each"]

[[steps]]
name = "nested"
workflow = "inner"

[[steps]]
name = "rests"
needs = { cores = 1 }
shell = "cat deep/made"
depends_on = ["nested"]

[[steps]]
name = "edit"
backend = "editor"
prompt = "Make it two."
apply_edits = true
verify = "grep -q 2 one && test -f .git/shallow"
on = "local-1"
depends_on = ["test"]
"""


INNER = """\
[[steps]]
name = "deep"
on = "local-1"
shell = "mkdir deep; cat dist/a.whl > deep/made || echo alone > deep/made"
artifacts = ["deep/*"]
"""


@pytest.fixture
def repo(project: Project) -> Project:
    project.write(".gitignore", "dist\ndeep\nhome\nseen*\n")
    project.write("one", "1\n")
    project.workflow("inner", INNER)
    project.write("lok.toml", LOCAL + BACKEND)
    git(project.root, "init", "-q")
    git(project.root, "add", "-A")
    git(project.root, "commit", "-qm", "x")
    project.environ |= {"SEEN": str(project.root / "seen"), "ANTHROPIC_API_KEY": "sk-secret-key"}
    return project


def results(project: Project, name: str, text: str) -> Mapping[str, Any]:
    project.workflow(name, text)
    done = project.lok("run", name, "--json")
    steps: Mapping[str, Any] = done.document["steps"]
    return steps


def section(step: Mapping[str, Any], title: str) -> str:
    return "\n".join(it["text"] for it in step["sections"] if it["title"] == title)


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_workflow_comes_to_the_same_there_as_here(repo: Project) -> None:
    there = results(repo, "there", WHOLE)
    seen = Path(repo.environ["SEEN"])
    assert Path(seen.read_text().strip()).parent.name == "work"
    assert "sk-secret" not in seen.with_name("seen.env").read_text()
    assert there["test"]["output"] == "w\nran\n1"
    assert "ran on local-1" in section(there["red"], "fleet")
    assert "timed out after 0.3 s" in there["late"]["reason"]
    assert not alive("300.0625")
    assert there["flaky"]["attempts"] == 2
    assert section(there["build"], "artifacts").split() == [
        "dist/a.whl",
        "2",
        "bytes",
        "dist/tool",
        "19",
        "bytes",
    ]
    # what nobody named has stayed there, and what was named is kept with the run
    assert not (repo.root / "x").exists()
    (record,) = (repo.root / ".lok" / "runs").glob("2*")
    assert (record / "artifacts" / "there" / "build" / "dist" / "a.whl").read_text() == "w\n"

    git(repo.root, "checkout", "-q", ".")
    for left in ("dist/a.whl", "dist/tool", "made-1", "made-2", "seen.flaky"):
        (repo.root / left).unlink()
    (repo.root / "dist").rmdir()
    lines = [line for line in WHOLE.splitlines() if not line.startswith(("on =", "needs ="))]
    # what a file has of the place, and what a command has left that nobody named, is not here
    text = "\n".join(lines).replace("; touch x", "").replace(" && test -f .git/shallow", "")
    here = results(repo, "here", text)
    # how much of the middle is dropped depends on how it came
    assert len(there["many"]["output"]) < 9_000_000 > len(here["many"]["output"])
    for name, step in there.items():
        for key in ("outcome", "reason", "exit_code", "attempts", *([] if name == "many" else ["output"])):
            assert step[key] == here[name][key], (name, key)


def test_a_place_that_is_killed_in_the_middle_is_an_error_that_says_so(repo: Project) -> None:
    repo.workflow(
        "w",
        """\
[[steps]]
name = "x"
on = "local-1"
retries = 3
effects = true
shell = "echo x >> $SEEN; kill -9 $PPID; sleep 300.03125"
env = { SEEN = "{{ env.SEEN }}" }
""",
    )
    done = repo.lok("run", "w")
    assert done.code == 3
    assert "x was started on local-1, and its outcome is unknown" in done.err
    assert Path(repo.environ["SEEN"]).read_text() == "x\n"
    until(lambda: not alive("300.03125"))


def test_ctrl_c_leaves_nothing_behind(repo: Project) -> None:
    shell = "echo $PPID > $SEEN; setsid sleep 300.015625 & sleep 300.015625"
    env = 'env = { SEEN = "{{ env.SEEN }}" }'
    repo.workflow("w", f'[[steps]]\nname = "x"\non = "local-1"\nshell = "{shell}"\n{env}\n')
    with repo.started("run", "w") as process:
        until(lambda: len(alive("300.015625")) >= 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "may still run" not in err
    assert not alive("300.015625")
    place = Path(repo.environ["SEEN"]).read_text().strip()
    until(lambda: not Path("/proc", place).exists())


def test_no_place_that_fits_is_an_error_at_once(repo: Project) -> None:
    needs = ("needs = { cores = 1000 }", 'on = "gpu"\nretries = 5')
    text = "".join(f'[[steps]]\nname = "s{n}"\n{it}\nshell = "true"\n' for n, it in enumerate(needs))
    steps = results(repo, "w", text)
    assert "no place has 1000 cores; there are: local-1: " in steps["s0"]["reason"]
    assert "no place labelled 'gpu' has 1 core; there are: local-1: " in steps["s1"]["reason"]
    assert {(it["outcome"], it["attempts"]) for it in steps.values()} == {("error", 1)}


def test_repositories_of_a_list_share_one_connection(repo: Project, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "n").write_text(name)
        git(tmp_path / name, "init", "-q")
        git(tmp_path / name, "add", "-A")
        git(tmp_path / name, "commit", "-qm", "x")
    repo.write("list", f"{tmp_path / 'one'}\n{tmp_path / 'two'}\n")
    # both wait for each other: so the second does not begin when the first is over
    shell = "echo $PPID >> $SEEN; until [ $(wc -l < $SEEN) = 2 ]; do sleep 0.01; done; cat n > made"
    repo.write("lok.toml", LOCAL.replace("1", "2"))
    needs = 'on = "local-1"\nneeds = { cores = 0.5 }\nartifacts = ["made"]\nenv = { SEEN = "{{ env.SEEN }}" }'
    repo.workflow("w", f'[[steps]]\nname = "x"\nshell = "{shell}"\n{needs}\n')
    assert repo.lok("run", "w", "--each", "list").code == 0
    assert len(set(Path(repo.environ["SEEN"]).read_text().split())) == 1
    assert [(tmp_path / name / "made").read_text() for name in ("one", "two")] == ["one", "two"]


def test_what_is_kept_of_a_run_has_its_artifacts_or_runs_again(repo: Project) -> None:
    repo.workflow(
        "w",
        """\
[[steps]]
name = "build"
on = "local-1"
shell = "mkdir dist; echo x >> $SEEN; cp $SEEN dist/made"
env = { SEEN = "{{ env.SEEN }}" }
artifacts = ["dist/made"]

[[steps]]
name = "use"
on = "local-1"
shell = "cat dist/made; exit 1"
depends_on = ["build"]
""",
    )
    assert repo.lok("run", "w").out == "x\n\nexit code: 1\n".replace("\n\n", "\n")
    assert repo.lok("resume").out == "x\nexit code: 1\n"
    (repo.root / "dist" / "made").unlink()
    assert "what it made is gone" in (again := repo.lok("resume")).err
    assert again.out == "x\nx\nexit code: 1\n"


def test_files_of_no_repository_cannot_travel(project: Project) -> None:
    project.write("lok.toml", LOCAL)
    step = results(project, "w", '[[steps]]\nname = "x"\non = "local-1"\nshell = "true"\n')["x"]
    assert step["outcome"] == "error"
    assert f"{project.root} is in no git repository" in step["reason"]


def test_without_a_fleet_nothing_begins(repo: Project) -> None:
    repo.write("lok.toml", "")
    repo.workflow(
        "w", '[[steps]]\nname = "a"\nshell = "touch ran"\n[[steps]]\nname = "x"\non = "big"\nshell = "true"\n'
    )
    done = repo.lok("run", "w")
    assert done.code == 2
    assert "w.toml:4: step `x` runs at a place of a fleet, and no fleet is set" in done.err
    assert not (repo.root / "ran").exists()
    assert repo.lok("run", "w", "--step", "a").code == 0


def test_a_change_that_nobody_trusts_is_judged_on_this_machine(repo: Project) -> None:
    repo.write("lok.toml", f"{LOCAL}default = true\n")
    repo.workflow("away", '[[steps]]\nname = "x"\non = "local-1"\nshell = "cat one"\n')
    repo.workflow("usual", '[[steps]]\nname = "x"\nshell = "cat .git/shallow one"\n')
    git(repo.root, "add", "-A")
    git(repo.root, "commit", "-qm", "base")
    repo.write("one", "2\n")
    git(repo.root, "commit", "-qam", "head")
    refused = repo.lok("gate", "away", "--base", "HEAD~1")
    assert refused.code == 2
    assert (
        "away.toml:1: step `x` runs at a place of a fleet, and a change that nobody trusts is" in refused.err
    )
    judged = repo.lok("gate", "usual", "--base", "HEAD~1", "-v")
    assert judged.code == 1
    assert "cat: .git/shallow" in judged.out  # which is only at a place
    # the control: on its own the same command travels
    assert repo.lok("run", "usual").code == 0
