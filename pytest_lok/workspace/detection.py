"""A directory's manifests -> its language, and the tools that it uses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex
from pytest_lok.workspace import known_tools
from pytest_lok.workspace.manifests import Table, as_table, read_ini, read_json, read_text, read_toml

_REQUIREMENT = late_regex(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # the distribution a requirement starts with
_GEM = late_regex(r"""^[ \t]*gem[ \t(]+["']([\w-]+)["']""", re.MULTILINE)


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
        for file, tool in known_tools.MARK_FILES.items()
        if file in names or ("/" in file and (root / file).is_dir())
    }
    by_pattern = {
        found.expand(tool)
        for name in names
        for pattern, tool in known_tools.NAME_PATTERNS.items()
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
            known_tools.RUST, (name for t in tables for kind in kinds for name in as_table(t.get(kind)))
        ),
    )


def _ruby(root: Path, names: set[str]) -> LanguageScore:
    if "Gemfile" not in names:
        return LanguageScore()
    return LanguageScore(weight=2, tools=_known(known_tools.RUBY, _GEM.findall(read_text(root / "Gemfile"))))


def _node(root: Path, names: set[str]) -> LanguageScore:
    if "package.json" not in names:
        return LanguageScore()
    package = read_json(root / "package.json")
    kinds = ("dependencies", "devDependencies", "peerDependencies")
    # a package.json with dependencies alone only brings tools
    is_package = any(key in package for key in ("scripts", "main", "module", "exports", "bin", "workspaces"))
    return LanguageScore(
        weight=2 if is_package else 1,
        tools=_known(known_tools.NODE, (name for kind in kinds for name in as_table(package.get(kind)))),
    )


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
        weight=2 if is_package else 1, tools=_known(known_tools.PYTHON, [*distributions, *configured])
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
