"""A manifest -> what it holds, or nothing where it is missing or malformed.

Its own tools report what is wrong with it; here it tells nothing more than its name does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import tomli

if TYPE_CHECKING:
    import configparser

Table: TypeAlias = dict[str, Any]


def as_table(value: object) -> Table:
    """The value if it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def read_text(path: Path) -> str:
    """The text of a file, bytes that are no UTF-8 replaced."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def read_toml(path: Path) -> Table:
    """The top-level table of a TOML file."""
    try:
        return tomli.loads(read_text(path))
    except tomli.TOMLDecodeError:
        return {}


def read_json(path: Path) -> Table:
    """The object in a JSON file."""
    try:
        return as_table(json.loads(read_text(path)))
    except ValueError:
        return {}


def read_ini(path: Path) -> configparser.ConfigParser:
    """The sections of an INI file."""
    import configparser

    config = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        config.read_string(read_text(path))
    except configparser.Error:
        config.clear()
    return config
