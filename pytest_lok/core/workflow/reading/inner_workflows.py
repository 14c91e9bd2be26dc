"""The name of a workflow in a step -> that workflow, loaded with all that it runs itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pytest_lok.core.workflow.sources import NestedSources
from pytest_lok.errors import Problem, UsageError, WorkflowError

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Workflow
    from pytest_lok.core.workflow.reading.source import SourceText

Find: TypeAlias = "Callable[[str, SourceText], SourceText | None]"


DEEPEST = 20
"""Workflows one within the other: more are a mistake."""


class InnerWorkflows:
    """The workflows that the steps of one file run.

    ``find`` gives the file of a name, and ``load`` the workflow of a file. ``chain`` are the files whose
    steps run this one, the outermost first. ``problems`` are those of the files that were found, and
    ``sources`` the texts of the workflows.
    """

    def __init__(
        self,
        find: Find,
        load: Callable[[SourceText, InnerWorkflows], Workflow],
        chain: tuple[SourceText, ...] = (),
        loaded: dict[str, Workflow | WorkflowError] | None = None,
    ) -> None:
        self._find = find
        self._load = load
        self._chain = chain
        # each file is read once, however many steps run it
        self._loaded: dict[str, Workflow | WorkflowError] = {} if loaded is None else loaded
        self.problems: list[Problem] = []
        self.sources: list[NestedSources] = []

    def beneath(self, top: SourceText) -> Callable[[str, SourceText], Workflow | None]:
        """What loads the workflows that steps of ``top``, or of a file that it extends, run."""
        return lambda name, file: self.load(name, file, top)

    def load(self, name: str, file: SourceText, top: SourceText) -> Workflow | None:
        """The workflow that a step of ``file`` calls so; ``top`` is the file that extends it, or itself.

        UsageError says why there is none; None = its file has problems, which are noted.
        """
        found = self._find(name, file)
        if found is None:
            raise UsageError(f"there is no workflow `{name}`", hint="`lok workflow list` shows what there is")
        chain = (*self._chain, top)
        if any(found.path == known.path for known in (*chain, file)):
            shown = " -> ".join([*(known.stem for known in chain), found.stem])
            said = "a workflow cannot run itself" if len(chain) == 1 else f"workflows run each other: {shown}"
            raise UsageError(said, hint="remove one of these steps")
        if len(chain) > DEEPEST:
            shown = " -> ".join(known.stem for known in chain[:3])
            said = f"more than {DEEPEST} workflows run each other: {shown} -> …"
            raise UsageError(said, hint="make one workflow of some of them")
        if found.path not in self._loaded:
            try:
                within = InnerWorkflows(self._find, self._load, chain, self._loaded)
                self._loaded[found.path] = self._load(found, within)
            except WorkflowError as wrong:
                self._loaded[found.path] = wrong
        loaded = self._loaded[found.path]
        if isinstance(loaded, WorkflowError):
            self.problems += [it for it in loaded.problems if it not in self.problems]
            return None
        self._note(name, file, found, loaded)
        return loaded

    def _note(self, name: str, file: SourceText, found: SourceText, loaded: Workflow) -> None:
        if all((it.path, it.name) != (file.path, name) for it in self.sources):
            self.sources.append(
                NestedSources(
                    path=file.path, name=name, stem=found.stem, origin=found.origin, sources=loaded.sources
                )
            )
