"""What commands do to files: those they write or delete, and those that others run after they are written."""

from __future__ import annotations

import fnmatch
import itertools
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_lok.core.edits.protected_names import protected
from pytest_lok.core.shell.ast import Hole, NamedCommand, ShellWord
from pytest_lok.core.shell.safety.command_tables import FIND_RUNS
from pytest_lok.core.shell.safety.options import CLOSED, program

if TYPE_CHECKING:
    from pytest_lok.core.shell.safety.judge import CommandJudge

# fmt: off
_READERS = """
    : . [ [[ awk bzip2 break cd command continue curl declare env eval exec exit export fd fdfind find gawk
    gh git
    glab gojq gsed gunzip htmlq jaq jo jq let local mapfile mawk mlr nice nohup openssl popd printf pushd read
    readarray readonly return rg rsync scp sed set shift sort source split ssh-keygen stdbuf tar time timeout
    trap typeset
    umask unset unzip wait wget xargs yq zip
"""
READERS = frozenset(_READERS.split()) | CLOSED
"""Commands that only read data: they run no file, and no code of the directory they are started in."""
_BLIND = READERS - {
    ".", "awk", "command", "declare", "env", "eval", "exec", "export", "find", "gawk", "gojq", "jaq", "jo",
    "jq", "local", "mawk", "mlr", "nice", "nohup", "printenv", "readonly", "set", "source", "stdbuf", "time",
    "timeout", "typeset", "xargs", "yq",
}  # fmt: skip
"""Those of them that put no variable of their environment into what they print."""
_LOADS = frozenset({".", "source", "git"})
"""Those of them that do where the directory is another than the project's."""

COPIERS = frozenset({"cp", "install", "ln", "mv", "rsync", "scp"})
"""Commands that write their last operand."""
MOVERS = frozenset({"install", "ln", "mv"})
"""Those of them whose other operands may change, too: mv takes them away, a link is a way to them."""
MAKERS = frozenset({
    "chattr", "mkdir", "mkfifo", "mktemp", "rm", "rmdir", "shred", "tee", "touch", "truncate", "unlink",
    "bzip2", "bunzip2",
    "gunzip", "gzip", "lz4", "lzma", "uncompress", "unlzma", "unxz", "unzstd", "xz", "zip", "zstd", "patch",
    "dos2unix", "unix2dos",
})
"""Commands all of whose operands are files they write, change or delete."""
CHANGERS = frozenset({"chgrp", "chmod", "chown", "chcon", "setfacl"})
"""The same behind their first operand."""
MODULES: Mapping[str, int] = {
    "json.tool": 1, "tarfile": 0, "venv": 0, "virtualenv": 0, "zipapp": 0, "zipfile": 0,
    "compileall": 0
}
"""Python's modules that write files, and how many operands stand before those."""

