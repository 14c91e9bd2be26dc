"""TOML text -> Workflow, or every problem of the file at once, each with its place and a hint."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from pytest_lok.core.model import Origin, Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A workflow file's text and where it came from; ``path`` as shown in messages."""

    text: str
    path: str
    stem: str
    origin: Origin


Parent: TypeAlias = Callable[[str, Source], "Source | None"]
Read: TypeAlias = Callable[[str, Source], str]


def parse_workflow(
    source: Source,
    *,
    parent: Parent,
    backends: Collection[str] | None = None,
    read: Read | None = None,
) -> Workflow:
    """The workflow a file means; WorkflowError holds every problem of it.

    ``parent(name, child)`` gives the file that ``extends`` names (never the child itself), None if
    there is none. ``backends`` are the names a step may use ("auto" always; None = not checked).
    ``read(path, source)`` gives the text of a file named relative to that workflow file
    (``output_schema = "answer.json"``); OSError or ValueError where it cannot.
    """
    raise NotImplementedError
