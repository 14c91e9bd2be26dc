"""Which of a project's settings count only if the user trusts the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_lok.core.trust.restricted import RestrictedSettings, Sources, restricted_settings

Table = Mapping[str, Any]


def restricted(
    project: Table, user: Table | None = None, overrides: Table | None = None
) -> RestrictedSettings:
    user, overrides = user or {}, overrides or {}
    merged: dict[str, dict[str, Any]] = {}
    for said in (user, project, overrides):
        for table, values in said.items():
            for key, value in values.items():
                own = merged.setdefault(table, {})
                own[key] = {**own.get(key, {}), **value} if table == "backends" else value
    sources = Sources(project=project, user=user, user_overrides=overrides, merged=merged)
    return restricted_settings(sources, lambda path: ("lok.toml", len(path)), "lok.toml")


def backend(**keys: Any) -> Table:
    return {"backends": {"a": keys}}


WRAPPER = {"defaults": {"command_wrapper": "x {cmd}"}}


@pytest.mark.parametrize(
    ("project", "user"),
    [
        ({"defaults": {"backend": "a", "timeout": 3}}, {}),
        ({"tasks": {"x": {"prompt": "p"}}}, {}),
        (WRAPPER, WRAPPER),
        ({"defaults": {"env_policy": "clean"}}, {}),
        (backend(type="claude", model="m"), {}),
        (backend(type="claude", command="claude"), {}),
        (backend(type="scripted", replies=[{"text": "x"}]), {}),
        (backend(enabled=False), backend(type="claude")),
        (backend(type="claude", options={"max_turns": 3}), {}),
        (
            backend(options={"max_turns": 3}),
            backend(type="claude", api_key_env="KEY", options={"max_usd": 1}),
        ),
    ],
)
def test_what_neither_runs_nor_sends_anything_counts_at_once(project: Table, user: Table) -> None:
    assert not restricted(project, user)


@pytest.mark.parametrize(
    ("project", "user", "said"),
    [
        (WRAPPER, {}, 'runs every command inside "x {cmd}"'),
        (
            {"defaults": {"env_policy": "all"}},
            {"defaults": {"env_policy": "clean"}},
            "shows commands the environment",
        ),
        ({"surprise": {"x": 1}}, {}, "sets x = 1"),
        ({"fleet": {"scheduler": "tls://h:1"}}, {}, "sends commands and files to tls://h:1"),
        ({"fleet": {"scheduler": "local"}}, {}, "sends commands and files to processes of this machine"),
        ({"fleet": {"default": True}}, {"fleet": {"scheduler": "local"}}, "sends commands there whose steps"),
        ({"fleet": {"default": False}}, {"fleet": {"default": True}}, "keeps commands here"),
        ({"fleet": {"key": "k"}}, {"fleet": {"key": "other"}}, 'sets key = "k"'),
        (backend(type="command", command="./x"), {}, "runs ./x"),
        (backend(type="acp", command="./x", args=["--acp"]), {}, "runs ./x --acp"),
        (backend(type="acp"), backend(type="codex"), "runs acp"),
        (backend(allow_refusals=True), backend(type="acp", command="x"), "sets allow_refusals = true"),
        (backend(type="openai", base_url="https://e"), {}, "sends questions to https://e"),
        (backend(type="scripted", replies=[{"file": "x"}]), {}, 'answers with files: "x"'),
        (backend(enabled=True), backend(type="claude", enabled=False), "is switched on"),
        (backend(access="read"), backend(type="claude", access="none"), "reads the project"),
        (
            backend(options={"max_usd": 9}),
            backend(type="claude", options={"max_usd": 1}),
            'sets options = {"max',
        ),
        (backend(type="parrot", options={"voice": "x"}), {}, 'sets options = {"voice": "x"}'),
    ],
)
def test_what_runs_or_sends_something_is_restricted_and_told(project: Table, user: Table, said: str) -> None:
    found = restricted(project, user)
    assert found.values
    assert any(said in line for line in found.descriptions), found.descriptions


def test_what_the_user_says_wins_and_needs_no_trust() -> None:
    assert not restricted(WRAPPER, {}, {"defaults": {"command_wrapper": "y {cmd}"}})


@pytest.mark.parametrize(
    ("project", "user"),
    [
        (backend(base_url="https://e"), backend(type="openai", api_key_env="K")),
        (backend(api_key_env="K"), backend(type="openai", base_url="https://e")),
        (
            backend(type="openai", base_url="https://e", api_key_env="K"),
            {"backends": {"b": {"api_key_env": "K"}}},
        ),
    ],
)
def test_a_backend_that_is_half_the_projects_never_counts(project: Table, user: Table) -> None:
    assert "a" in restricted(project, user).mixed_backends


def test_a_difference_has_a_line_for_each_setting_that_changed() -> None:
    found = restricted(WRAPPER)
    assert found.difference({"a": 1}) == ["- a = 1", '+ defaults.command_wrapper = "x {cmd}"']
    assert found.difference(found.values) == []
    assert restricted(backend(type="command", command="./x")).names_program("a")
