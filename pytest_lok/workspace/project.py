"""A directory's manifests -> its language, its tools, and the commands that verify it."""

from __future__ import annotations

import configparser
import functools
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import tomli

from pytest_lok.core.results import Json
from pytest_lok.engine.ports import CommandSpec, Comparison, RunLock, Transaction
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.files import Files
from pytest_lok.workspace.git import Git
from pytest_lok.workspace.run_lock import NoLock

Which: TypeAlias = Callable[[str], str | None]
Table: TypeAlias = dict[str, Any]

# What says by its mere presence that a tool is in use.
_MARKS = {
    "uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm", "Pipfile": "pipenv",
    "ruff.toml": "ruff", ".ruff.toml": "ruff", "mypy.ini": "mypy", ".mypy.ini": "mypy",
    "pyrightconfig.json": "pyright", ".flake8": "flake8", "conftest.py": "pytest", "pytest.ini": "pytest",
    ".pytest.ini": "pytest", "pytest.toml": "pytest", ".pytest.toml": "pytest", "tox.ini": "tox",
    "tox.toml": "tox", "package-lock.json": "npm", "yarn.lock": "yarn", "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun", "bun.lockb": "bun", "tsconfig.json": "typescript", "biome.json": "biome",
    "Gemfile.lock": "bundler", ".rubocop.yml": "rubocop", ".rspec": "rspec", "sorbet": "sorbet",
    ".golangci.yml": "golangci-lint", ".golangci.yaml": "golangci-lint", ".golangci.toml": "golangci-lint",
    ".golangci.json": "golangci-lint", "Dockerfile": "docker", "compose.yaml": "docker",
    "compose.yml": "docker", "docker-compose.yml": "docker", "docker-compose.yaml": "docker",
    "Chart.yaml": "helm", "kustomization.yaml": "kubernetes", ".gitlab-ci.yml": "gitlab-ci",
    ".github/workflows": "github-actions", "Makefile": "make", "justfile": "just",
    ".pre-commit-config.yaml": "pre-commit",
}  # fmt: skip
_NAMED_LIKE = {
    re.compile(r"\.eslintrc(\..+)?|eslint\.config\.[cm]?[jt]s"): "eslint",
    re.compile(r"(jest|vitest)\.config\.[cm]?[jt]s"): r"\1",
    re.compile(r".+\.tf"): "terraform",
}

# The packages worth telling a workflow about, by the tool each one is.
_PYTHON = {
    name: name
    for name in (
        "alembic", "basedpyright", "black", "django", "fastapi", "flake8", "flask", "mypy", "pylint",
        "pyright", "pytest", "ruff", "sqlalchemy", "tox",
    )
}  # fmt: skip
_NODE = {
    "@biomejs/biome": "biome", "eslint": "eslint", "jest": "jest", "next": "next", "prettier": "prettier",
    "react": "react", "tailwindcss": "tailwind", "typescript": "typescript", "vitest": "vitest", "vue": "vue",
}  # fmt: skip
_RUBY = {
    "brakeman": "brakeman", "bullet": "bullet", "goldiloader": "goldiloader", "rails": "rails",
    "rspec": "rspec", "rspec-rails": "rspec", "rubocop": "rubocop", "rubocop-rails": "rubocop",
    "sidekiq": "sidekiq", "sorbet": "sorbet", "strong_migrations": "strong_migrations",
}  # fmt: skip
_RUST = {"diesel": "diesel", "sqlx": "sqlx", "tokio": "tokio"}

_REQUIREMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # the distribution a requirement starts with
_GEM = re.compile(r"""^[ \t]*gem[ \t(]+["']([\w-]+)["']""", re.MULTILINE)

_ALIASES = {"node": "javascript", "typescript": "javascript"}
_ADVICE = {
    "python": "configure ruff, mypy or pytest in pyproject.toml",
    "javascript": 'add a "lint" or "build" script to package.json',
    "ruby": "add rubocop or rspec to the Gemfile",
}
_OWN = 'or write the command itself: verify = "make check"'


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageScore:
    """How much a manifest says that a language is at home here: 2 = a package of it, 1 = it is used."""

    weight: int = 0
    tools: frozenset[str] = frozenset()


