"""``lok baseline``: what is found now blocks no longer, once the base has it."""

from __future__ import annotations

import json
import subprocess

from tests.cli.projects import Project
from tests.core.reports import said

GATE = """
[gate]
baseline = "new"
[[steps]]
name = "review"
prompt = "{{ arg.1 | default('all') }}"
backend = "offline"
output_format = "findings"
"""


def offline(project: Project, answer: str) -> None:
    reply = f"[backends.offline]\ntype = 'scripted'\n[[backends.offline.replies]]\nreply = '''{answer}'''\n"
    project.write("lok.toml", reply)
    project.write("db.py", "db.execute(sql)\n")
    project.workflow("review", GATE)


def commit(project: Project) -> None:
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "x"]):
        who = ["-c", "user.name=x", "-c", "user.email=x"]
        subprocess.run(["git", *who, *arguments], cwd=project.root, check=True, capture_output=True)


def test_what_is_accepted_blocks_no_longer_once_it_is_on_the_base(project: Project) -> None:
    offline(project, said({}, {"evidence": "invented", "severity": "low"}))
    commit(project)
    assert project.lok("review").code == 1
    done = project.lok("baseline", "review")
    assert (done.code, done.out) == (0, "")
    assert ".lok/baseline.json: 1 new, 1 in all" in done.err
    assert project.lok("review").code == 1
    commit(project)
    assert project.lok("review").code == 0
    assert "0 new, 1 in all" in project.lok("baseline", "review").err


def test_notes_and_other_entries_stay(project: Project) -> None:
    offline(project, said({}))
    file = project.write(".lok/baseline.json", '{"findings": [{"fingerprint": "x", "reason": "é"}]}')
    assert project.lok("baseline", "review", "--", "all").code == 0
    entries = json.loads(file.read_text())["findings"]
    assert {entry.get("reason") for entry in entries} == {"é", None}


def test_nothing_is_accepted_unseen(project: Project) -> None:
    offline(project, "I looked and all is well.")
    done = project.lok("baseline", "review")
    assert done.code == 3
    assert "step 'review' found out nothing" in done.err
    assert not (project.root / ".lok/baseline.json").exists()


def test_what_cannot_be_read_is_not_replaced(project: Project) -> None:
    offline(project, said({}))
    file = project.write(".lok/baseline.json", "{")
    done = project.lok("baseline", "review")
    assert (done.code, file.read_text()) == (3, "{")
    assert "is not JSON" in done.err


def test_a_workflow_that_reports_nothing_has_nothing_to_accept(project: Project) -> None:
    project.workflow("w", '[[steps]]\nname = "a"\nshell = "touch ran"\n')
    done = project.lok("baseline", "w")
    assert done.code == 2
    assert "reports no findings" in done.err
    assert not (project.root / "ran").exists()


def test_a_gate_that_does_not_read_the_baseline_has_nothing_accepted(project: Project) -> None:
    offline(project, said({}))
    for gate in ("[gate]\n", '[gate]\nbaseline = "all"\n', ""):
        project.workflow("review", GATE.replace('[gate]\nbaseline = "new"\n', gate))
        done = project.lok("baseline", "review")
        assert (done.code, "does not read the baseline" in done.err) == (2, True)
    assert not (project.root / ".lok/baseline.json").exists()
