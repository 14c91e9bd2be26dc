"""Each workflow that is built in: typed, as tests of pytest, replaced and extended by a file, asked of one and of several."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.cli.projects import Project
from tests.cli.test_built_in import GH
from tests.plugin.conftest import run_apart

NAMES = {
    "audit": [],
    "hunt": [],
    "diff": [],
    "security-review": ["uncommitted"],
    "explain": [],
    "pr": ["12"],
    "review-pr": ["12"],
    "ci": ["12"],
    "fix": ["4"],
}
REVIEWS = {
    "audit": "audit",
    "hunt": "hunt",
    "diff": "review",
    "security-review": "review",
    "pr": "review",
    "review-pr": "review",
}
BACKENDS = "".join(
    f"""
[backends.{name}]
type = "scripted"
strengths = ["general"]
replies = [
    {{ match = "Which of its files", reply = '{{"files": ["src/a.py"]}}' }},
    {{ match = "An empty list is a good answer", {review} }},
    {{ reply = "{name} says" }},
]
"""
    for name, review in (("ann", 'reply = "[]"'), ("bob", 'reply = "[]"'), ("dead", 'error = "overload"'))
)


@pytest.fixture
def house(project: Project) -> Project:
    project.write("lok.toml", BACKENDS)
    project.write("bin/gh", GH).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    project.write("src/a.py", "x = 1\n")
    project.write(".gitignore", "bin\ngh.*\nhome\nlok.toml\n.lok\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*author, "commit", "-qm", "one")):
        subprocess.run(("git", *words), cwd=project.root, check=True, capture_output=True)
    project.write("src/a.py", "x = 2\n")
    subprocess.run(("git", "add", "-A"), cwd=project.root, check=True)
    return project


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_offline_on_several(house: Project, name: str) -> None:
    words = [name, *NAMES[name]]
    done = house.lok(*words, "--json", "-b", "ann,bob")
    assert done.code == 0, (done.err, done.out)
    asked = {reply["backend"] for step in done.document["steps"].values() for reply in step["replies"]}
    assert asked == {"ann", "bob"}
    if name in ("audit", "diff"):
        done = house.lok(*words, "--json", "-b", "ann,dead")
        assert done.code == 3, "who did not answer might have found something"
        assert done.document["steps"][REVIEWS[name]]["outcome"] == "error"


@pytest.mark.parametrize("name", NAMES)
def test_on_one_a_file_of_its_name_extends_it_or_replaces_it(house: Project, name: str) -> None:
    words = [name, *NAMES[name]]
    house.workflow(name, f'extends = "{name}"\n[[steps]]\nname = "mine"\nshell = "echo also mine"\n')
    done = house.lok(*words, "-b", "ann")
    assert done.code == 0, done.err
    assert "also mine" in done.out
    assert "ann" in done.err, "the steps that are built in run too"
    house.workflow(name, '[[steps]]\nname = "mine"\nshell = "echo mine alone"\n')
    assert house.lok(name).out == house.lok("run", name).out == "mine alone\n"
    assert house.lok("workflow", "show", name).out.startswith("[[steps]]")


@pytest.mark.parametrize("quorum", [1, 2])
@pytest.mark.parametrize("name", ["audit", "diff"])
def test_a_quorum_of_reviewers_decides(house: Project, name: str, quorum: int) -> None:
    rule = {"audit": "injection", "diff": "security"}[name]
    found = (
        f'reply = \'[{{"rule_id": "{rule}", "title": "t", "message": "m", "severity": "critical", '
        '"confidence": 0.9, "path": "src/a.py", "line": 1, "evidence": "x = 2"}]\''
    )
    house.write("lok.toml", BACKENDS.replace('reply = "[]"', found, 1))
    house.workflow(name, f'extends = "{name}"\n[gate]\nfail_on = "high"\nquorum = {quorum}\n')
    assert house.lok(name, "-b", "ann,bob").code == (1 if quorum == 1 else 0)


def test_pytest_runs_each_as_tests(
    house: Project, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(house.root)
    monkeypatch.setenv("PATH", house.environ["PATH"])
    values = (f"--lok-arg={value}" for value in ("change=uncommitted", "pr=12", "issue=4"))
    chosen = (f"--lok-workflow={name}" for name in NAMES)
    done = run_apart(pytester, *chosen, *values, "-v", "-p", "no:cacheprovider", "--rootdir", house.root)
    assert done.ret == 0, done.stdout.str()
    for name in NAMES:
        step = REVIEWS.get(name, r"[\w-]+")
        assert re.search(rf"(?<![\w-]){name}(\.toml)?::{step}\S* PASSED", done.stdout.str()), name