class LocalWorkspace:
    """A directory as the workspace of a run. What it is gets looked at once, when first asked.

    ``files`` reads and edits it, ``git`` compares it. ``which`` says where a program is installed;
    None = nowhere. ``nested`` = this is inside a step of another run.
    """

    def __init__(
        self, root: Path, *, files: Files, git: Git, which: Which = shutil.which, nested: bool = False
    ) -> None:
        self._root = root
        self._files = files
        self._git = git
        self._which = which
        self._nested = nested

    @property
    def root(self) -> str:
        """Absolute path."""
        return str(self._root)

    def run_lock(self, *, alone: bool) -> RunLock:
        """One run's; see ``engine.ports.Workspace``."""
        return NoLock() if self._nested else self._files.run_lock(alone=alone)

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """One step's edits; see ``engine.ports.Workspace``."""
        return self._files.transaction()

    def read(self, path: str) -> bytes | None:
        """A file's bytes; see ``engine.ports.Workspace``."""
        return self._files.read(path)

    async def comparison(self, paths: Sequence[str]) -> Comparison:
        """What changed; see ``engine.ports.Workspace``."""
        return await self._git.comparison(paths)

    async def names(self) -> frozenset[str]:
        """Every file; see ``engine.ports.Workspace``."""
        return await self._git.names()

    async def at_base(self, path: str) -> str | None:
        """A file before the change; see ``engine.ports.Workspace``."""
        return await self._git.at_base(path)

    def project(self) -> Mapping[str, Json]:
        """``language`` ("" = unknown), ``root`` and ``tools`` of the directory."""
        language, tools = self._detected
        return {"language": language, "root": self.root, "tools": list[Json](sorted(tools))}

    def checkpoint(self, message: str) -> CommandSpec | None:
        """git-agent's, where it is installed and has a session going, as in lok."""
        try:
            session = (self._root / ".agent" / "current").read_text("utf-8")
        except (OSError, ValueError):
            return None
        if not session.strip() or self._which("git-agent") is None:
            return None
        return CommandSpec(argv=("git-agent", "checkpoint", "-m", message))

    def verify_command(self, preset: str) -> str:
        """The shell command behind ``verify = "true"`` (what is detected) or a language's name.

        It runs the checks the project configures and ends with the first that fails. They are
        linters, type checkers and builds; tests only where a Python project has nothing else.
        StepUnableError where nothing is configured, or a tool is not installed.
        """
        language = self._detected[0] if preset == "true" else preset
        language = _ALIASES.get(language, language)
        if not language:
            raise StepUnableError(
                f"verify: {self.root} has no Cargo.toml, go.mod, Gemfile, pyproject.toml or package.json",
                hint=_OWN.removeprefix("or "),
            )
        checks = {
            "rust": self._rust,
            "go": self._go,
            "ruby": self._ruby,
            "python": self._python,
            "javascript": self._node,
        }
        commands = checks[language]()
        if not commands:
            raise StepUnableError(
                f"verify: this {language} project configures no check", hint=f"{_ADVICE[language]}, {_OWN}"
            )
        return " && ".join(commands)

    @functools.cached_property
    def _detected(self) -> tuple[str, frozenset[str]]:
        return detect(self._root)

    def _python(self) -> list[str]:
        tools = self._detected[1]
        checks = {
            "ruff": "check .",
            "flake8": "",
            "mypy": "" if _mypy_has_targets(self._root) else ".",
            "pyright": "",
            "basedpyright": "",
        }
        if not checks.keys() & tools:
            checks = {"pytest": "-q --ignore=.lok"}  # a workflow does not verify itself
        return [f"{self._program(name)} {rest}".strip() for name, rest in checks.items() if name in tools]

    def _program(self, name: str) -> str:
        """A Python tool as it is to be called: from the project's environment before PATH."""
        for folder in (".venv/bin", "venv/bin"):
            if (self._root / folder / name).is_file():
                return f"{folder}/{name}"
        for manager in ("uv", "poetry", "pdm", "pipenv"):
            if manager in self._detected[1] and self._which(manager):
                return f"{manager} run {name}"
        return self._installed(name)

    def _rust(self) -> list[str]:
        cargo = self._installed("cargo")
        scope = " --workspace" if "workspace" in _toml(self._root / "Cargo.toml") else ""
        if self._which("cargo-clippy"):
            return [f"{cargo} clippy{scope} --all-targets -- -D warnings", f"{cargo} build{scope}"]
        return [f"{cargo} check{scope} --all-targets", f"{cargo} build{scope}"]

    def _go(self) -> list[str]:
        go = self._installed("go")
        lint = "golangci-lint"
        linted = [f"{self._installed(lint)} run"] if lint in self._detected[1] else []
        return [f"{go} vet ./...", *linted, f"{go} build ./..."]

    def _node(self) -> list[str]:
        tools = self._detected[1]
        scripts = _dict(_json(self._root / "package.json").get("scripts"))
        wanted = [name for name in ("lint", "typecheck", "type-check", "build") if name in scripts]
        manager = next((name for name in ("pnpm", "yarn", "bun") if name in tools), "npm")
        commands = [f"{self._installed(manager)} run {name}" for name in wanted]
        if wanted in ([], ["lint"]) and "typescript" in tools:
            commands.append(f"{self._installed('node_modules/.bin/tsc')} --noEmit")
        return commands

    def _ruby(self) -> list[str]:
        tools = self._detected[1]
        checks = {"rubocop": "rubocop --lint", "sorbet": "srb tc", "rspec": "rspec --dry-run"}
        wanted = [command for name, command in checks.items() if name in tools]
        if "bundler" in tools:
            return [f"{self._installed('bundle')} exec {command}" for command in wanted]
        return [
            self._installed(command.split()[0]) + command[len(command.split()[0]) :] for command in wanted
        ]

    def _installed(self, name: str) -> str:
        if not ((self._root / name).is_file() if "/" in name else self._which(name)):
            raise StepUnableError(
                f"verify: the project uses {name}, which is not installed", hint=f"install {name}, {_OWN}"
            )
        return name


