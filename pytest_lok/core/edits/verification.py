"""A verify command -> which files decide what it says, so that the answer it judges may not edit them.

The command is read, and not run: which programs it starts, which files it names, and which commands a
Makefile, a package.json or a shell script adds. A program that is known to look at files and to run none of
them (``CHECKERS``) only depends on what its options name. Any other program may run what it is given, and the
project's tests.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from posixpath import basename, normpath

from pytest_lok.core.edits.imports import imported_files
from pytest_lok.core.edits.protected_names import fold_name
from pytest_lok.core.text.words import words
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

MAX_TEXTS = 200
"""Commands that are followed; beyond that, the files they name and the tests count as run."""

# fmt: off
DATA_PROGRAMS = words("""
    [ basename cat cd curl cut date dirname echo egrep exit false fgrep grep head ls mkdir printf pwd rm
    rmdir set sleep sort stat tail test tr true uniq wc
""")
"""Programs that run none of their files, and are not configured by any."""

CHECKERS = words("""
    actionlint ansible-lint basedpyright bandit biome black clang-format clang-tidy codespell eslint flake8
    gofmt golangci-lint hadolint isort jq jshint ktlint markdownlint mypy oxlint prettier py_compile
    compileall pycodestyle pyflakes pylint pyright rubocop ruff rustfmt shellcheck shfmt srb staticcheck
    stylelint taplo tflint tsc ty vulture xmllint yamllint zizmor
""")
"""Programs that look at files and run none; a file behind one of their options may be configuration."""

CHECKING_SUBCOMMANDS = {
    "cargo": {"build", "check", "clippy", "fmt"}, "go": {"build", "fmt", "vet"}, "git": {"diff",
    "status"}, "gcc": {"-c", "-fsyntax-only"}, "clang": {"-fsyntax-only"}, "node": {"--check"}, "ruby":
    {"-c"}, "php": {"-l"}, "perl": {"-c"}, "bash": {"-n"}, "sh": {"-n"}, "terraform": {"fmt",
    "validate"}, "helm": {"lint"},
}
"""Programs that look at files and run none if the first word behind them is one of these."""

HOSTING_SUBCOMMANDS = {
    "git": {"add", "apply", "branch", "checkout", "commit", "diff", "fetch", "log", "ls-files", "pull",
            "push", "restore", "rev-parse", "show", "stash", "status", "switch", "tag"},
    "gh": {"api", "issue", "label", "pr", "release", "repo", "run"},
    "glab": {"api", "ci", "issue", "mr", "release"},
}
"""Programs that store or publish a change if the first word is one of these, and judge nothing."""

_WRAPPERS = {
    "bundle": {"exec"}, "pnpm": {"exec", "dlx"}, "npm": {"exec"}, "yarn": {"exec"}, "bun": {"x"}, "uv":
    {"run"}, "poetry": {"run"}, "pdm": {"run"}, "pipenv": {"run"}, "hatch": {"run"}, "rye": {"run"},
    "npx": {""}, "bunx": {""}, "uvx": {""}, "env": {""}, "exec": {""}, "command": {""}, "time": {""},
    "nice": {""}, "nohup": {""}, "sudo": {""}, "timeout": {""},
}
"""Programs that run the program named behind them, some only behind one of these words."""
_LISTERS = frozenset({"find", "for", "run-parts"})
_KEYWORDS = words("! { } do done elif else fi if then until while")
_SHELLS = words("ash bash dash ksh sh zsh source .")
_MANAGERS = frozenset({"bun", "npm", "pnpm", "yarn"})
_OPERATORS = frozenset(";&|()<>\n")
_TEST_FOLDERS = words("""
    __snapshots__ __tests__ e2e fixtures golden goldens snapshots spec specs test test-data test_data
    testdata tests
""")
# fmt: on
_TEST_FILE = late_regex(
    r"tests?([_-].*)?\.\w+|.+[_.-](tests?|spec|cy|e2e)\.\w+|.+\.snap|.+(Tests?|TestCase|Spec)\.(java|kt|scala|groovy|cs|swift|php)"
)
_ENTRY = late_regex(r"__(main|init)__\.py|(index|main)\.\w+")
_SCRIPT = late_regex(r"[^-=][^=]*\.[A-Za-z]\w*")
_ASSIGNMENT = late_regex(r"[A-Za-z_]\w*=")
_HIDDEN_COMMAND = late_regex(r"\$\(|`|\beval\b|\bxargs\b|-exec")
"""Shell syntax that runs commands which do not stand in the place of a command."""

_PYTEST_FILES = (
    "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "pyproject.toml", "tox.ini", "setup.cfg",
)  # fmt: skip
_PYTHON_FILES = late_regex(r"(?ms)^\s*python_files\s*=(.*?)(?=^\s*[\w-]+\s*=|^\[|\Z)")
_VARIABLE = late_regex(r"\$(\{[^}]*\}|\w+|.)")

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``who`` (a verify command, a later step) runs and is told by.

    ``named`` are files and directories, by their whole path or its end; one that ends in ``/`` means all
    that is in it. ``scripts`` are those that a program is started with, by the words of the command.
    ``tests``: tests may be run, those of the usual names and of these ``patterns``.
    ``installed`` says of a module's name whether there is one already.
    """

    who: str
    named: frozenset[str]
    scripts: frozenset[str]
    tests: bool
    patterns: tuple[str, ...]
    read: Read
    installed: Callable[[str], bool]

    def decides(self, path: str) -> str | None:
        """Why the file at ``path`` decides what the command says, None if it does not."""
        if any(_means(word, path) for word in self.named):
            return f"{self.who} runs it, or reads in it what to do"
        # an import runs the file as much as naming it would
        if script := self._importing_script(path):
            return f"{script}, which {self.who} runs, imports it"
        content = self.read(path)
        if self.tests and (is_test(path) or self._is_collected(path, content)):
            return f"it belongs to the tests, which {self.who} may run"
        if self.named and content is not None and _is_script(path, content):
            return f"it is a script, which {self.who} may run"
        if content is None and self._shadows_module(path):
            return "a new module of that name would be imported instead of the one that is meant"
        return None

    def _importing_script(self, path: str) -> str:
        """The script that imports the file, "" if none does; what a test imports is what it tests."""
        folders = [path[:at] for at, letter in enumerate(path) if letter == "/"]
        for word, folder in itertools.product(sorted(self.scripts), ["", *folders]):
            script = normpath(f"{folder}/{word}" if folder else word)
            if is_test(script) or self.read(script) is None:
                continue
            if any(_means(fold_name(file), path) for file in imported_files(script, self.read)):
                return script
        return ""

    def _is_collected(self, path: str, content: bytes | None) -> bool:
        """Whether pytest is configured to collect the file, or may find doctests in it."""
        told = any(fnmatchcase(basename(path), pattern) for pattern in self.patterns)
        return told or (path.endswith(".py") and content is not None and b">>> " in content)

    def _shadows_module(self, path: str) -> bool:
        """Whether a new file would be imported instead of a module that exists already."""
        parts = path.split("/")
        if parts[-1] == "__init__.py" and len(parts) > 1:
            parts.pop()
        elif not parts[-1].endswith(".py"):
            return False
        name, folder = parts[-1].removesuffix(".py"), "/".join(parts[:-1])
        if folder and self.read(f"{folder}/__init__.py") is not None:
            return False
        if name in self.named or (name.isidentifier() and self.installed(name)):
            return True
        imports = re.compile(rf"(?m)^\s*(?:import|from)\s+{re.escape(name)}\b")
        return any(imports.search(_text(word, self.read)) for word in self.scripts if word.endswith(".py"))


def is_test(path: str) -> bool:
    """Whether a path is a test, or data of tests, by the usual names."""
    *folders, name = path.split("/")
    return not _TEST_FOLDERS.isdisjoint(map(fold_name, folders)) or _TEST_FILE.fullmatch(name) is not None


def _is_script(path: str, content: bytes) -> bool:
    """Whether it is started by its name: a shell's script, or one whose name does not say what it is."""
    first = content[:80].split(b"\n")[0]
    return first.startswith(b"#!") and (
        "." not in basename(path) or re.search(rb"\b\w*sh\b", first) is not None
    )


def verification(command: str, reader: Read, *, who: str, installed: Callable[[str], bool]) -> Verification:
    """What decides what ``command`` says; ``reader`` is ``read`` of ``EditDraft``."""

    def read(path: str) -> bytes | None:
        try:
            return reader(path)
        except ValueError:  # a link, a directory: nothing that an edit could touch
            return b""

    named: set[str] = set()
    scripts: set[str] = set()
    tests = False
    texts, seen = [command], {command}
    while texts:
        text = texts.pop()
        for pipeline in _pipelines(text):
            parts = [_inspect(words, read) for words in pipeline]
            blind = len(parts) > 1 and any(runs for runs, _, _ in parts)  # what flows through it may be code
            named.update(*(files for _, files, _ in parts), *(_paths(words) for words in pipeline if blind))
            runs = any(runs for runs, _, _ in parts)
            scripts.update(*(_script_names(words) for words in pipeline if runs and words))
            tests = tests or runs
            fresh = {one for _, _, more in parts for one in more} - seen
            seen |= fresh
            texts += fresh
        bare = re.sub(r"'[^']*'", " ", text)  # where nothing is replaced
        if _HIDDEN_COMMAND.search(bare) or len(seen) > MAX_TEXTS:
            words = re.split(r"[\s\"'`$()]+", bare)
            named.update(_paths(word for word in words if "." in word or word.strip("*") == word))
            tests = True
    patterns = _test_file_patterns(read) if tests else ()
    files = frozenset(map(fold_name, named))
    return Verification(who, files, frozenset(scripts), tests, patterns, read, installed)


def _test_file_patterns(read: Read) -> tuple[str, ...]:
    """What pytest's configuration calls a file of tests."""
    found = (_PYTHON_FILES.search(_text(name, read)) for name in _PYTEST_FILES)
    return tuple(
        pattern
        for each in found
        if each
        for pattern in re.findall(r"[\w*?./-]*[*?][\w*?./-]*|\w+\.py", each[1])
    )


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
    written = False
    for word in words:
        if written:  # where output goes decides nothing
            written = False
        elif ">" in word and _OPERATORS.issuperset(word):
            written = True
        elif word in ("|", "|&", "<", "<<<"):
            pipeline.append([])
        elif word and _OPERATORS.issuperset(word):
            yield pipeline
            pipeline = [[]]
        else:
            pipeline[-1].append(word)
    yield pipeline


def _inspect(words: Sequence[str], read: Read) -> tuple[bool, set[str], list[str]]:
    """Of one command: may it run tests, the files it may run or be configured by, and commands it runs."""
    rest = list(words)
    set_up: set[str] = set()
    while rest and (_ASSIGNMENT.match(rest[0]) or rest[0] in _KEYWORDS):
        set_up.update(_paths(rest.pop(0).partition("=")[2].split(":")))
    if not rest:
        return False, set_up, []
    runs, files, texts = _inspect_program(rest, read)
    return runs, files | set_up, texts


def _inspect_program(rest: list[str], read: Read) -> tuple[bool, set[str], list[str]]:
    # a tool of an environment is called by its path
    name, arguments = basename(rest[0]), rest[1:]
    first = next((word for word in arguments if not word.startswith("-")), "")
    if name in _WRAPPERS and (_WRAPPERS[name] == {""} or first in _WRAPPERS[name]):
        return _inspect_wrapped(name, arguments, read)
    if name.startswith("python") and "-m" in arguments[:-1]:
        return _inspect_module(arguments[arguments.index("-m") + 1 :], read)
    if name in DATA_PROGRAMS or first in HOSTING_SUBCOMMANDS.get(name, ()):
        return False, _values(arguments, {"-f", "--file"}) if name.endswith("grep") else set(), []
    if name in CHECKERS or not CHECKING_SUBCOMMANDS.get(name, set()).isdisjoint((first, *arguments[:1])):
        return False, _values(arguments if name in CHECKERS else arguments[1:]), []
    texts = _texts_behind(name, rest[0], arguments, read)
    # commands behind it are read in its place, so it runs nothing itself
    if texts is not None:
        return False, set(_paths([rest[0]] if "/" in rest[0] else [])) | set(_paths(arguments)), texts
    # they run or list whatever lies in a directory
    whole = {f"{path}/" for path in _paths(arguments)} if name in _LISTERS else set()
    return True, set(_paths(rest if "/" in rest[0] else arguments)) | whole | {name}, []


def _script_names(words: Sequence[str]) -> Iterator[str]:
    """What a program is started with, or is itself: the first word that has the form of a script's name."""
    modules = [word.replace(".", "/") for option, word in itertools.pairwise(words) if option == "-m"]
    yield from (f"{module}{ending}" for module in modules for ending in (".py", "/__main__.py"))
    yield from _paths(words[:1] if "/" in words[0] else [])
    yield from _paths(next(([word] for word in words if _SCRIPT.fullmatch(word)), []))


def _inspect_module(words: list[str], read: Read) -> tuple[bool, set[str], list[str]]:
    """Inspect ``python -m``: a program of that name, or a file of the project."""
    runs, files, texts = _inspect(words, read)
    path = words[0].replace(".", "/")
    return runs, files | {f"{path}.py", f"{path}/__main__.py"}, texts


def _inspect_wrapped(name: str, arguments: list[str], read: Read) -> tuple[bool, set[str], list[str]]:
    """Inspect the command that a program runs, wherever its name stands among the words."""
    skipped = 0
    while skipped < len(arguments) and (
        arguments[skipped].startswith("-")
        or arguments[skipped] in _WRAPPERS[name]
        or re.fullmatch(r"\d[\d.]*[smhd]?", arguments[skipped])
        or _ASSIGNMENT.match(arguments[skipped])
    ):
        skipped += 1
    runs, files, texts = _inspect(arguments[skipped:], read)
    return runs, files | _values(arguments[:skipped]), texts


def _texts_behind(name: str, head: str, arguments: Sequence[str], read: Read) -> list[str] | None:
    """The commands behind a Makefile, a package.json or a shell script; None where they cannot be known."""
    if name in _SHELLS and "-c" in arguments[:-1]:
        return [arguments[arguments.index("-c") + 1]]
    if name in ("make", "gmake"):
        return _recipes(arguments, read)
    if name in _MANAGERS:
        return _scripts(arguments, read)
    script = next((word for word in arguments if not word.startswith("-")), "") if name in _SHELLS else head
    text = _text(script, read) if "/" in script or name in _SHELLS else ""
    if text and (name in _SHELLS or re.match(r"#!.*\b(ba|da|k|z)?sh\b", text)):
        return text.split("\n")
    return None


def _recipes(arguments: Sequence[str], read: Read) -> list[str] | None:
    given = dict(itertools.pairwise(arguments))
    folder = given.get("-C", ".")
    names = [given["-f"]] if "-f" in given else ["GNUmakefile", "makefile", "Makefile"]
    text = next(filter(None, (_text(f"{folder}/{name}", read) for name in names)), "")
    lines = [
        line.lstrip("\t@-+ ") for line in text.split("\n") if re.match(r"\t|-?s?include\b|\w+ *[:?]?=", line)
    ]
    return lines or None


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
    """What may be a path in the project, in its plain form; a pattern stands for all of its directory."""
    for word in words:
        # --config=FILE and FILE:LINE name files too
        parts = {word, word.partition("=")[2], word.partition(":")[0]}
        if re.fullmatch(r"\w+(\.\w+)+", word):  # a module
            parts.add(f"{word.replace('.', '/')}.py")
        for part in parts - {""}:
            known = _VARIABLE.split(part)[-1] if "$" in part else part
            folder, pattern, _ = (
                re.split(r"([*?[])", known, maxsplit=1) if re.search(r"[*?[]", known) else (known, "", "")
            )
            path = normpath(folder.rpartition("/")[0] if pattern else folder).lstrip("/") if folder else "."
            path = re.sub(r"^(\.\./)+", "", path)
            if pattern and path == ".":
                yield "/"
            elif path not in (".", "..") and not path.startswith("-") and not re.search(r"\s", path):
                yield path + ("/" if pattern else "")


def _means(word: str, path: str) -> bool:
    """Whether a word of a command means the file: by its whole path or, from another directory, its end.

    A directory stands for its tests and for what is run first in it.
    """
    file = fold_name(path)
    # everything in the root, and nothing below it
    if word == "/":
        return "/" not in file
    if word.endswith("/"):
        return f"/{file}".find(f"/{word}") >= 0
    if f"/{file}".endswith(f"/{word}"):
        return True
    inside = file.startswith(f"{word}/") or ("/" in word and f"/{word}/" in file)
    return inside and (is_test(path) or _ENTRY.fullmatch(basename(file)) is not None)