OUTPUTS: Mapping[str, Collection[str]] = {
    "curl": ("-o", "--output", "-D", "--dump-header", "-c", "--cookie-jar", "--output-dir", "--trace",
             "--trace-ascii", "--libcurl",
             "--stderr", "--etag-save", "--hsts", "--alt-svc"),
    "wget": ("-O", "--output-document", "-o", "--output-file", "-a", "--append-output", "-P",
             "--directory-prefix", "--save-cookies",
             "--warc-file"),
    "sort": ("-o", "--output", "-T", "--temporary-directory"),
    "git": ("--output", "-o", "--output-directory", "--prefix", "--separate-git-dir"),
    "pytest": ("--junitxml", "--junit-xml", "--basetemp", "--report-log", "--resultlog"),
    "csplit": ("-f", "--prefix"),
    "tar": ("-C", "--directory", "-g", "--listed-incremental", "--index-file"),
    "unzip": ("-d",),
    "zip": ("-O", "--out", "-b", "--temp-path", "-lf", "--logfile-path"),
    "cp": ("-t", "--target-directory"), "mv": ("-t", "--target-directory"), "ln": ("-t",
             "--target-directory"),
    "install": ("-t", "--target-directory"),
    "mktemp": ("-p", "--tmpdir"),
    "go": ("-o", "-coverprofile", "-cpuprofile", "-memprofile", "-outputdir", "-C"),
    "docker": ("-o", "--output", "--iidfile", "--cidfile"),
    "gh": ("-O", "--output", "-D", "--dir"),
    "openssl": ("-out", "-keyout", "-writerand"),
    "cargo": ("--target-dir", "--out-dir", "-C", "--root", "--manifest-path"),
    "npm": ("--prefix", "-C"), "pnpm": ("--prefix", "-C", "--dir"), "yarn": ("--cwd", "--prefix"),
    "kubectl": ("--output-directory", "--cache-dir"),
    "terraform": ("-out", "-state", "-state-out", "-chdir"),
    "helm": ("--output-dir", "-d", "--destination"),
    "zstd": ("-o", "--output-dir-flat", "--output-dir-mirror"),
    "shuf": ("-o", "--output"),
    "xxd": (), "dd": (), "grep": (), "find": (),
    "jq": (), "awk": (), "sed": (), "rg": (), "fd": (), "ag": (),
    "aws": (), "az": (), "gcloud": (), "glab": (), "systemctl": (), "dpkg": (), "ssh-keygen": ("-f",),
    **dict.fromkeys(("c++", "cc", "clang", "clang++", "g++", "gcc", "ld", "as"), ("-o", "-MF", "-dumpdir")),
    "rustc": ("-o", "--out-dir"), "javac": ("-d", "-s", "-h"), "swiftc": ("-o",),
    "mypy": ("--cache-dir", "--junit-xml", "--html-report", "--txt-report", "--xml-report"),
    "ruff": ("-o", "--output-file", "--cache-dir"),
}
"""Options that name a file or a directory to write."""
ANY_OUTPUT = (
    "-o", "-O", "-d", "-t", "-C", "-p", "--out", "-out", "--outfile", "--outdir", "--out-dir", "--output",
    "-output", "--output-dir",
    "--output-directory", "--output-file", "--outputFile", "--target", "--target-dir", "--target-directory",
    "--directory", "--dir",
    "--dest", "--destination", "--prefix", "--root", "--cache-dir", "--log", "--log-file", "--logfile",
    "--save", "--write",
    "--junitxml", "--junit-xml", "--report", "--report-file", "--cwd", "--chdir", "--tmpdir", "--temp-dir",
)
"""The same where they are not known."""
# fmt: on
_NO_CODE = re.compile(r"[\w.+@%-]*\.(csv|diff|html?|json[l5]?|log|md|patch|rst|text|tsv|txt|xml)", re.ASCII)
_MAKES = re.compile("(?!-)[A-Za-z]*[cruA]")
_WRITING = frozenset({"mkdir", "mkfifo", "mktemp", "tee", "touch", "truncate", "zip"})
_CHANGING = MAKERS | CHANGERS | COPIERS | {"sed", "gsed", "yq", "dd"}
_TO_STDOUT = frozenset({"bzip2", "bunzip2", "gunzip", "gzip", "lz4", "lzma", "unxz", "unzstd", "xz", "zstd"})
_NOWHERE = ("/dev/", "/tmp/", "/var/tmp/")  # noqa: S108 - only compared with
_GIT_WRITES: Mapping[str, int] = {"init": 0, "bundle": 1, "mv": 0, "rm": 0}
"""Subcommands of git whose operands are files they write, but for the first ones."""


def outputs(judge: CommandJudge, call: NamedCommand) -> None:
    """Files that the command writes by an option."""
    options = OUTPUTS.get(call.name, ANY_OUTPUT if program(call.name).open else ())
    for place, word in enumerate(call.args if options else ()):
        option, equals, _ = word.prefix.partition("=")
        if equals and option.startswith("-") and _means(option, options):
            named = word.without_prefix(len(option) + 1)
        elif word.literal is not None and _means(word.literal, options) and place + 1 < len(call.args):
            named = call.args[place + 1]
        elif word.prefix[:2] in options and len(word.shown) > 2 and not word.prefix.startswith("--"):
            named = word.without_prefix(2)
        else:
            continue
        judge.target(named, content=True)
        judge.trace.fills(call, named.shown)