def detect(root: Path) -> tuple[str, frozenset[str]]:
    """The language ("" = unknown) and the tools that the files in ``root`` itself tell of.

    Subdirectories are not looked into. Where several languages are at home, a package wins over
    mere use, then the order is rust, go, ruby, python, javascript: scripts and assets in Python or
    JavaScript accompany the others more often than the other way round.
    """
    try:
        names = {entry.name for entry in root.iterdir()}
    except OSError:  # a directory that cannot be listed tells nothing
        return "", frozenset()
    claims = {
        "rust": _rust(root, names),
        "go": LanguageScore(weight=2 if names & {"go.mod", "go.work"} else 0),
        "ruby": _ruby(root, names),
        "python": _python(root, names),
        "javascript": _node(root, names),
    }
    marked = {
        tool for mark, tool in _MARKS.items() if mark in names or ("/" in mark and (root / mark).is_dir())
    }
    alike = {
        found.expand(tool)
        for name in names
        for like, tool in _NAMED_LIKE.items()
        if (found := like.fullmatch(name))
    }
    tools = frozenset(marked | alike).union(*(claim.tools for claim in claims.values()))
    language = max(claims, key=lambda name: claims[name].weight)
    if not claims[language].weight:
        return "", tools
    return "typescript" if language == "javascript" and "typescript" in tools else language, tools


def _rust(root: Path, names: set[str]) -> LanguageScore:
    if "Cargo.toml" not in names:
        return LanguageScore()
    cargo = _toml(root / "Cargo.toml")
    tables = [cargo, _dict(cargo.get("workspace"))]
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    return LanguageScore(
        weight=2, tools=_tools(_RUST, (name for t in tables for kind in kinds for name in _dict(t.get(kind))))
    )


def _ruby(root: Path, names: set[str]) -> LanguageScore:
    if "Gemfile" not in names:
        return LanguageScore()
    return LanguageScore(weight=2, tools=_tools(_RUBY, _GEM.findall(_text(root / "Gemfile"))))


def _node(root: Path, names: set[str]) -> LanguageScore:
    if "package.json" not in names:
        return LanguageScore()
    package = _json(root / "package.json")
    kinds = ("dependencies", "devDependencies", "peerDependencies")
    at_home = any(key in package for key in ("scripts", "main", "module", "exports", "bin", "workspaces"))
    return LanguageScore(
        weight=2 if at_home else 1,
        tools=_tools(_NODE, (name for kind in kinds for name in _dict(package.get(kind)))),
    )


