"""A path -> why no answer may edit the file unless it is allowed: what such a file decides, by its name."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping

from pytest_lok.core.text.words import words

_PYTEST = "pytest reads it to know what it runs"
_BUILD = "a build or a test run starts with it"
_CI = "a CI service reads it to know what it runs"
_AGENT = "it gives orders to a model's tool"
_TESTS = "a test runner reads it to know what it runs"
_CHECKS = "a checker reads it to know what it reports"
_PACKAGES = "a package manager runs what it says"
_TOOLS = "it decides which programs are run"
_PYTHON = "Python runs it before anything else"
_LOK = "lok reads it to know what it runs"
_INSTALLED = "it is installed code, which nobody reviews"

NAMES: Mapping[str, str] = {
    "lok.toml": _LOK,
    r"conftest\.py|pytest\.(ini|toml)|tox\.(ini|toml)|setup\.cfg|pyproject\.toml": _PYTEST,
    r"sitecustomize\.py|usercustomize\.py|.+\.pth|.+\.py[co]": _PYTHON,
    r"setup\.py|manage\.py|build\.rs|noxfile\.py|configure(\.ac)?|.+\.(mk|cmake|just|rake|bzl)": _BUILD,
    r"(gnu)?makefile(\..+)?|cmake(lists\.txt|presets\.json)|meson(\.build|_options\.txt|\.options)": _BUILD,
    r"scons(truct|cript)|(build|workspace)(\.bazel)?|module\.bazel|earthfile|tiltfile|procfile": _BUILD,
    r"justfile|taskfile\.ya?ml|rakefile(\.rb)?|guardfile|fastfile|dangerfile|vagrantfile|brewfile": _BUILD,
    r"(gulpfile|gruntfile|jakefile)\.[cm]?[jt]s|build\.(sbt|xml)|pom\.xml|.+\.gradle(\.kts)?": _BUILD,
    r"gradle\.properties|gradlew(\.bat)?|mvnw(\.cmd)?|.+\.(csproj|fsproj|vbproj|sln|props|targets)": _BUILD,
    r"package\.swift|project\.clj|deps\.edn|stack\.yaml|cabal\.project|.+\.cabal|dune(-project)?": _BUILD,
    r"dockerfile(\..+)?|.+\.dockerfile|containerfile|(docker-)?compose.*\.ya?ml": _BUILD,
    r"package(-lock)?\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-(lock|workspace)\.yaml": _PACKAGES,
    r"bun\.lockb?|deno\.(jsonc?|lock)|bunfig\.toml|(lerna|nx|turbo|rush)\.json": _PACKAGES,
    r"composer\.(json|lock)|gemfile(\.lock)?|.+\.gemspec": _PACKAGES,
    r"cargo\.(toml|lock)|go\.(mod|sum|work|work\.sum)": _PACKAGES,
    r"mix\.(exs|lock)|rebar\.config|(.+[-_])?(requirements|constraints).*\.(txt|in)": _PACKAGES,
    r"pipfile(\.lock)?|(poetry|uv|pdm)\.(lock|toml)|pylock.*\.toml|global\.json|nuget\.config": _PACKAGES,
    r"rust-toolchain(\.toml)?|(flake|default|shell)\.nix|flake\.lock|devbox\.json|mise\.toml": _TOOLS,
    r".+\.(config|conf|setup)\.\w+|phpunit.*\.xml(\.dist)?|codecov\.ya?ml": _TESTS,
    r"[tj]sconfig.*\.json|biome\.jsonc?|pyrightconfig\.json|(ruff|clippy|rustfmt)\.toml|mypy\.ini": _CHECKS,
    r"(eslint|prettier|stylelint|tslint)\.(json|ya?ml|toml)|phpstan.*\.neon.*|pylintrc": _CHECKS,
    r"lefthook.*\.(ya?ml|toml|json)|dodo\.py|fabfile\.py|tasks\.py|wscript|snakefile|hatch_build\.py": _BUILD,
    r"bsdmakefile|podfile|capfile|config\.ru|buck|pants\.toml|.+\.sbt|gradle-wrapper\.properties": _BUILD,
    r"(docker-)?bake\.(hcl|json)|skaffold\.ya?ml|nodemon\.json|(vercel|netlify)\.(json|toml)": _BUILD,
    r"pip\.conf|(pixi|hatch)\.toml|environment\.ya?ml|import_map\.json|pubspec\.(yaml|lock)": _PACKAGES,
    r"(vitest|jest|karma)\.(workspace|setup)\.\w+|setuptests\.\w+|nextest\.toml": _TESTS,
    r"golangci\.(ya?ml|toml|json)|buf(\.gen|\.work)?\.yaml|analysis_options\.yaml": _CHECKS,
    r"renovate\.json5?|codemagic\.ya?ml|codeowners": _CI,
    r"jenkinsfile.*|(azure-pipelines|buildspec|cloudbuild|codeship-).*\.ya?ml": _CI,
    r"(bitbucket-pipelines|appveyor|wercker|bitrise)\.ya?ml|sonar-project\.properties": _CI,
    r"(agents?|claude|gemini|copilot|codex|warp|qwen|crush|skill)(\.(local|override))?\.md": _AGENT,
    r"conventions\.md|copilot-instructions\.md|(opencode|crush|mcp)\.jsonc?": _AGENT,
}  # fmt: skip
"""Patterns of a file's name in lower case, each with what makes such a file dangerous.

What begins with a dot need not be listed: hidden files and directories are configuration, all of them.
"""

INSTALLED = words("node_modules site-packages dist-packages venv __pycache__ __pypackages__")
"""Directories of code that other people wrote."""

BASELINE = ".lok/baseline.json"
"""The findings that people accept, from the root of the project."""

_HIDDEN = "it is hidden, and hidden files are configuration"


@functools.cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(pattern), reason) for pattern, reason in NAMES.items()]


def decides_about_changes(path: str) -> str | None:
    """What the file at the path decides about every change, this one too; None if it decides nothing of it.

    Of what builds and packages a project (a Makefile, a lock file) this says nothing.
    """
    reason = protection_reason(path)
    return reason if reason in (_LOK, _PYTEST, _CI, _AGENT, _PYTHON, _HIDDEN) else None


def fold_name(name: str) -> str:
    """A name or path as file systems see it that ignore case and Unicode forms."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def protection_reason(path: str) -> str | None:
    """What the file at the path decides, in whichever directory; None if it is ordinary source or data."""
    names = [fold_name(part).rstrip(". ") for part in path.split("/")]
    if any(name.startswith(".") for name in names):
        return _HIDDEN
    if INSTALLED.intersection(names):
        return _INSTALLED
    return next((reason for pattern, reason in _patterns() if pattern.fullmatch(names[-1])), None)
