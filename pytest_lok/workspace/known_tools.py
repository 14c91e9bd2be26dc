"""The files and packages by which a tool is known to be in use, as tables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_lok.late_regex import late_regex

MARK_FILES: Mapping[str, str] = {
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

NAME_PATTERNS: Mapping[re.Pattern[str], str] = {
    late_regex(r"\.eslintrc(\..+)?|eslint\.config\.[cm]?[jt]s"): "eslint",
    late_regex(r"(jest|vitest)\.config\.[cm]?[jt]s"): r"\1",
    late_regex(r".+\.tf"): "terraform",
}
"""The same for names of files that vary; ``\\1`` is what the first group matched."""

# The packages worth telling a workflow about, each with the tool that it is.
PYTHON: Mapping[str, str] = {
    name: name
    for name in (
        "alembic", "basedpyright", "black", "django", "fastapi", "flake8", "flask", "mypy", "pylint",
        "pyright", "pytest", "ruff", "sqlalchemy", "tox",
    )
}  # fmt: skip
NODE: Mapping[str, str] = {
    "@biomejs/biome": "biome", "eslint": "eslint", "jest": "jest", "next": "next", "prettier": "prettier",
    "react": "react", "tailwindcss": "tailwind", "typescript": "typescript", "vitest": "vitest", "vue": "vue",
}  # fmt: skip
RUBY: Mapping[str, str] = {
    "brakeman": "brakeman", "bullet": "bullet", "goldiloader": "goldiloader", "rails": "rails",
    "rspec": "rspec", "rspec-rails": "rspec", "rubocop": "rubocop", "rubocop-rails": "rubocop",
    "sidekiq": "sidekiq", "sorbet": "sorbet", "strong_migrations": "strong_migrations",
}  # fmt: skip
RUST: Mapping[str, str] = {"diesel": "diesel", "sqlx": "sqlx", "tokio": "tokio"}
