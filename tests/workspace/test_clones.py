"""A commit is fetched by its id, from real repositories: it alone, whole, and with nothing that runs."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.clones import clone_commit
from pytest_lok.workspace.processes.runner import LocalProcesses


def git(at: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", at, "-c", "user.name=a", "-c", "user.email=a@b.example", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    made = tmp_path / "origin"
    made.mkdir()
    git(made, "init", "-q", "-b", "main")
    for text in ("one", "two"):
        (made / "file").write_text(text)
        git(made, "add", ".")
        git(made, "commit", "-qm", text)
    return made


def fetch(tmp_path: Path, url: str, commit: str, **config: str) -> Path:
    to = tmp_path / "clone"
    to.mkdir()
    environ = {**os.environ, "GIT_CONFIG_COUNT": str(len(config))}
    for at, (key, value) in enumerate(config.items()):
        environ |= {f"GIT_CONFIG_KEY_{at}": key.replace("_", "."), f"GIT_CONFIG_VALUE_{at}": value}
    asyncio.run(clone_commit(LocalProcesses(to, environ), url, commit))
    return to


def test_the_default_branch_is_known_whatever_its_name_and_also_where_head_leads_nowhere(
    tmp_path: Path, origin: Path
) -> None:
    tip = git(origin, "rev-parse", "HEAD")
    git(origin, "branch", "-m", "trunk")
    made = fetch(tmp_path, f"file://{origin}", tip)
    assert git(made, "rev-parse", "origin/HEAD", "origin/trunk") == f"{tip}\n{tip}"
    assert git(made, "remote", "get-url", "origin") == f"file://{origin}"
    git(origin, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    made.rename(tmp_path / "first")
    assert git(fetch(tmp_path, f"file://{origin}", tip), "rev-parse", "origin/trunk") == tip


def test_an_older_commit_is_had_of_a_server_that_gives_none_by_its_id(tmp_path: Path, origin: Path) -> None:
    older = git(origin, "rev-parse", "HEAD^")
    assert (fetch(tmp_path, f"file://{origin}", older, protocol_version="0") / "file").read_text() == "one"


def test_a_commit_that_is_on_no_branch_any_more_is_had_by_its_id(tmp_path: Path, origin: Path) -> None:
    gone = git(origin, "rev-parse", "HEAD")
    git(origin, "reset", "-q", "--hard", "HEAD^")
    assert (fetch(tmp_path, f"file://{origin}", gone) / "file").read_text() == "two"


def test_a_repository_with_long_ids_is_had_as_well(tmp_path: Path) -> None:
    made = tmp_path / "long"
    made.mkdir()
    git(made, "init", "-q", "--object-format=sha256")
    (made / "file").write_text("long")
    git(made, "add", ".")
    git(made, "commit", "-qm", "one")
    commit = git(made, "rev-parse", "HEAD")
    assert len(commit) == 64
    assert (fetch(tmp_path, f"file://{made}", commit) / "file").read_text() == "long"


def test_has_the_files_of_an_older_commit_and_the_branches(tmp_path: Path, origin: Path) -> None:
    older = git(origin, "rev-parse", "HEAD^")
    made = fetch(tmp_path, f"file://{origin}", older)
    assert (made / "file").read_text() == "one"
    assert git(made, "rev-parse", "HEAD") == older
    assert git(made, "rev-parse", "origin/main") == git(origin, "rev-parse", "main")
    assert git(made, "status", "--porcelain") == ""
    assert not list((made / ".git").glob("hooks/*"))


@pytest.mark.parametrize("kind", ["blob", "tag", "unknown", "no repository"])
def test_what_is_no_commit_there_is_an_error(tmp_path: Path, origin: Path, kind: str) -> None:
    git(origin, "tag", "-am", "a tag", "tagged")
    oid = {
        "blob": git(origin, "rev-parse", "HEAD:file"),
        "tag": git(origin, "rev-parse", "tagged"),
        "unknown": "12" * 20,
        "no repository": "12" * 20,
    }[kind]
    url = f"file://{tmp_path}/nowhere" if kind == "no repository" else f"file://{origin}"
    with pytest.raises(StepUnableError, match=str(url)):
        fetch(tmp_path, url, oid)


@pytest.mark.parametrize("url", ["--upload-pack=touch ran", "ext::sh -c touch% ran"])
def test_no_url_is_an_option_or_a_program(tmp_path: Path, origin: Path, url: str) -> None:
    with pytest.raises(StepUnableError):
        fetch(tmp_path, url, git(origin, "rev-parse", "HEAD"))
    assert not list(tmp_path.rglob("ran"))


def test_a_token_that_git_is_configured_to_add_is_not_told(tmp_path: Path) -> None:
    url, key = "https://h.example/a", "url.http://me:SECRET@127.0.0.1:1/.insteadOf"
    config = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": "https://h.example/"}
    processes = LocalProcesses(tmp_path, {**os.environ, **config})
    with pytest.raises(StepUnableError, match="127") as told:
        asyncio.run(clone_commit(processes, url, "12" * 20))
    assert "SECRET" not in str(told.value)
