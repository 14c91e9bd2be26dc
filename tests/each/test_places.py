"""What of the environment a run in another repository sees, with git itself as the oracle."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from pytest_lok.core.repositories import ListedRepository
from pytest_lok.each.listing import Row
from pytest_lok.each.places import place_of
from pytest_lok.errors import StepUnableError
from pytest_lok.settings import base_refs, environment_elsewhere, pull_request, trusted_by_environment
from pytest_lok.wiring import Project


def test_nothing_that_git_calls_local_to_a_repository_is_handed_on() -> None:
    listed = subprocess.run(
        ["git", "rev-parse", "--local-env-vars"], check=True, capture_output=True, text=True
    )
    names = set(listed.stdout.split())
    assert "GIT_DIR" in names
    # the configuration of the environment may hold what a server wants to see
    assert set(environment_elsewhere(dict.fromkeys(names, "x"))) <= {"GIT_CONFIG_COUNT"}


@pytest.mark.parametrize(
    "said",
    [
        {
            "GITHUB_BASE_REF": "release",
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_EVENT_NAME": "pull_request",
        },
        {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": "/nowhere", "GITHUB_REF": "refs/heads/main"},
        {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "release", "CI_MERGE_REQUEST_IID": "7"},
        {"CI_COMMIT_BEFORE_SHA": "1" * 40, "CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"},
        {"CHANGE_TARGET": "release", "CHANGE_ID": "7"},
        {"LOK_TRUST": "1"},
    ],
)
def test_nothing_is_said_of_the_change_that_ci_runs_for(said: dict[str, str]) -> None:
    there = environment_elsewhere({"CI": "true", "LOK_TIMEOUT": "9", **said})
    assert base_refs(there) == base_refs({})
    assert pull_request(there) == ""
    assert not trusted_by_environment(there)
    assert (there["CI"], there["LOK_TIMEOUT"]) == ("true", "9")
    assert base_refs(environment_elsewhere({"LOK_BASE": "x"})) == ("x",)


def test_a_file_is_no_directory_and_one_that_cannot_be_had_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    project = Project.open(tmp_path, environ={**os.environ, "XDG_STATE_HOME": str(state)})
    (tmp_path / "file").touch()

    async def opened(row: Row) -> None:
        async with place_of(row, project):
            raise AssertionError("it was had")

    file = Row(repository=ListedRepository(line=1, path="file"), root=tmp_path / "file")
    with pytest.raises(StepUnableError, match="there is no directory"):
        asyncio.run(opened(file))
    url = f"file://{tmp_path}/nothing"
    with pytest.raises(StepUnableError, match="git fetch"):
        asyncio.run(opened(Row(repository=ListedRepository(line=1, url=url, commit="1" * 40))))
    assert not state.exists()