def _means(option: str, options: Collection[str]) -> bool:
    """Whether it is one of the options: as it is, abbreviated, or the last of a cluster."""
    if option.startswith("--"):
        return len(option) > 3 and any(name.startswith(option) for name in options)
    return option in options or bool(
        re.fullmatch("-[A-Za-z]{2,4}", option) and f"-{option[-1]}" in options and option[-1] != "t"
    )


def operands(args: Sequence[ShellWord]) -> list[ShellWord]:
    """Words that are no options: those that begin with no dash, and all that follow ``--``."""
    found, ended = list[ShellWord](), False
    for word in args:
        if ended or not word.prefix.startswith("-"):
            found.append(word)
        ended = ended or word.literal == "--"
    return found


def maker(judge: CommandJudge, call: NamedCommand) -> None:
    """Operands that are files it writes, changes or deletes."""
    reading = any(
        re.match("-[a-z0-9]*[clt]|--(stdout|to-stdout|list|test)", word.prefix) for word in call.args
    )
    if not (reading and call.name in _TO_STDOUT):
        for word in operands(call.args):
            judge.target(word, changes=call.name not in _WRITING)
            if call.name == "tee":
                judge.flow.writes(word.shown, content=True)
                judge.trace.fills(call, word.shown)
    if call.name == "patch":
        judge.trace.fills(call, "")
    outputs(judge, call)
    judge.data(call)


def found_is_changed(args: Sequence[ShellWord]) -> bool:
    """Whether find deletes what it finds, or gives it to a command that may change it."""
    texts = [word.literal or "" for word in args]
    started = [posixpath.basename(text) for before, text in itertools.pairwise(texts) if before in FIND_RUNS]
    return "-delete" in texts or any(name not in READERS or name in _CHANGING for name in started)


def module(judge: CommandJudge, call: NamedCommand) -> None:
    """A module of Python's that writes files."""
    for word in operands(call.args)[MODULES[call.name] :]:
        judge.target(word)
    for word in call.args:
        judge.guard(word, call.name)


def curl(judge: CommandJudge, call: NamedCommand) -> None:
    """With ``-T`` an address may be that of a file, which is written."""
    sends = any(re.match("-[a-zA-Z]*T|--upload", word.prefix) for word in call.args)
    for word in call.args:
        if sends and word.prefix.lower().startswith("file:"):
            judge.runs([word], call.name, "in the name of a file that curl writes")
        elif sends and not re.match(r"-|\w+:/*\w", word.prefix):
            judge.runs(
                [word],
                call.name,
                "the address to which curl sends, which may be a file",
                "write https:// before it;",
            )


def changer(judge: CommandJudge, call: NamedCommand) -> None:
    """The same behind a mode or an owner."""
    for word in operands(call.args)[1:]:
        judge.target(word, changes=True)
    judge.data(call)


def copied(judge: CommandJudge, call: NamedCommand) -> None:
    """The operands of cp and its like."""
    named = operands(call.args)
    for word in named:
        judge.flow.writes(word.shown, content=any(other.literal == "/dev/stdin" for other in named))
    for word in named if call.name in MOVERS else named[-1:]:
        judge.target(word)
    for word in named[-1:]:
        judge.trace.fills(call, word.shown, copied=all(source.literal for source in named[:-1]))


