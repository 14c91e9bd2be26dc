"""A directory's manifests -> its language, and the tools that it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_lok.core.text.words import words
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex
from pytest_lok.workspace.manifests import Table, as_table, read_ini, read_json, read_text, read_toml

_REQUIREMENT = late_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # the distribution a requirement starts with
_GEM = late_regex(r"""^[ \t]*gem[ \t(]+["']([\w-]+)["']""", re.MULTILINE)

_MARK_FILES: Mapping[str, str] = {
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
"""Files and directories whose mere presence says that a tool is in use."""

_NAME_PATTERNS: Mapping[re.Pattern[str], str] = {
    late_regex(r"\.eslintrc(\..+)?|eslint\.config\.[cm]?[jt]s"): "eslint",
    late_regex(r"(jest|vitest)\.config\.[cm]?[jt]s"): r"\1",
    late_regex(r".+\.tf"): "terraform",
}
"""The same for names of files that vary; ``\\1`` is what the first group matched."""

# The packages worth telling a workflow about, each with the tool that it is.
_PYTHON_PACKAGES: Mapping[str, str] = {
    name: name
    for name in words(
        "alembic basedpyright black django fastapi flake8 flask mypy pylint",
        "pyright pytest ruff sqlalchemy tox",
    )
}
_NODE_PACKAGES: Mapping[str, str] = {
    "@biomejs/biome": "biome", "eslint": "eslint", "jest": "jest", "next": "next", "prettier": "prettier",
    "react": "react", "tailwindcss": "tailwind", "typescript": "typescript", "vitest": "vitest", "vue": "vue",
}  # fmt: skip
_RUBY_PACKAGES: Mapping[str, str] = {
    "brakeman": "brakeman", "bullet": "bullet", "goldiloader": "goldiloader", "rails": "rails",
    "rspec": "rspec", "rspec-rails": "rspec", "rubocop": "rubocop", "rubocop-rails": "rubocop",
    "sidekiq": "sidekiq", "sorbet": "sorbet", "strong_migrations": "strong_migrations",
}  # fmt: skip
_RUST_PACKAGES: Mapping[str, str] = {"diesel": "diesel", "sqlx": "sqlx", "tokio": "tokio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageScore:
    """What a manifest says of a language: ``weight`` 2 = a package is here, 1 = it is used, 0 = neither."""

    weight: int = 0
    tools: frozenset[str] = frozenset()


def detect(root: Path) -> tuple[str, frozenset[str]]:
    """The language ("" = unknown) and the tools, by the files in ``root`` itself.

    Subdirectories do not count. Of several languages one that is packaged here wins over one that is only
    used; then the order is rust, go, ruby, python, javascript.
    """
    try:
        names = {entry.name for entry in root.iterdir()}
    except OSError:  # a directory that cannot be listed tells nothing
        return "", frozenset()
    scores = {
        "rust": _rust(root, names),
        "go": LanguageScore(weight=2 if names & {"go.mod", "go.work"} else 0),
        "ruby": _ruby(root, names),
        "python": _python(root, names),
        "javascript": _node(root, names),
    }
    by_file = {
        tool
        for file, tool in _MARK_FILES.items()
        if file in names or ("/" in file and (root / file).is_dir())
    }
    by_pattern = {
        found.expand(tool)
        for name in names
        for pattern, tool in _NAME_PATTERNS.items()
        if (found := pattern.fullmatch(name))
    }
    tools = frozenset(by_file | by_pattern).union(*(score.tools for score in scores.values()))
    # the first of the highest: scripts and assets in Python or JavaScript accompany the other languages
    # more often than the other way round
    language = max(scores, key=lambda name: scores[name].weight)
    if not scores[language].weight:
        return "", tools
    return "typescript" if language == "javascript" and "typescript" in tools else language, tools


def _rust(root: Path, names: set[str]) -> LanguageScore:
    if "Cargo.toml" not in names:
        return LanguageScore()
    cargo = read_toml(root / "Cargo.toml")
    tables = [cargo, as_table(cargo.get("workspace"))]
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    return LanguageScore(
        weight=2,
        tools=_known(
            _RUST_PACKAGES, (name for t in tables for kind in kinds for name in as_table(t.get(kind)))
        ),
    )


def _ruby(root: Path, names: set[str]) -> LanguageScore:
    if "Gemfile" not in names:
        return LanguageScore()
    return LanguageScore(weight=2, tools=_known(_RUBY_PACKAGES, _GEM.findall(read_text(root / "Gemfile"))))


def _node(root: Path, names: set[str]) -> LanguageScore:
    if "package.json" not in names:
        return LanguageScore()
    package = read_json(root / "package.json")
    kinds = ("dependencies", "devDependencies", "peerDependencies")
    # a package.json with dependencies alone only brings tools
    is_package = any(key in package for key in ("scripts", "main", "module", "exports", "bin", "workspaces"))
    # "pnpm@9.1.0", which corepack runs
    manager = str(package.get("packageManager", "")).partition("@")[0]
    named = frozenset({manager}) & {"npm", "yarn", "pnpm", "bun"}
    packages = _known(_NODE_PACKAGES, (name for kind in kinds for name in as_table(package.get(kind))))
    return LanguageScore(weight=2 if is_package else 1, tools=packages | named)


def _python(root: Path, names: set[str]) -> LanguageScore:
    requirements = {
        name for name in names if re.fullmatch(r"(.+[-_.])?requirements([-_.].+)?\.(txt|in)", name)
    }
    files = names & {"pyproject.toml", "setup.py", "setup.cfg", "Pipfile", "manage.py", *requirements}
    if not files:
        return LanguageScore()
    pyproject = read_toml(root / "pyproject.toml") if "pyproject.toml" in files else {}
    sections = {
        section for name in ("setup.cfg", "tox.ini") if name in names for section in read_ini(root / name)
    }
    configured = as_table(pyproject.get("tool")).keys() | {s.removeprefix("tool:") for s in sections}
    is_package = (
        {"project", "build-system"} & pyproject.keys()
        or "poetry" in configured
        or "metadata" in sections
        or files & {"setup.py", "Pipfile", "manage.py", "requirements.txt"}
    )
    needs = [*_requirements(pyproject), *_setup_cfg(root, names), *_pipfile(root, names)]
    needs += [line for name in requirements for line in read_text(root / name).splitlines()]
    distributions = (
        found[0].lower().replace("_", "-") for need in needs if (found := _REQUIREMENT.match(need.strip()))
    )
    return LanguageScore(
        weight=2 if is_package else 1, tools=_known(_PYTHON_PACKAGES, [*distributions, *configured])
    )


def _requirements(pyproject: Table) -> Iterable[str]:
    """Every requirement of a pyproject.toml, of whatever kind and tool."""
    project, tool = as_table(pyproject.get("project")), as_table(pyproject.get("tool"))
    poetry, uv, pdm = (as_table(tool.get(name)) for name in ("poetry", "uv", "pdm"))
    lists = [
        project.get("dependencies"),
        uv.get("dev-dependencies"),
        *as_table(project.get("optional-dependencies")).values(),
        *as_table(pyproject.get("dependency-groups")).values(),
        *as_table(pdm.get("dev-dependencies")).values(),
        *(
            as_table(env).get("dependencies")
            for env in as_table(as_table(tool.get("hatch")).get("envs")).values()
        ),
    ]
    tables = [
        poetry.get("dependencies"),
        poetry.get("dev-dependencies"),
        *(as_table(group).get("dependencies") for group in as_table(poetry.get("group")).values()),
    ]
    yield from (item for one in lists if isinstance(one, list) for item in one if isinstance(item, str))
    yield from (name for table in tables for name in as_table(table))


def _setup_cfg(root: Path, names: set[str]) -> list[str]:
    if "setup.cfg" not in names:
        return []
    config = read_ini(root / "setup.cfg")
    blocks = [config.get("options", "install_requires", fallback="")]
    if config.has_section("options.extras_require"):
        blocks += [value for _, value in config.items("options.extras_require")]
    return "\n".join(blocks).splitlines()


def _pipfile(root: Path, names: set[str]) -> list[str]:
    if "Pipfile" not in names:
        return []
    pipfile = read_toml(root / "Pipfile")
    return [name for kind in ("packages", "dev-packages") for name in as_table(pipfile.get(kind))]


def _known(known: Mapping[str, str], names: Iterable[str]) -> frozenset[str]:
    return frozenset(known[name] for name in names if name in known)
