"""Names -> the workflows of a project: its files, tasks of its settings, the user's, built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lok.core.asking.answer_options import Answerers
from pytest_lok.core.workflow.model import EVERYBODY, Origin, Role, Strategy, Workflow
from pytest_lok.core.workflow.reading.source import SourceText, WorkflowFile
from pytest_lok.dataclass import dataclass
from pytest_lok.discovery import WorkflowPaths, unknown_workflow
from pytest_lok.settings import Settings, in_ci
from pytest_lok.verbs.tasks import task_workflow
from pytest_lok.wiring.choice import only_by_name

if TYPE_CHECKING:
    from pytest_lok.core.workflow.document import WorkflowDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A workflow that can be named; loading it says more about it, or why it is broken."""

    stem: str
    origin: Origin


class WorkflowCatalog:
    """Every workflow of a project: the files at ``paths``, and the tasks. Answers may be ``recorded``."""

    def __init__(
        self, settings: Settings, paths: WorkflowPaths, *, environ: Mapping[str, str], recorded: bool
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._environ = environ
        self._recorded = recorded

    def load(self, name: str | Path) -> Workflow:
        """The workflow of that name (project, user, tasks, built in), or of that .toml path.

        WorkflowError holds every mistake in its file; UsageError with a "did you mean" if there is none.
        """
        paths = self._paths
        if isinstance(name, Path) or name.endswith(".toml") or "/" in name:
            return self._parse(paths.at(Path(name)))
        # a task of the settings wins over a built-in workflow, and over no file of anybody
        own = paths.named(name, among=(Origin.PROJECT, Origin.USER))
        if own is None and name in self._settings.tasks:
            return self._task(name)
        source = own or paths.named(name)
        if source is None:
            entries = self.entries()
            is_new = all(entry.origin is not Origin.PROJECT for entry in entries)
            raise unknown_workflow(name, (entry.stem for entry in entries), paths.root, is_new=is_new)
        return self._parse(source)

    def built_in(self, name: str) -> list[WorkflowDocument]:
        """What the file of a built-in workflow states, then what it extends; their texts are not checked.

        [] = a file of somebody else has a say in it.
        """
        found, wanted = [], name
        while wanted:
            source = self._paths.named(wanted)
            if source is None or source.origin is not Origin.BUILTIN:
                return []
            found.append(WorkflowFile(source).document)
            wanted = found[-1].extends or ""
        return found

    def written(self, stem: str, text: str) -> Workflow:
        """The workflow of a verb's own text; see ``verbs/``."""
        return self._parse(SourceText(text=text, path="", stem=stem, origin=Origin.VERB))

    def entries(self) -> list[CatalogEntry]:
        """Every workflow that can be named, the project's first; shadowed ones are left out."""
        files = list(self._paths.names())
        tasks = [(name, Origin.SETTINGS) for name in self._settings.tasks]
        first: dict[str, CatalogEntry] = {}
        for name, origin in [*(f for f in files if f[1] is not Origin.BUILTIN), *tasks, *files]:
            first.setdefault(name, CatalogEntry(stem=name, origin=origin))
        return list(first.values())

    def _parse(self, source: SourceText) -> Workflow:
        from pytest_lok.core.workflow.reading.reader import parse_workflow

        return parse_workflow(
            source,
            parent=self._paths.parent,
            backends=self._settings.backends,
            roles=self._roles(),
            answerers=self._answerers(),
            read=self._paths.beside,
            find=self._paths.files_beside,
            texts=self._paths,
            inner=self._paths.inner,
            # what is built in was not written for other machines
            travels=self._settings.fleet.default and source.origin not in (Origin.BUILTIN, Origin.VERB),
            ci=in_ci(self._environ),
        )

    def _answerers(self) -> Answerers:
        """Who may be given which options of an answer."""
        settings, defaults = self._settings, self._settings.defaults
        return Answerers(
            by_name={name: backend.answerer for name, backend in settings.backends.items()},
            default=settings.members(defaults.backends) if "backend" in defaults.written else (),
        )

    def _roles(self) -> dict[str, Role]:
        """The roles by name; "" is the role of steps that name nobody, where the default backend is one."""
        roles = {
            name: Role(backends=tuple(role.backends), consensus=role.consensus and Strategy(role.consensus))
            for name, role in self._settings.roles.items()
        }
        default = self._settings.defaults.backends
        # most projects have no role as their default, and need no entry
        if any(name in roles for name in default):
            only = roles.get(default[0]) if len(default) == 1 else None
            roles[""] = only or Role(backends=self._settings.members(default))
        return roles

    def _task(self, name: str) -> Workflow:
        task, settings = self._settings.tasks[name], self._settings
        names: tuple[str, ...] = tuple(task.backends)
        # as `lok ask` does: whom the settings name, else everybody who is there
        if not names and "backend" in settings.defaults.written:
            names = settings.defaults.backends
        elif not names or EVERYBODY in names:
            apart = only_by_name(settings, self._environ, recorded=self._recorded)
            backends = settings.backends.items()
            names = tuple(it for it, backend in backends if backend.enabled and it not in apart)
        role = self._roles().get(",".join(names))
        path, line = settings.task_place(name)
        return task_workflow(
            name,
            [(prompt.name, prompt.prompt) for prompt in task.prompts],
            backends=settings.members(names),
            consensus=(role and role.consensus) or Strategy.ALL,
            description=task.description,
            path=path,
            line=line,
        )
