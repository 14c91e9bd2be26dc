"""``lok context``."""

import json

from tests.cli.projects import Project
from tests.cli.test_built_in import GH, git


def test_each_package_is_told_with_the_file_that_says_so(project: Project) -> None:
    project.write("pyproject.toml", '[project]\nname = "x"\ndependencies = ["django"]\n')
    project.write("uv.lock", "")
    project.write("web/package.json", '{"scripts": {}, "dependencies": {"react": "1"}}')
    project.write("web/pnpm-lock.yaml", "")
    git(project, "init", "-q")
    git(project, "add", ".")
    done = project.lok("context", ".")
    assert done.code == 0
    assert "- .: python (by pyproject.toml, uv.lock); django, uv" in done.out
    assert "- web: javascript (by package.json, pnpm-lock.yaml); pnpm, react" in done.out
    facts = project.lok("context", "--json").document
    assert [package["folder"] for package in facts["packages"]] == [".", "web"]
    assert project.lok("context", "nowhere").code == 2


def test_where_no_manifest_is_nothing_is_said_of_the_language(project: Project) -> None:
    git(project, "init", "-q")
    assert "- .: no manifest was found; no tool that lok knows" in project.lok("context", ".").out


def test_an_issue_brings_the_code_that_it_is_about(project: Project) -> None:
    issue = {
        "number": 4,
        "title": "It breaks",
        "body": "See src/a.py:2 and ../../etc/passwd:1, parse_all is slow",
    }
    project.write("bin/gh", f"#!/bin/sh\ncat <<'END'\n{json.dumps(issue)}\nEND\n").chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    project.write("src/a.py", "def parse_all():\n    return 1\n")
    git(project, "init", "-q")
    git(project, "add", "src")
    done = project.lok("context", "--issue", "4")
    assert "# Issue 4: It breaks" in done.out
    assert "    2      return 1" in done.out
    assert "src/a.py:1:def parse_all():" in done.out
    assert "root:" not in done.out
    assert "no line 99" in project.lok("context", "-q", "look at src/a.py:99").out


def test_a_pull_request_is_shown_and_what_is_too_long_is_named(project: Project) -> None:
    project.write("bin/gh", GH).chmod(0o755)
    project.environ["PATH"] = f"{project.root}/bin:{project.environ['PATH']}"
    hunk = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -0,0 +1 @@\n+{1}\n"
    project.write("gh.diff", hunk.format("a.py", "x") + hunk.format("b.py", "y" * 70_000))
    done = project.lok("context", "--pr", "12")
    assert "# Pull request 12: Add x" in done.out
    assert "+x\n" in done.out
    assert "Not shown, because it is too long: b.py" in done.out
