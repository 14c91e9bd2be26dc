"""The files as the edits of a step have left them, and the edits of the steps inside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_lok.core.workflow.model import Nested

if TYPE_CHECKING:
    from pytest_lok.core.workflow.model import Step
    from pytest_lok.engine.resume.files_watch import FilesWatch

_NOTHING = ("", "")


class EditedFiles:
    """What the edits of each step have made of the files: the state before them, and the one after.

    Steps inside of a step may edit one after another. They count as one edit of it, as long as nothing else
    changes files in between.
    """

    def __init__(self, files: FilesWatch) -> None:
        self._files = files
        self._edited: dict[str, tuple[str, str]] = {}

    async def before(self, step: str) -> str:
        """The state of the files that the step is about to edit; "" = not known, or changed by others."""
        # the steps that have ended have read what is about to change
        await self._files.settle()
        state = await self._files.look_now()
        if step in self._edited:
            return state if state and state == self._edited[step][1] else ""
        return state if self._files.unchanged_since(step) else ""

    async def after(self, step: str, before: str) -> None:
        """Note the state in which an edit has left the files; ``before`` is what ``before`` has given."""
        if not before:
            self._edited[step] = _NOTHING
            return
        first, _ = self._edited.get(step, (before, ""))
        self._edited[step] = (first, await self._files.look_now())

    async def of(self, step: Step) -> tuple[str, str]:
        """The states before and after all edits of a step that has ended; "" where they are not known."""
        first, left = self._edited.get(step.name, _NOTHING)
        # a command inside may have changed files after the last edit
        if left and isinstance(step.action, Nested) and await self._files.look_now() != left:
            return _NOTHING
        return first, left
