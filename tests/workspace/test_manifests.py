"""Manifests: what they hold, or nothing."""

from __future__ import annotations

from pathlib import Path

from pytest_lok.workspace.manifests import as_table, read_ini, read_json, read_text, read_toml


def test_what_is_missing_or_malformed_tells_nothing(tmp_path: Path) -> None:
    file = tmp_path / "m"
    assert (read_text(file), read_toml(file), read_json(file), read_ini(file).sections()) == ("", {}, {}, [])
    file.write_bytes(b"\xff[a")
    assert (read_toml(file), read_json(file), read_ini(file).sections()) == ({}, {}, [])
    file.write_text("[1]")
    assert read_json(file) == {}


def test_what_is_there_is_read(tmp_path: Path) -> None:
    file = tmp_path / "m"
    file.write_text('[a]\nb = "%c"\n')
    assert read_toml(file) == {"a": {"b": "%c"}}
    assert read_ini(file).get("a", "b") == '"%c"'
    file.write_text('{"a": 1}')
    assert read_json(file) == {"a": 1}
    assert (as_table({"a": 1}), as_table([1])) == ({"a": 1}, {})
