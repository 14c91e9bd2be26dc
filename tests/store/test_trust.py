"""Which projects a user trusts, and with which settings."""

from __future__ import annotations

from pathlib import Path

from pytest_lok.store.trust import Trust

SETTINGS = {"backends.a.command": "a", "defaults.command_wrapper": "sh -c '{cmd}'"}


def test_a_project_is_trusted_as_long_as_its_settings_say_the_same(tmp_path: Path) -> None:
    trust, project = Trust(tmp_path / "trust"), tmp_path / "p"
    assert (trust.granted(project), trust.covers(project, SETTINGS), trust.revoke(project)) == (
        None,
        False,
        False,
    )
    trust.grant(project, SETTINGS)
    assert trust.granted(project) == SETTINGS
    assert trust.covers(project, dict(reversed(SETTINGS.items())))
    assert not trust.covers(project, {**SETTINGS, "defaults.command_wrapper": "x"})
    assert not trust.covers(tmp_path, SETTINGS)
    assert list(trust.projects()) == [str(project)]
    assert trust.revoke(project)
    assert list(trust.projects()) == []


def test_nobody_else_reads_or_writes_the_decisions(tmp_path: Path) -> None:
    Trust(tmp_path / "trust").grant(tmp_path, SETTINGS)
    (file,) = (tmp_path / "trust").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_file_that_cannot_be_read_trusts_nobody(tmp_path: Path) -> None:
    trust = Trust(tmp_path)
    trust.grant(tmp_path, SETTINGS)
    (file,) = tmp_path.iterdir()
    for text in ("", "[]", "{", "[" * 100_000):
        file.write_text(text)
        assert not trust.covers(tmp_path, SETTINGS)
