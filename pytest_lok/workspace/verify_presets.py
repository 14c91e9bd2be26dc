"""A project's language and tools -> the shell command behind a ``verify`` preset."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pytest_lok.dataclass import dataclass
from pytest_lok.errors import StepUnableError
from pytest_lok.workspace.manifests import as_table, read_ini, read_json, read_toml

Which: TypeAlias = Callable[[str], str | None]

_ALIASES = {"node": "javascript", "typescript": "javascript"}
_ADVICE = {
    "python": "configure ruff, mypy or pytest in pyproject.toml",
    "javascript": 'add a "lint" or "build" script to package.json',
    "ruby": "add rubocop or rspec to the Gemfile",
}
_OR_OWN_COMMAND = 'or write the command itself: verify = "make check"'


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPresets:
    """The presets of the project at ``root``, of that ``language`` ("" = unknown) and with these ``tools``.

    ``which`` says where a program is installed; None = nowhere.
    """

    root: Path
    language: str
    tools: frozenset[str]
    which: Which

    def command(self, preset: str) -> str:
        """The shell command behind ``verify = "true"`` (the detected language) or the name of a language.

        The command runs the checks that the project configures, and ends with the first that fails. These
        are linters, type checkers and builds; tests only where a Python project has nothing else.
        StepUnableError where nothing is configured, or a tool is not installed.
        """
        language = self.language if preset == "true" else preset
        language = _ALIASES.get(language, language)
        if not language:
            raise StepUnableError(
                f"verify: {self.root} has no Cargo.toml, go.mod, Gemfile, pyproject.toml or package.json",
                hint=_OR_OWN_COMMAND.removeprefix("or "),
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
                f"verify: this {language} project configures no check",
                hint=f"{_ADVICE[language]}, {_OR_OWN_COMMAND}",
            )
        return " && ".join(commands)

    def _python(self) -> list[str]:
        checks = {
            "ruff": "check .",
            "flake8": "",
            "mypy": "" if _mypy_has_targets(self.root) else ".",
            "pyright": "",
            "basedpyright": "",
        }
        # tests are slow, and judge more than the edits: only where nothing else is configured
        if not checks.keys() & self.tools:
            checks = {"pytest": "-q --ignore=.lok"}  # a workflow does not verify itself
        return [
            f"{self._program(name)} {rest}".strip() for name, rest in checks.items() if name in self.tools
        ]

    def _program(self, name: str) -> str:
        """A Python tool as it is to be called: from the project's environment before PATH."""
        # the tools of a project's environment have the versions that it pins
        for folder in (".venv/bin", "venv/bin"):
            if (self.root / folder / name).is_file():
                return f"{folder}/{name}"
        for manager in ("uv", "poetry", "pdm", "pipenv"):
            if manager in self.tools and self.which(manager):
                return f"{manager} run {name}"
        return self._installed(name)

    def _rust(self) -> list[str]:
        cargo = self._installed("cargo")
        scope = " --workspace" if "workspace" in read_toml(self.root / "Cargo.toml") else ""
        # clippy checks all that `cargo check` does; the build is what neither of them does
        if self.which("cargo-clippy"):
            return [f"{cargo} clippy{scope} --all-targets -- -D warnings", f"{cargo} build{scope}"]
        return [f"{cargo} check{scope} --all-targets", f"{cargo} build{scope}"]

    def _go(self) -> list[str]:
        go = self._installed("go")
        lint = "golangci-lint"
        linted = [f"{self._installed(lint)} run"] if lint in self.tools else []
        return [f"{go} vet ./...", *linted, f"{go} build ./..."]

    def _node(self) -> list[str]:
        scripts = as_table(read_json(self.root / "package.json").get("scripts"))
        wanted = [name for name in ("lint", "typecheck", "type-check", "build") if name in scripts]
        manager = next((name for name in ("pnpm", "yarn", "bun") if name in self.tools), "npm")
        commands = [f"{self._installed(manager)} run {name}" for name in wanted]
        # neither of them checks types, and TypeScript is there for that
        if wanted in ([], ["lint"]) and "typescript" in self.tools:
            commands.append(f"{self._installed('node_modules/.bin/tsc')} --noEmit")
        return commands

    def _ruby(self) -> list[str]:
        checks = {"rubocop": "rubocop --lint", "sorbet": "srb tc", "rspec": "rspec --dry-run"}
        wanted = [command for name, command in checks.items() if name in self.tools]
        if "bundler" in self.tools:
            return [f"{self._installed('bundle')} exec {command}" for command in wanted]
        return [
            self._installed(command.split()[0]) + command[len(command.split()[0]) :] for command in wanted
        ]

    def _installed(self, name: str) -> str:
        if not ((self.root / name).is_file() if "/" in name else self.which(name)):
            raise StepUnableError(
                f"verify: the project uses {name}, which is not installed",
                hint=f"install {name}, {_OR_OWN_COMMAND}",
            )
        return name


def _mypy_has_targets(root: Path) -> bool:
    """Whether mypy's own configuration says what to check."""
    own = set(as_table(as_table(read_toml(root / "pyproject.toml").get("tool")).get("mypy")))
    for name in ("mypy.ini", ".mypy.ini", "setup.cfg"):
        config = read_ini(root / name)
        own |= set(config.options("mypy")) if config.has_section("mypy") else set()
    return bool(own & {"files", "packages", "modules"})