def _python(root: Path, names: set[str]) -> LanguageScore:
    requirements = {
        name for name in names if re.fullmatch(r"(.+[-_.])?requirements([-_.].+)?\.(txt|in)", name)
    }
    files = names & {"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "manage.py", *requirements}
    if not files:
        return LanguageScore()
    pyproject = _toml(root / "pyproject.toml") if "pyproject.toml" in files else {}
    sections = {
        section for name in ("setup.cfg", "tox.ini") if name in names for section in _ini(root / name)
    }
    configured = _dict(pyproject.get("tool")).keys() | {s.removeprefix("tool:") for s in sections}
    strong = bool(
        {"project", "build-system"} & pyproject.keys() or "poetry" in configured or "metadata" in sections
    )
    strong = strong or bool(files & {"setup.py", "Pipfile", "manage.py", "requirements.txt"})
    needs = [*_requirements(pyproject), *_setup_cfg(root, names), *_pipfile(root, names)]
    needs += [line for name in requirements for line in _text(root / name).splitlines()]
    distributions = (
        found[0].lower().replace("_", "-") for need in needs if (found := _REQUIREMENT.match(need.strip()))
    )
    return LanguageScore(weight=2 if strong else 1, tools=_tools(_PYTHON, [*distributions, *configured]))


def _requirements(pyproject: Table) -> Iterable[str]:
    """Every requirement of a pyproject.toml, of whatever kind and tool."""
    project, tool = _dict(pyproject.get("project")), _dict(pyproject.get("tool"))
    poetry, uv, pdm = (_dict(tool.get(name)) for name in ("poetry", "uv", "pdm"))
    lists = [
        project.get("dependencies"),
        uv.get("dev-dependencies"),
        *_dict(project.get("optional-dependencies")).values(),
        *_dict(pyproject.get("dependency-groups")).values(),
        *_dict(pdm.get("dev-dependencies")).values(),
        *(_dict(env).get("dependencies") for env in _dict(_dict(tool.get("hatch")).get("envs")).values()),
    ]
    tables = [
        poetry.get("dependencies"),
        poetry.get("dev-dependencies"),
        *(_dict(group).get("dependencies") for group in _dict(poetry.get("group")).values()),
    ]
    yield from (item for one in lists if isinstance(one, list) for item in one if isinstance(item, str))
    yield from (name for table in tables for name in _dict(table))


def _setup_cfg(root: Path, names: set[str]) -> list[str]:
    if "setup.cfg" not in names:
        return []
    config = _ini(root / "setup.cfg")
    blocks = [config.get("options", "install_requires", fallback="")]
    if config.has_section("options.extras_require"):
        blocks += [value for _, value in config.items("options.extras_require")]
    return "\n".join(blocks).splitlines()


def _pipfile(root: Path, names: set[str]) -> list[str]:
    if "Pipfile" not in names:
        return []
    pipfile = _toml(root / "Pipfile")
    return [name for kind in ("packages", "dev-packages") for name in _dict(pipfile.get(kind))]


def _mypy_has_targets(root: Path) -> bool:
    """Whether mypy's own configuration says what to check."""
    own = set(_dict(_dict(_toml(root / "pyproject.toml").get("tool")).get("mypy")))
    for name in ("mypy.ini", ".mypy.ini", "setup.cfg"):
        config = _ini(root / name)
        own |= set(config.options("mypy")) if config.has_section("mypy") else set()
    return bool(own & {"files", "packages", "modules"})


def _tools(known: Mapping[str, str], names: Iterable[str]) -> frozenset[str]:
    return frozenset(known[name] for name in names if name in known)


def _dict(value: object) -> Table:
    return value if isinstance(value, dict) else {}


# A manifest that is missing or malformed tells nothing more than its name does; its own tools report it.


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _toml(path: Path) -> Table:
    try:
        return tomli.loads(_text(path))
    except tomli.TOMLDecodeError:
        return {}


def _json(path: Path) -> Table:
    try:
        return _dict(json.loads(_text(path)))
    except ValueError:
        return {}


def _ini(path: Path) -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        config.read_string(_text(path))
    except configparser.Error:
        config.clear()
    return config
