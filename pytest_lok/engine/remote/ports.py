"""What the engine asks of the world where commands run at other places, beside ``engine/ports``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_lok.core.remote import Artifact, Snapshot


class TravellingFiles(Protocol):
    """The part of a workspace that commands at other places need: its files go there, and some come back."""

    async def snapshot(self) -> Snapshot:
        """All files as they are now, without those that git ignores.

        StepUnableError where they cannot travel.
        """
        ...

    def artifacts(self, patterns: Sequence[str]) -> Mapping[str, Artifact]:
        """The files that match, by their path; StepUnableError where one matches none, and beyond limits."""
        ...

    def take_in(self, files: Mapping[str, Artifact]) -> None:
        """Write artifacts, each atomically and through no link; StepUnableError says which cannot be."""
        ...


class FleetConnection(Protocol):
    """What a world holds of a fleet, to let go of it after the last run."""

    async def aclose(self) -> None:
        """End what still runs there, and let go. The next command connects again."""
        ...


class ArtifactStore(Protocol):
    """Keeps the files that steps have made, with the record of a run."""

    def keep(self, workflow: str, step: str, files: Mapping[str, Artifact]) -> None:
        """Keep files of a step beside those that are kept of it; OSError if that is not possible."""
        ...

    def kept(self, workflow: str, step: str) -> Mapping[str, Artifact]:
        """What is kept of a step, by the paths in the workspace."""
        ...