def dd(judge: CommandJudge, call: NamedCommand) -> None:
    """``of=`` names what it writes."""
    source = any(word.prefix.startswith("if=") for word in call.args)
    for word in call.args:
        if word.prefix.startswith("of="):
            judge.target(word.without_prefix(3))
            judge.flow.writes(word.shown.removeprefix("of="), content=True)
            judge.trace.fills(call, word.shown.removeprefix("of="), copied=source)
        elif word.prefix.partition("=")[0] in ("", "of"):
            judge.runs([word], call.name, "an operand of `dd`, which it could take for `of=`")
    judge.data(call)


def split(judge: CommandJudge, call: NamedCommand) -> None:
    """The second operand is what the names of its files start with."""
    for word in operands(call.args)[1:]:
        judge.target(word)
    judge.trace.fills(call, "")
    outputs(judge, call)
    judge.data(call)


def tar(judge: CommandJudge, call: NamedCommand) -> None:
    """Options may come in one word without a dash, and ``f`` among them names the archive."""
    args = call.args
    bundle = args[0].literal if args else None
    if bundle and not bundle.startswith("-") and re.search("[FIT]", bundle):
        judge.runs(args[1:], f"tar {bundle}")
    if bundle is None:
        words = [word for word in args[:1] if not word.prefix.startswith("-")]
        judge.runs(words, call.name, "tar's first argument, which may be options")
    making = any(_MAKES.match(word.literal or "") for word in args[:1]) or any(
        re.match("-[A-Za-z]*[cruA]|--(create|append|update|concat|delete)", word.literal or "")
        for word in args
    )
    for place, word in enumerate(args[1:], 1):
        before = args[place - 1].literal or ""
        short = re.fullmatch("-?[A-Za-z]*f", before) and (place == 1 or before.startswith("-"))
        if making and (short or before == "--file"):
            judge.target(word)
        elif making and word.prefix.startswith("--file="):
            judge.target(word.without_prefix(7))
    outputs(judge, call)
    judge.data(call)


def first(judge: CommandJudge, call: NamedCommand) -> None:
    """An archiver: a word that says what to do, the archive, and what goes in."""
    judge.runs(call.args[:1], call.name, f"the first argument of `{call.name}`, which decides what it does")
    for word in call.args[1:2]:
        judge.target(word)
    outputs(judge, call)
    judge.data(call)


def git(judge: CommandJudge, command: str, args: Sequence[ShellWord]) -> None:
    """Operands of git's subcommands that name what is written."""
    named = operands(args)
    if command in _GIT_WRITES:
        for word in named[_GIT_WRITES[command] :]:
            judge.target(word, changes=True)
    elif command == "clone":
        for word in named[1:]:
            judge.target(word)
    elif command == "worktree":
        for word in named[1:2] if named and named[0].literal in ("add", "remove") else named[1:3]:
            judge.target(word)
    elif command in ("apply", "am"):
        judge.trace.fills(NamedCommand(name="git", args=args, command=judge.current), "")


# --- what is written, and where a command is started


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fill:
    """A file that a command fills: where it stands, and the words that say with what, if not all its own."""

    number: int
    call: NamedCommand
    path: str
    copied: bool
    words: Sequence[ShellWord] | None
    fed: bool

    def holes(self, judge: CommandJudge, exported: Collection[str]) -> list[Hole]:
        """The values that may be in the file, or have chosen what is."""
        fed = judge.flow.fed(self.call.command) if self.fed else []
        if self.words is not None:
            return [*judge.flow.holding(self.words, whole=False), *fed]
        given = [*self.call.args, *(word for _, word in self.call.command.assignments)]
        seen = judge.flow.inside(exported) if self.call.name not in _BLIND else []
        return [*judge.flow.holding(given, whole=False), *fed, *seen]


