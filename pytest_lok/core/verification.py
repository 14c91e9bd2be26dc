"""A verify command -> which files decide what it says, so that no answer it judges may edit them.

The command is read as far as it can be: what programs it starts, which files it names, what a
Makefile, a package.json or a shell script makes of that. A program that is known to look at files
and to run none of them (``CHECKERS``) is judged by its options alone. Any other may run what it is
given, and the project's tests.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from posixpath import basename, normpath

from pytest_lok.core.protected import plain

MOST_TEXTS = 200
"""Commands that are followed; beyond that, whatever they name and the tests are taken to be run."""

# fmt: off
DATA = frozenset({
    "[", "basename", "cat", "cd", "cut", "dirname", "echo", "egrep", "exit", "false", "fgrep", "grep",
    "head", "ls", "mkdir", "printf", "pwd", "rmdir", "set", "sleep", "sort", "stat", "tail", "test",
    "tr", "true", "uniq", "wc",
})
"""Programs whose files are data: nothing is run, and no file says what to look for."""

CHECKERS = frozenset({
    "actionlint", "ansible-lint", "basedpyright", "bandit", "biome", "black", "clang-format",
    "clang-tidy", "codespell", "eslint", "flake8", "gofmt", "golangci-lint", "hadolint", "isort", "jq",
    "jshint", "ktlint", "markdownlint", "mypy", "oxlint", "prettier", "py_compile", "compileall",
    "pycodestyle", "pyflakes", "pylint", "pyright", "rubocop", "ruff", "rustfmt", "shellcheck", "shfmt",
    "srb", "staticcheck", "stylelint", "taplo", "tflint", "tsc", "ty", "vulture", "xmllint", "yamllint",
    "zizmor",
})
"""Programs that look at files and run none; what their options are given may be configuration."""

SUBCHECKS = {
    "cargo": {"build", "check", "clippy", "fmt"}, "go": {"build", "fmt", "vet"}, "git": {"diff",
    "status"}, "gcc": {"-c", "-fsyntax-only"}, "clang": {"-fsyntax-only"}, "node": {"--check"}, "ruby":
    {"-c"}, "php": {"-l"}, "perl": {"-c"}, "bash": {"-n"}, "sh": {"-n"}, "terraform": {"fmt",
    "validate"}, "helm": {"lint"},
}
"""The same of programs that do so after one of these words, which comes first."""

_BEFORE = {
    "bundle": {"exec"}, "pnpm": {"exec", "dlx"}, "npm": {"exec"}, "yarn": {"exec"}, "bun": {"x"}, "uv":
    {"run"}, "poetry": {"run"}, "pdm": {"run"}, "pipenv": {"run"}, "hatch": {"run"}, "rye": {"run"},
    "npx": {""}, "bunx": {""}, "uvx": {""}, "env": {""}, "exec": {""}, "command": {""}, "time": {""},
    "nice": {""}, "nohup": {""}, "sudo": {""}, "timeout": {""},
}
"""Programs that run the one after them, some of them after a word that comes first."""
_KEYWORDS = frozenset({"!", "{", "}", "do", "done", "elif", "else", "fi", "if", "then", "until", "while"})
_SHELLS = frozenset({"ash", "bash", "dash", "ksh", "sh", "zsh", "source", "."})
_MANAGERS = frozenset({"bun", "npm", "pnpm", "yarn"})
_OPERATORS = frozenset(";&|()<>\n")
_TEST_FOLDERS = frozenset({
    "__snapshots__", "__tests__", "e2e", "fixtures", "golden", "goldens", "snapshots", "spec", "specs",
    "test", "test-data", "test_data", "testdata", "tests",
})
# fmt: on
_TEST_FILE = re.compile(
    r"tests?([_-].*)?\.\w+|.+[_.-](tests?|spec|cy|e2e)\.\w+|.+\.snap|.+(Tests?|TestCase|Spec)\.(java|kt|scala|groovy|cs|swift|php)"
)
_ENTRY = re.compile(r"__(main|init)__\.py|(index|main)\.\w+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_HIDES = re.compile(r"\$\(|`|\beval\b|\bxargs\b|-exec")
"""What a shell text may run without naming it in the place of a command."""

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Verification:
    """``named`` are the files and directories that it may run or be told by, ``tests`` = it may run tests."""

    named: frozenset[str]
    tests: bool
    read: Read

    def decides(self, path: str) -> str | None:
        """What the file at ``path`` has to do with what the verification says; None = nothing."""
        if any(_names(word, path) for word in self.named):
            return "`verify` runs it, or reads in it what to do"
        if self.tests and is_test(path):
            return "it belongs to the tests, which `verify` may run"
        if self.read(path) is None and _shadows(path, self.read, self.named):
            return "a new module of that name would be imported instead of the one that is meant"
        return None


def is_test(path: str) -> bool:
    """Whether a path is a test, or data of tests, by the usual names."""
    *folders, name = path.split("/")
    return not _TEST_FOLDERS.isdisjoint(map(plain, folders)) or _TEST_FILE.fullmatch(name) is not None


def verification(command: str, reader: Read) -> Verification:
    """What decides what ``command`` says; ``read`` is that of ``edits.Draft``."""

    def read(path: str) -> bytes | None:
        try:
            return reader(path)
        except ValueError:  # a link, a directory: nothing that an edit could touch
            return b""

    named: set[str] = set()
    tests = False
    texts, seen = [command], {command}
    while texts:
        text = texts.pop()
        for pipeline in _pipelines(text):
            parts = [_judged(words, read) for words in pipeline]
            blind = len(parts) > 1 and any(runs for runs, _, _ in parts)  # what flows through it may be code
            named.update(*(files for _, files, _ in parts), *(_paths(words) for words in pipeline if blind))
            tests = tests or any(runs for runs, _, _ in parts)
            fresh = {one for _, _, more in parts for one in more} - seen
            seen |= fresh
            texts += fresh
        if _HIDES.search(text) or len(seen) > MOST_TEXTS:
            named.update(_paths(re.split(r"[\s\"'`$()]+", text)))
            tests = True
    return Verification(frozenset(named), tests, read)


def _pipelines(text: str) -> Iterator[list[list[str]]]:
    """The commands of a text as words, those of a pipe together; what cannot be read is one command."""
    text = text.replace("\\\n", " ").replace("\n", " ; ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|()<>")
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        words = ["?", *text.split()]
    pipeline: list[list[str]] = [[]]
    for word in words:
        if word in ("|", "|&", "<", "<<<"):
            pipeline.append([])
        elif word and _OPERATORS.issuperset(word):
            yield pipeline
            pipeline = [[]]
        else:
            pipeline[-1].append(word)
    yield pipeline


def _judged(words: Sequence[str], read: Read) -> tuple[bool, set[str], list[str]]:
    """Of one command: whether it may run tests, files that it may run or be told by, texts that it runs."""
    rest = list(words)
    while rest and (_ASSIGNMENT.match(rest[0]) or rest[0] in _KEYWORDS):
        rest.pop(0)
    if not rest:
        return False, set(), []
    name, arguments = basename(rest[0]), rest[1:]
    first = next((word for word in arguments if not word.startswith("-")), "")
    if name in _BEFORE and (_BEFORE[name] == {""} or first in _BEFORE[name]):
        return _after(name, arguments, read)
    if name.startswith("python") and "-m" in arguments[:-1]:
        return _judged(arguments[arguments.index("-m") + 1 :], read)
    if name in DATA:
        return False, _values(arguments, {"-f", "--file"}) if name.endswith("grep") else set(), []
    if name in CHECKERS or not SUBCHECKS.get(name, set()).isdisjoint((first, *arguments[:1])):
        return False, _values(arguments if name in CHECKERS else arguments[1:]), []
    texts = _run(name, rest[0], arguments, read)
    if texts is not None:
        return False, set(_paths([rest[0]] if "/" in rest[0] else [])) | set(_paths(arguments)), texts
    return True, set(_paths(rest if "/" in rest[0] else arguments)) | {name}, []


def _after(name: str, arguments: list[str], read: Read) -> tuple[bool, set[str], list[str]]:
    """What comes of a program that runs another: that one, wherever among the words its name may be."""
    skipped = 0
    while skipped < len(arguments) and (
        arguments[skipped].startswith("-")
        or arguments[skipped] in _BEFORE[name]
        or re.fullmatch(r"\d[\d.]*[smhd]?", arguments[skipped])
        or _ASSIGNMENT.match(arguments[skipped])
    ):
        skipped += 1
    runs, files, texts = _judged(arguments[skipped:], read)
    return runs, files | _values(arguments[:skipped]), texts


def _run(name: str, head: str, arguments: Sequence[str], read: Read) -> list[str] | None:
    """The commands behind a Makefile, a package.json or a shell script; None where they cannot be known."""
    if name in _SHELLS and "-c" in arguments[:-1]:
        return [arguments[arguments.index("-c") + 1]]
    if name in ("make", "gmake"):
        text = next(filter(None, (_text(file, read) for file in ("GNUmakefile", "makefile", "Makefile"))), "")
        if "-f" in arguments or "-C" in arguments or not text or re.search(r"(?m)^-?s?include\b", text):
            return None
        return [line.lstrip("\t@-+ ") for line in text.split("\n") if line.startswith("\t")]
    if name in _MANAGERS:
        return _scripts(arguments, read)
    script = next((word for word in arguments if not word.startswith("-")), "") if name in _SHELLS else head
    text = _text(script, read) if "/" in script or name in _SHELLS else ""
    if text and (name in _SHELLS or re.match(r"#!.*\b(ba|da|k|z)?sh\b", text)):
        return text.split("\n")
    return None


def _scripts(arguments: Sequence[str], read: Read) -> list[str] | None:
    try:
        scripts = json.loads(_text("package.json", read))["scripts"]
        wanted = next(word for word in arguments if word not in ("run", "run-script") and word[:1] != "-")
        found = [scripts[name] for name in (f"pre{wanted}", wanted, f"post{wanted}") if name in scripts]
    except (ValueError, KeyError, TypeError, StopIteration):
        return None
    return found if found and all(isinstance(text, str) for text in found) else None


def _text(path: str, read: Read) -> str:
    return (read(normpath(path)) or b"").decode("utf-8", "replace")


def _values(arguments: Sequence[str], options: set[str] | None = None) -> set[str]:
    """Files that options are given, as a word of its own or after ``=``."""
    pairs = itertools.pairwise(arguments)
    found = [value for option, value in pairs if option[:1] == "-" and (not options or option in options)]
    found += [word.partition("=")[2] for word in arguments if word.startswith("-") and "=" in word]
    return set(_paths(found))


def _paths(words: Iterable[str]) -> Iterator[str]:
    """What may be a path in the project, in its plain form."""
    for word in words:
        for part in {word, word.partition("=")[2], word.partition(":")[0]}:
            path = normpath(part).lstrip("/") if part and not re.search(r"\s", part) else "."
            if path not in (".", "..") and not path.startswith("-"):
                yield plain(re.sub(r"^(\.\./)+", "", path))


def _names(word: str, path: str) -> bool:
    """Whether a word of a command means the file: by its whole path or, from another directory, its end.

    A directory stands for its tests and for what is run first in it.
    """
    file = plain(path)
    if file == word or (("." in word or "/" in word) and file.endswith(f"/{word}")):
        return True
    inside = file.startswith(f"{word}/") or ("/" in word and f"/{word}/" in file)
    return inside and (is_test(path) or _ENTRY.fullmatch(basename(file)) is not None)


def _shadows(path: str, read: Read, programs: Iterable[str]) -> bool:
    """Whether a new file would be imported as a module that Python or a program has already."""
    parts = path.split("/")
    if parts[-1] == "__init__.py" and len(parts) > 1:
        parts.pop()
    elif not parts[-1].endswith(".py"):
        return False
    name, folder = parts[-1].removesuffix(".py"), "/".join(parts[:-1])
    if folder and read(f"{folder}/__init__.py") is not None:
        return False
    return name in sys.stdlib_module_names or name in set(programs)
