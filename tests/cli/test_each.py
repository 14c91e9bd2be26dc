"""``lok run NAME --each FILE``: mixtures of repositories against an oracle, and whatever may go wrong."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_lok.store.calls import call_folders
from pytest_lok.store.runs import RunStore
from tests.cli.each_lists import KINDS, WORKFLOW, Repositories, git
from tests.cli.projects import Project
from tests.workspace.processes.test_runner import alive


@pytest.fixture
def repositories(project: Project, monkeypatch: pytest.MonkeyPatch) -> Repositories:
    fetched = project.root.parent / "fetched"
    fetched.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(fetched))
    project.environ["TMPDIR"] = str(fetched)
    project.workflow("w", WORKFLOW)
    return Repositories(project)


def records(project: Project) -> list[str]:
    folders = call_folders(project.root / ".lok" / "each")
    stores = (RunStore(folder, root=project.root) for folder in folders)
    return [record.beginning.repository for store in stores for record in store.believed()]


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(list(KINDS)), st.integers(0, 2)), min_size=1, max_size=7, unique=True
    ),
    jobs=st.integers(1, 5),
)
def test_each_row_comes_to_what_its_kind_comes_to_and_all_to_the_worst(
    repositories: Repositories, kinds: list[tuple[str, int]], jobs: int
) -> None:
    project = repositories.project
    lines = [repositories.line(*kind) for kind in kinds]
    before = len(records(project))
    expected = [KINDS[kind] for kind, _ in kinds]
    codes = {code for _, code in expected}
    worst = 1 if 1 in codes else 3 if 3 in codes else 0
    options = ["--each", str(repositories.list(lines)), "--jobs", str(jobs), "--report", "junit=j.xml"]

    done = project.lok("run", "w", *options, "--json")

    assert done.code == worst
    document = done.document
    assert document["exit_code"] == worst
    assert document["outcome"] == {0: "passed", 1: "failed", 3: "inconclusive"}[worst]
    rows = document["repositories"]
    assert [row["repository"] for row in rows] == lines
    assert [(row["verdict"], row["exit_code"]) for row in rows] == expected
    assert all(bool(row["reasons"]) == (row["verdict"] != "passed") for row in rows)
    suites = list(ElementTree.fromstring(Path("j.xml").read_text()))
    assert [suite.get("name") for suite in suites] == [f"lok.w: {line}" for line in lines]
    for suite, (verdict, _) in zip(suites, expected, strict=True):
        assert (suite.find("*/failure") is not None) == (verdict == "failed")
        assert (suite.find("*/error") is not None) == (verdict in ("error", "inconclusive"))
        assert {case.get("classname") for case in suite} == {suite.get("name")}
    assert len(records(project)) == before + len(lines)
    assert sorted(records(project)[: len(lines)]) == sorted(lines)
    assert not list((project.root.parent / "fetched").iterdir())


def test_people_get_a_table_in_the_order_of_the_list_and_the_verdict(repositories: Repositories) -> None:
    file = repositories.list(repositories.line(kind, 0) for kind in KINDS)
    done = repositories.project.lok("run", "w", "--each", file)
    assert done.code == 1
    heads = [line for line in done.out.splitlines()[1:] if not line.startswith(" ")]
    assert [line.split()[0] for line in heads] == [verdict for verdict, _ in KINDS.values()]
    assert "    step judge: failed: the command exited with code 1" in done.out
    last = done.err.splitlines()[-1]
    assert last.startswith("w: failed in ")
    assert "9 repositories: 2 passed, 2 failed, 1 inconclusive, 4 errors" in last
    quiet = repositories.project.lok("run", "w", "--each", file, "-q")
    assert (quiet.code, quiet.out, len(quiet.err.splitlines())) == (1, "", 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no repository is listed"),
        ("# none\n\n", "no repository is listed"),
        ("../a\n../a\n", "list.txt:2: the same repository as in line 1"),
        ("../project\n.\n", "list.txt:2: the same directory as in line 1"),
        ("https://h.example/a\n", "list.txt:1: a URL needs @COMMIT"),
        ("a\x07\n", "list.txt:1: there is an unprintable character"),
        (b"ok\n\xff\n", "list.txt:2: this is no UTF-8"),
        (None, "cannot be read: "),
    ],
)
def test_a_list_that_is_none_is_an_error_before_anything_runs(
    repositories: Repositories, text: str | bytes | None, said: str
) -> None:
    project = repositories.project
    project.workflow("w", '[[steps]]\nname = "s"\nshell = "touch ../ran"\n')
    file = project.root / "list.txt"
    if text is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    Path("j.xml").write_text("old")
    done = project.lok("run", "w", "--each", "list.txt", "--report", "junit=j.xml")
    assert done.code == 2
    assert said in done.err
    assert not Path("j.xml").exists()
    assert not (project.root.parent / "ran").exists()
    assert records(project) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--each", "list.txt", "--resume"], "--resume goes on from one run"),
        (["--each", "list.txt", "--record=none"], "--record keeps the answers"),
        (["--each", "list.txt", "--reviewed", "f"], "--reviewed is the state"),
        (["--each", "list.txt", "--report", "sarif=f"], "places findings in the files of one repository"),
        (["--each", "list.txt", "--report", "html=f", "-o", "f"], "name one file"),
        (["--each", "list.txt", "--jobs", "0"], "--jobs"),
        (["--each", "."], "cannot be read"),
        (["--jobs", "2"], "add --each FILE"),
    ],
)
def test_what_cannot_go_together_is_said(repositories: Repositories, words: list[str], said: str) -> None:
    repositories.list([repositories.line("good", 0)])
    done = repositories.project.lok("run", "w", *words)
    assert done.code == 2
    assert said in done.err
    assert records(repositories.project) == []


def test_nothing_that_lies_in_a_repository_is_obeyed(repositories: Repositories, tmp_path: Path) -> None:
    project = repositories.project
    seen = tmp_path / "seen"
    tool = project.write("tool", f"#!/bin/sh\ncat > /dev/null; pwd >> {seen}; ls -A >> {seen}; echo fine\n")
    tool.chmod(0o755)
    project.write("lok.toml", '[backends.x]\ntype = "command"\ncommand = "./tool"\n')
    steps = '[[steps]]\nname = "env"\nshell = "env; git status --short"\n'
    project.workflow("w", f'{steps}[[steps]]\nname = "s"\nbackend = "x"\nprompt = "hi"\n')
    url = repositories.repository("foreign", "exit 0")
    foreign = repositories.root / "foreign"
    (foreign / "lok.toml").write_text(f'[backends.x]\ntype = "command"\ncommand = "touch {tmp_path}/evil"\n')
    (foreign / "tool").write_text(f"#!/bin/sh\ntouch {tmp_path}/evil\n")
    (foreign / "tool").chmod(0o755)
    (foreign / ".lok" / "workflows").mkdir(parents=True)
    (foreign / ".lok" / "workflows" / "w.toml").write_text('[[steps]]\nname = "s"\nshell = "touch evil"\n')
    git(project.root, "init", "-q")
    project.environ |= {
        "GIT_DIR": str(project.root / ".git"),
        "GIT_WORK_TREE": str(project.root),
        "GIT_INDEX_FILE": str(project.root / ".git" / "index"),
        "GITHUB_EVENT_PATH": "/nowhere",
        "GITHUB_EVENT_NAME": "push",
    }
    repositories.list(["../repositories/foreign", url])
    done = project.lok("run", "w", "--each", "list.txt", "--json", "-v")
    assert done.code == 0, done.err
    assert "no file of a repository is read by x" in done.err
    assert f"{url[:-28]}: passed   env" in done.err
    for row in done.document["repositories"]:
        said = row["run"]["steps"]["env"]["output"]
        assert not {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "LOK_TRUST", "GITHUB_EVENT_PATH"} & {
            line.partition("=")[0] for line in said.splitlines()
        }
        assert row["run"]["head"] == url.partition("@")[2]
    assert "?? tool" in done.document["repositories"][0]["run"]["steps"]["env"]["output"]
    assert not list(tmp_path.rglob("evil"))
    # each question in a directory of its own, which is empty
    told = seen.read_text().splitlines()
    assert len(told) == 2
    assert not [line for line in told if str(repositories.root) in line or line == str(project.root)]


def test_what_a_repository_has_accepted_and_merged_counts_there(repositories: Repositories) -> None:
    project = repositories.project
    finding = {"path": "judge", "line": 1, "severity": "high", "title": "t", "evidence": "#!/bin/sh"}
    answer = json.dumps({"findings": [{**finding, "rule_id": "r", "message": "m", "confidence": 1.0}]})
    project.write("lok.toml", f"[backends.x]\ntype = \"scripted\"\nreplies = [{{ reply = '{answer}' }}]\n")
    step = '[[steps]]\nname = "s"\nbackend = "x"\nprompt = "?"\noutput_format = "findings"\n'
    rules = '[rules]\nr = { severity = "high" }\n'
    file = project.workflow("w", f'[gate]\nbaseline = "new"\nscope = "all"\n{rules}{step}')
    urls = [repositories.repository(name, "exit 0") for name in ("accepts", "does-not")]
    there = repositories.root / "accepts"
    made = project.lok("-d", there, "-c", "lok.toml", "baseline", file, "--reason", "known")
    assert made.code == 0, made.err
    git(there, "add", "-A")
    git(there, "commit", "-qm", "accept")
    repositories.list([*urls, "../repositories/accepts", "../repositories/does-not"])
    done = project.lok("run", "w", "--each", "list.txt", "--json")
    rows = done.document["repositories"]
    assert [row["verdict"] for row in rows] == ["passed", "failed", "passed", "failed"], done.out
    assert "baseline" in rows[0]["run"]["steps"]["s"]["set_aside"][0]


def test_limits_and_the_budget_hold_for_all_together(repositories: Repositories) -> None:
    project = repositories.project
    project.write("lok.toml", '[backends.x]\ntype = "scripted"\nreplies = [{ reply = "yes" }]\n')
    alone = "mkdir ../lock && sleep 0.02 && rmdir ../lock"
    ask = 'name = "ask"\nbackend = "x"\ndepends_on = ["alone"]\nprompt = "?"\n'
    project.workflow(
        "w", f'[budget]\ncalls = 2\n[[steps]]\nname = "alone"\nshell = "{alone}"\n[[steps]]\n{ask}'
    )
    repositories.list(repositories.line("good", number) for number in range(4))
    done = project.lok("run", "w", "--each", "list.txt", "--max-parallel", "1", "--jobs", "4", "--json")
    assert done.code == 3
    steps = [row["run"]["steps"] for row in done.document["repositories"]]
    assert [it["alone"]["outcome"] for it in steps] == ["passed"] * 4
    assert sorted(it["ask"]["outcome"] for it in steps) == ["error", "error", "passed", "passed"]
    assert done.document["usage"]["calls"] == 2


def test_nobody_is_waited_for_in_many_repositories(repositories: Repositories) -> None:
    project = repositories.project
    project.workflow(
        "w", '[[steps]]\nname = "s"\nshell = "true"\n\n[[steps]]\nname = "ok"\napprove = "ship?"\n'
    )
    file = repositories.list([repositories.line("good", 0)])
    done = project.lok("run", "w", "--each", file)
    assert done.code == 2
    assert "w.toml:5: step `ok` waits for a person, and no run of --each goes on" in done.err
    assert project.lok("run", "w", "--each", file, "-s", "s").code == 0


def test_a_backend_that_takes_one_question_at_once_gets_one_of_all_repositories(
    repositories: Repositories, tmp_path: Path
) -> None:
    project = repositories.project
    lock = f"mkdir {tmp_path}/lock && sleep 0.02 && rmdir {tmp_path}/lock"
    project.write("tool", f"#!/bin/sh\ncat > /dev/null; {lock} && echo yes\n").chmod(0o755)
    project.write("lok.toml", '[backends.x]\ntype = "command"\ncommand = "./tool"\nmax_concurrent = 1\n')
    project.workflow("w", '[[steps]]\nname = "s"\nbackend = "x"\nprompt = "hi"\n')
    file = repositories.list(repositories.line("good", number) for number in range(4))
    done = project.lok("run", "w", "--each", file)
    assert done.code == 0, done.out


def test_steps_run_at_places_of_a_fleet_with_the_files_of_their_repository(
    repositories: Repositories,
) -> None:
    project = repositories.project
    project.workflow(
        "w", '[[steps]]\nname = "s"\nneeds = { cores = 1 }\nshell = "./judge"\nartifacts = ["x"]\n'
    )
    judge = "touch x; cat name"
    urls = [repositories.repository(name, f"{judge}; echo {name}") for name in ("one", "two")]
    for name in ("one", "two"):
        (repositories.root / name / "name").write_text(f"new in {name}\n")
    file = repositories.list(["../repositories/one", "../repositories/two", *urls])
    none = project.lok("run", "w", "--each", file)
    assert none.code == 2
    assert "no fleet is set" in none.err
    assert records(project) == []
    project.write("lok.toml", '[fleet]\nscheduler = "local"\nworkers = 1\n')
    done = project.lok("run", "w", "--each", file, "--json")
    steps = [row["run"]["steps"]["s"] for row in done.document["repositories"]]
    assert [it["outcome"] for it in steps] == ["passed"] * 4, done.out
    said = [it["output"].splitlines() for it in steps]
    assert said[:2] == [["new in one", "one"], ["new in two", "two"]]
    assert [lines[-1] for lines in said[2:]] == ["one", "two"]


def test_a_repository_in_which_nothing_was_judged_is_no_yes(repositories: Repositories) -> None:
    project = repositories.project
    text = '[[steps]]\nname = "s"\nwhen = "false"\nshell = "true"\n'
    project.workflow("w", text)
    file = repositories.list([repositories.line("good", 0)])
    done = project.lok("run", "w", "--each", file)
    assert done.code == 3
    assert "nothing was judged" in done.out
    project.workflow("w", f"allow_skip = true\n{text}")
    done = project.lok("run", "w", "--each", file, "--json")
    assert (done.code, done.document["outcome"]) == (0, "skipped")


def test_a_step_that_is_blocked_by_a_skipped_one_is_no_yes_either(repositories: Repositories) -> None:
    project = repositories.project
    after = '[[steps]]\nname = "t"\ndepends_on = ["s"]\nshell = "true"\n'
    project.workflow("w", f'[[steps]]\nname = "s"\nwhen = "false"\nshell = "true"\n{after}')
    done = project.lok("run", "w", "--each", repositories.list([repositories.line("good", 0)]), "--json")
    assert done.document["outcome"] == ("passed" if done.code == 0 else "inconclusive")
    ran = [it["outcome"] for it in done.document["repositories"][0]["run"]["steps"].values()]
    assert ("passed" in ran) == (done.code == 0)


def test_a_dry_run_edits_nothing_and_says_where_the_edits_are(repositories: Repositories) -> None:
    project = repositories.project
    edits = '{"edits": [{"file": "judge", "old": "exit 0", "new": "exit 1"}]}'
    project.write("lok.toml", f"[backends.x]\ntype = \"scripted\"\nreplies = [{{ reply = '{edits}' }}]\n")
    project.workflow("w", '[[steps]]\nname = "e"\nbackend = "x"\nprompt = "?"\napply_edits = true\n')
    file = repositories.list([repositories.line("good", 0)])
    done = project.lok("run", "w", "--each", file, "--dry-run")
    assert "a dry run: the edits are shown, and not made" in done.out
    assert "\n== ../repositories/good-0 ==\n" in done.out
    assert "\n+exit 1\n" in done.out
    assert done.err.splitlines()[-1].startswith("w: nothing judged in ")
    assert "exit 0" in (repositories.root / "good-0" / "judge").read_text()
    assert project.lok("run", "w", "--each", file).code == 0
    assert "exit 1" in (repositories.root / "good-0" / "judge").read_text()


def test_the_first_that_is_not_green_stops_all_if_that_is_wanted(repositories: Repositories) -> None:
    lines = [repositories.line(*it) for it in (("good", 0), ("missing", 0), ("good", 1), ("red", 0))]
    file = repositories.list(lines)
    done = repositories.project.lok("run", "w", "--each", file, "--jobs", "1", "--fail-fast", "--json")
    assert done.code == 3
    rows = done.document["repositories"]
    assert [row["verdict"] for row in rows] == ["passed", "error", "not run", "not run"]
    assert rows[-1]["reasons"] == ["not run: fail-fast after ../repositories/missing-0: error"]


def test_a_path_among_the_arguments_is_looked_for_in_each_repository(repositories: Repositories) -> None:
    project = repositories.project
    project.workflow(
        "w", '[args.file]\ntype = "path"\nrequired = true\n[[steps]]\nname = "s"\nshell = "true"\n'
    )
    (repositories.root / "one").mkdir()
    (repositories.root / "one" / "x").touch()
    file = repositories.list(["../repositories/one", repositories.line("good", 0)])
    done = project.lok("run", "w", "--each", file, "--file", "x", "--json")
    assert [row["verdict"] for row in done.document["repositories"]] == ["passed", "error"]
    assert "there is no 'x' in " in done.document["repositories"][1]["reasons"][0]


def test_no_run_goes_on_from_one_of_them_and_none_is_dismissed_or_commented(
    repositories: Repositories,
) -> None:
    project = repositories.project
    file = repositories.list([repositories.line("good", 0), repositories.line("red", 0)])
    project.lok("run", "w", "--each", file)
    run = json.loads(project.lok("runs", "--json").out)["runs"][0]
    assert run["repository"] in file.read_text().splitlines()
    assert project.lok("show", run["run_id"]).code == 0
    assert run["repository"] in project.lok("report", run["run_id"], "--format", "junit").out
    for words in (["resume", run["run_id"]], ["comment", run["run_id"], "--pr", "1"]):
        done = project.lok(*words)
        assert done.code == 2
        assert f"is that of {run['repository']}, by --each" in done.err
    assert project.lok("resume").code == 2
    project.workflow("own", '[[steps]]\nname = "s"\nshell = "true"\n')
    project.lok("run", "own")
    project.lok("run", "w", "--each", file)
    project.lok("show")
    assert "--each" not in project.lok("comment", "--pr", "1").err
    assert "no run of w is recorded" in project.lok("run", "w", "--resume").err


def test_a_server_that_does_not_answer_is_an_error_row(repositories: Repositories) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a@{'1' * 40}"
        file = repositories.list([url, repositories.line("good", 0)])
        done = repositories.project.lok("run", "w", "--each", file, "--timeout", "0.3", "--json")
    assert done.code == 3
    rows = done.document["repositories"]
    assert "was not fetched within 0.3 s" in rows[0]["reasons"][0]


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.01)


def test_ctrl_c_ends_all_and_every_row_is_told(repositories: Repositories) -> None:
    project, root = repositories.project, repositories.root
    slow = repositories.directory("slow", f"echo $$ > {root}/pid; mv {root}/pid {root}/began; exec sleep 600")
    lines = [repositories.line("good", 0), f"../repositories/{slow.name}", repositories.line("good", 1)]
    file = repositories.list(lines)
    words = ("run", "w", "--each", file, "--jobs", "1", "--report", "junit=j.xml")
    with project.started(*words) as process:
        _wait_for(root / "began", process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 130, err
    assert [line.split()[0] for line in out.splitlines()[1:] if line[0] != " "] == [
        "passed",
        "inconclusive",
        "not",
    ]
    assert out.count("not run: interrupted by Ctrl-C") == 1
    suites = list(ElementTree.fromstring((project.root / "j.xml").read_text()))
    assert len(suites) == 3
    assert [suite.find("*/error") is not None for suite in suites] == [False, True, True]
    assert sorted(records(project)) == sorted(lines[:2])
    assert not alive(int((root / "began").read_text()))
    assert not list((project.root.parent / "fetched").iterdir())


def test_two_calls_at_once_share_nothing(repositories: Repositories) -> None:
    project = repositories.project
    lines = [repositories.line(*it) for it in (("good", 0), ("fetched", 0), ("red", 0))]
    file = repositories.list(lines)
    words = ("run", "w", "--each", file, "--json")
    with project.started(*words) as one, project.started(*words) as other:
        ended = [json.loads(process.communicate()[0]) for process in (one, other)]
    assert [one.returncode, other.returncode] == [1, 1]
    assert ended[0]["exit_code"] == ended[1]["exit_code"] == 1
    assert sorted(records(project)) == sorted(lines * 2)