@dataclass(slots=True)
class FileTrace:
    """The commands of a text in their order, with what they may leave behind for those that follow.

    ``repeats``: a loop, a function or a job in the background lets every command follow every other.
    """

    repeats: bool = False
    _calls: list[NamedCommand] = field(default_factory=list)
    exported: set[str] = field(default_factory=set)  # variables that programs see
    references: list[ShellWord] = field(default_factory=list)  # names of revisions, and what they stand for
    _fills: list[_Fill] = field(default_factory=list)
    _moves: list[tuple[int, ShellWord]] = field(default_factory=list)
    _eaters: list[tuple[int, str]] = field(default_factory=list)

    def sees(self, call: NamedCommand) -> None:
        """A command is next."""
        self._calls.append(call)
        for path in call.command.outputs:
            self.fills(call, path)

    def fills(
        self,
        call: NamedCommand,
        path: str,
        *,
        copied: bool = False,
        words: Sequence[ShellWord] | None = None,
        fed: bool = True,
    ) -> None:
        """It writes what it gets to a file ("": nobody knows which).

        ``copied``: what is in another file; ``words`` say what it is, if not all that it gets and is ``fed``.
        """
        if not path.startswith(_NOWHERE[:1]):
            number = len(self._calls)
            self._fills.append(
                _Fill(number=number, call=call, path=path, copied=copied, words=words, fed=fed)
            )

    def moves(self, word: ShellWord) -> None:
        """What follows is started in that directory."""
        self._moves.append((len(self._calls), word))

    def eats(self, name: str) -> None:
        """The command runs its input."""
        self._eaters.append((len(self._calls) - 1, name))

    def conclude(self, judge: CommandJudge, *, changing: bool) -> None:
        """Refuse the values that are in a file, or choose a directory, where it is not known what is run."""
        for number, word in self._moves:
            holes = judge.flow.holding([word], whole=False)
            for call in self._after(number) if holes else ():
                if call.name in _LOADS or not self._reads(judge, call):
                    what = f"in the name of the directory in which `{call.name}` may run what it finds"
                    judge.refuse(holes, what, "take the value as an argument, or the directory as written;")
            if holes and changing:
                judge.target(word, changes=True)
        filled = [fill for fill in self._fills if not fill.copied and fill.holes(judge, self.exported)]
        if not filled:
            return
        start = 0 if self.repeats else min(fill.number for fill in filled)
        names = {
            fill.path
            for fill in self._fills
            if fill.number >= start and (fill.words is None or fill in filled)
        }
        holes = [hole for fill in filled for hole in fill.holes(judge, self.exported)]
        for text in self._runners(judge, start, names):
            judge.refuse(
                holes, text, "run it in a step of its own, or name the file as data (.txt, .json, .md, …);"
            )

    def _runners(self, judge: CommandJudge, start: int, names: set[str]) -> Iterator[str]:
        if any(re.search(r"(\A|/)\.git/", path) for path in names):
            yield "in a file of git's own, which says what git runs"
        for number, name in self._eaters:
            if number >= start and self._calls[number].command.inputs:
                yield f"in a file of a text in which `{name}` runs what it reads"
        for call in self._after(start):
            for path in () if self._reads(judge, call) else sorted(names):
                if not _is_data(path) or _mentions(call, path):
                    yield f"in a file that is written before `{call.name}`, which may run what it finds"

    def _after(self, number: int) -> list[NamedCommand]:
        return self._calls if self.repeats else self._calls[number:]

    def _reads(self, judge: CommandJudge, call: NamedCommand) -> bool:
        return call.name in READERS or call.name in judge.functions or judge.is_inline(call)


def _is_data(path: str) -> bool:
    """Whether a file is called as data is, which nobody runs who is not told to by its name."""
    if path.startswith(_NOWHERE):
        return True
    return bool(_NO_CODE.fullmatch(posixpath.basename(path))) and protected(posixpath.normpath(path)) is None


def _mentions(call: NamedCommand, path: str) -> bool:
    """Whether the command's arguments name the file, or may."""
    name = posixpath.basename(path)
    for word in call.args:
        text = "".join(piece if isinstance(piece, str) else "*" for piece in word.pieces)
        if name in text or (
            ("*" in word.shown or "?" in word.shown) and fnmatch.fnmatch(name, posixpath.basename(text))
        ):
            return True
    return False
