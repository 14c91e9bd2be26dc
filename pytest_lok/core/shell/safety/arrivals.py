"""Files that come and go: what archives, revisions and downloads leave behind, and what is sent away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_lok.core.shell.ast import NamedCommand, ShellWord

if TYPE_CHECKING:
    from pytest_lok.core.shell.safety.judge import CommandJudge

_BRINGING = """
tar bsdtar gtar | -?[A-Za-z]*x[A-Za-z]*|--(extract|get) | all
7z 7za 7zz unrar rar | x|e | all
jar ar | -?[a-z]*x[a-z]* | all
cpio pax | -[a-z]*[ir][a-z]*|--extract | all
unzip unar dtrx aunpack unsquashfs ditto | | all
tarfile zipfile | -e|--extract | all
gh glab | checkout|clone|download|sync | all
hg svn jj bzr fossil dvc | update|up|pull|clone|import|checkout|co|switch|export|merge|new | all
curl | -[a-zA-Z]*[OJ][a-zA-Z]*|--remote-(name|header-name|name-all) | all
wget aria2c degit | | all
http https xh xhs | -[a-z]*d|--download | all
oras skopeo | pull|copy | all
aws gsutil rclone gcloud az | cp|sync|mv|rsync|copy|download | sources
kubectl oc docker podman nerdctl | cp | sources
cc c++ gcc g++ clang clang++ tcc gfortran nvcc rustc | | operands
javac swiftc kotlinc ghc ocamlopt fpc tsc nasm as ld | | operands
go | build|install | operands
"""
"""Programs | words that say so, or none: always | the arguments that choose what comes."""


@dataclass(frozen=True, slots=True)
class _Bringing:
    words: re.Pattern[str] | None
    which: str

    def chosen(self, args: Sequence[ShellWord]) -> Sequence[ShellWord]:
        """The arguments that choose what files come."""
        if self.words and not any(self.words.fullmatch(word.literal or "") for word in args):
            return ()
        named = [word for word in args if not word.prefix.startswith("-")]
        if self.which == "sources":
            return named[:-1] if ":" not in "".join(word.prefix for word in named[-1:]) else ()
        return named if self.which == "operands" else args


def _read() -> Iterator[tuple[str, _Bringing]]:
    for line in _BRINGING.strip().splitlines():
        names, words, which = re.split(r" \| ", line.replace("| |", "|  |"))
        for name in names.split():
            yield name, _Bringing(re.compile(words.strip()) if words.strip() else None, which.strip())


_PROGRAMS: Mapping[str, _Bringing] = dict(_read())
_FROM_INPUT = frozenset({"tar", "bsdtar", "gtar", "cpio", "pax"})
_TREES = frozenset(
    {"bisect", "checkout", "cherry-pick", "clone", "merge", "pull", "read-tree", "rebase", "reset", "restore",
     "revert", "stash", "submodule", "subtree", "switch", "worktree"}
)  # fmt: skip
_REFERENCES = frozenset({"branch", "fetch", "remote", "symbolic-ref", "tag", "update-ref"})
_TEXTS = frozenset(
    {"-m", "--message", "-F", "--file", "-s", "--strategy", "-X", "--strategy-option", "--author"}
)
_NEW = frozenset({"-b", "-B", "-c", "-C", "--create", "--force-create", "--orphan"})
_SOURCES = ("-s", "--source")


def brings(judge: CommandJudge, call: NamedCommand) -> None:
    """Values may choose the files that a command brings."""
    if (known := _PROGRAMS.get(call.name)) and (words := known.chosen(call.args)):
        if call.name == "wget" and any(
            re.match(r"-[a-z]*O|--output-d|--spider", w.prefix) for w in call.args
        ):
            return
        judge.trace.fills(call, "", words=words, fed=call.name in _FROM_INPUT)


def revisions(judge: CommandJudge, call: NamedCommand, command: str, args: Sequence[ShellWord]) -> None:
    """Values may choose the revision of which git puts the files there, or what a name of one stands for."""
    if command in _REFERENCES:
        judge.trace.references += args
    texts = [word.literal for word in args]
    if command not in _TREES or (
        command == "reset" and not {"--hard", "--merge", "--keep"}.intersection(texts)
    ):
        return
    words, previous = list[ShellWord](), ""
    for word in args:
        if word.literal == "--" and command in ("checkout", "reset"):
            break
        named = previous in _NEW and command in ("checkout", "switch", "worktree")
        if command == "restore":
            words += [word] if previous in _SOURCES or word.prefix.startswith(_SOURCES) else []
        elif not named and (previous not in _TEXTS or command == "submodule"):
            words.append(word)
        previous = word.literal or ""
    earlier = judge.trace.references
    judge.trace.fills(call, "", words=words, fed=False)
    judge.trace.fills(call, "", words=earlier if judge.trace.repeats else [*earlier], fed=False)


_SENDING: Mapping[str, Sequence[str]] = {
    "curl": ("-F", "--form", "-d", "--data", "--data-ascii", "--data-binary", "--data-urlencode", "--json",
             "-H", "--header"),
    "wget": ("--post-file", "--body-file"),
    **dict.fromkeys(("gh", "glab"), ("-F", "--body-file", "--notes-file", "--input", "--field")),
}  # fmt: skip
"""Options whose value names a file that is sent; of curl, and of fields, behind a ``@`` or a ``<``."""


def sends(judge: CommandJudge, call: NamedCommand) -> None:
    """A value that names a file to send may name the same as one to write."""
    options, previous = _SENDING.get(call.name, ()), ""
    marked = call.name == "curl" or any(word.literal == "api" for word in call.args[:1])
    for word in call.args if options else ():
        option, equals, _ = word.prefix.partition("=") if word.prefix.startswith("--") else ("", "", "")
        if option in options and equals:
            start = len(option) + 1
        elif word.prefix[:2] in options and not word.prefix.startswith("--"):
            option, start = word.prefix[:2], 2
        else:
            option, start = previous, 0
        previous = word.literal or ""
        if previous[:1] == "-" and call.name == "curl" and re.fullmatch("-[a-zA-Z]{2,}", previous):
            previous = f"-{previous[-1]}"
        if option not in options or word.literal is not None:
            continue
        if marked and option not in ("--input", "--body-file", "--notes-file"):
            found = re.search(r"(\A|=)[@<]", word.prefix[start:])
            if not found:
                continue
            start += found.end()
        judge.target(word.without_prefix(start) if start else word, changes=True)
