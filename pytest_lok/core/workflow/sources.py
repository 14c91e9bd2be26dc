"""The texts that a workflow was read from, as they were then."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lok.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowSources:
    """The texts that a workflow was read from, as they were then; all empty for one that is of no file.

    ``files`` are pairs of a path and a text: the file, then what it extends, one by one. ``beside`` are the
    files that these name, such as schemas: the path of the file, the name it gives, and the text. ``prompts``
    are those of ``.lok/prompts`` and the like: the name, the path, and the text. ``instructions`` are
    those of the project: the path and the text. ``nested`` are the workflows that its steps run.
    """

    files: tuple[tuple[str, str], ...] = ()
    beside: tuple[tuple[str, str, str], ...] = ()
    prompts: tuple[tuple[str, str, str], ...] = ()
    instructions: tuple[tuple[str, str], ...] = ()
    nested: tuple[NestedSources, ...] = ()

    def in_all(self) -> Iterator[WorkflowSources]:
        """These texts, then those of the workflows that the steps run, and of those which these run."""
        yield self
        for each in self.nested:
            yield from each.sources.in_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedSources:
    """The texts of a workflow that a step of the file at ``path`` runs, and calls ``name``.

    ``origin`` is the text of an ``Origin``.
    """

    path: str
    name: str
    stem: str
    origin: str
    sources: WorkflowSources
