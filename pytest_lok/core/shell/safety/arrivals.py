"""Files that come and go: what archives, revisions and downloads leave behind, and what is sent away."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pytest_lok.core.shell.ast import NamedCommand, ShellWord
from pytest_lok.core.text.words import rows, words
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

_ARRIVALS = """
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Files that a command brings: the ``words`` that choose them, and whether its input holds them."""

    words: Sequence[ShellWord]
    from_input: bool


@dataclass(frozen=True, slots=True)
class _ArrivalRule:
    words: re.Pattern[str] | None
    choosing: str  # all | operands | sources

    def chosen(self, args: Sequence[ShellWord]) -> Sequence[ShellWord]:
        """The arguments that choose what files come, none if no files come."""
        if self.words and not any(self.words.fullmatch(word.literal or "") for word in args):
            return ()
        named = [word for word in args if not word.prefix.startswith("-")]
        if self.choosing == "sources":
            return named[:-1] if ":" not in "".join(word.prefix for word in named[-1:]) else ()
        return named if self.choosing == "operands" else args


_PROGRAMS: Mapping[str, _ArrivalRule] = {
    name: _ArrivalRule(late_regex(said[0]) if said else None, choosing)
    for names, said, (choosing,) in rows(_ARRIVALS, 3)
    for name in names
}
_UNPACKS_INPUT = frozenset({"tar", "bsdtar", "gtar", "cpio", "pax"})
_TREES = words("""
    bisect checkout cherry-pick clone merge pull read-tree rebase reset restore revert stash submodule
    subtree switch worktree
""")
NAMING_REVISIONS = words("branch fetch remote symbolic-ref tag update-ref")
"""Subcommands of git by which a name may come to stand for another revision."""
_TEXT_OPTIONS = words("-m --message -F --file -s --strategy -X --strategy-option --author")
_NEW_BRANCH_OPTIONS = words("-b -B -c -C --create --force-create --orphan")
_SOURCE_OPTIONS = ("-s", "--source")


def arriving(call: NamedCommand) -> Arrival | None:
    """The files that the command brings, None if values choose none of them."""
    known = _PROGRAMS.get(call.name)
    words = known.chosen(call.args) if known else ()
    if call.name == "wget" and any(re.match(r"-[a-z]*O|--output-d|--spider", w.prefix) for w in call.args):
        return None  # the name of the file is written out, or there is none
    return Arrival(words=words, from_input=call.name in _UNPACKS_INPUT) if words else None


def revisions(command: str, args: Sequence[ShellWord]) -> Sequence[ShellWord] | None:
    """The words that choose the revision of which git puts the files there; None if it puts none there."""
    # a plain reset moves the branch and leaves the files
    kept = command == "reset" and not any(word.literal in ("--hard", "--merge", "--keep") for word in args)
    if command not in _TREES or kept:
        return None
    words, previous = list[ShellWord](), ""
    for word in args:
        # behind it stand paths, and no path chooses a revision
        if word.literal == "--" and command in ("checkout", "reset"):
            break
        named = previous in _NEW_BRANCH_OPTIONS and command in ("checkout", "switch", "worktree")
        if command == "restore":
            words += [word] if previous in _SOURCE_OPTIONS or word.prefix.startswith(_SOURCE_OPTIONS) else []
        elif not named and (previous not in _TEXT_OPTIONS or command == "submodule"):
            words.append(word)
        previous = word.literal or ""
    return words


_SENDING: Mapping[str, Sequence[str]] = {
    "curl": ("-F", "--form", "-d", "--data", "--data-ascii", "--data-binary", "--data-urlencode", "--json",
             "-H", "--header"),
    "wget": ("--post-file", "--body-file"),
    **dict.fromkeys(("gh", "glab"), ("-F", "--body-file", "--notes-file", "--input", "--field")),
}  # fmt: skip
"""Options whose value names a file that is sent; of curl, and of fields, behind a ``@`` or a ``<``."""


def sent_files(call: NamedCommand) -> Iterator[ShellWord]:
    """The words that name files to send, where values are part of them."""
    options, previous = _SENDING.get(call.name, ()), ""
    # only a `@` or `<` at its start makes a file of such a value
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
        # curl takes letters together, and the last of them has the value
        if previous[:1] == "-" and call.name == "curl" and re.fullmatch("-[a-zA-Z]{2,}", previous):
            previous = f"-{previous[-1]}"
        if option not in options or word.literal is not None:
            continue
        if marked and option not in ("--input", "--body-file", "--notes-file"):
            found = re.search(r"(\A|=)[@<]", word.prefix[start:])
            if not found:
                continue
            start += found.end()
        yield word.without_prefix(start) if start else word
