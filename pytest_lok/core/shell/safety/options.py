"""Which options of which programs take a value as data, and which run it or open it as code.

A program is known, and then its own options say it; or it is not, and then an option by whose name
nobody can tell takes data, while one named as those are named that run their value does not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from pytest_lok.core.text.words import rows, words
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

_SHORT = frozenset("cex")
"""Letters of short options that take code in so many programs that they are taken for it in any."""

# fmt: off
_SINGLE_DASH = words("""
    base code-style date exclude file include index language message mode module name namespace note package
    path-type prefix profile regex release resource role scope service size source state style suffix
    template theme time title trace type update value
""")
"""Words that some programs write with one dash, though they end as a cluster with code would."""

_CODE = words("""
    askpass browser cmd editor entrypoint expr expression hook hooks interpreter jq jsonpath launcher loader
    macro ok okdir opener pager plugin plugins preload program query rcfile renderer require rsh script
    scripts toolexec viewer wrapper xpath
""")
"""Words in the names of options whose value is run, opened as code or is a program of a small language."""

_CODE_START = late_regex(r"eval|exec|command|shell")
_SETTING = "build-file config config-file configfile gemfile manifest-path"
_CODE_NAMES = frozenset({"code", "load", "pre", "run", *_SETTING.split()})
_ABBREVIATED = ("command", "eval", "evaluate", "execute", "shell", *sorted(_CODE))
_COMPLETE = frozenset({"page", "render", "req", "view", "wrap"})
# fmt: on
_PART = late_regex(r"[A-Z]?[a-z0-9]+|[A-Z]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProgram:
    """What a program does with the values of its options.

    ``code``: options that run their value. Of an ``open`` program that is not all of them: other names
    are judged by themselves, unless they are ``data``. A value that starts with
    one of the ``file_marks`` names a file, and is no text.
    """

    code: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    file_marks: tuple[str, ...] = ()
    open: bool = False

    def runs(self, option: str, *, attached: bool) -> bool:
        """Whether the option's value is run; ``attached`` to it, or the word that follows."""
        if option in self.data or (
            not attached and re.fullmatch("-[A-Za-z]{2,4}", option) and f"-{option[-1]}" in self.data
        ):
            return False
        if option.startswith("--"):
            # GNU's programs take the beginning of a long option for the whole
            abbreviated = any(code.startswith(option) for code in self.code if code.startswith("--"))
        else:
            # what is attached may be the value of any letter of a cluster
            letters = option[1:] if attached else option[-1:]
            abbreviated = option in self.code or (
                option.startswith("-") and any(f"-{letter}" in self.code for letter in letters)
            )
        return abbreviated or (self.open and _runs(option, attached=attached))

    def takes_code(self, option: str, before: str, *, attached: bool) -> bool:
        """The same of a word: its own start may look like an option, and be the value of the one before."""
        named = len(option) > 1 and option != "--" and self.runs(option, attached=attached)
        return named or before in self.code

    def opened(self, before: str, text: str) -> str:
        """What an argument that is written out gives to an option that runs it, else ""."""
        if before in self.code or (re.fullmatch("-[A-Za-z]+", before) and f"-{before[-1]}" in self.code):
            return text
        option, equals, value = text.partition("=")
        if text.startswith("--"):
            return value if equals and self.runs(option, attached=True) else ""
        short = [place for place, letter in enumerate(text) if place and f"-{letter}" in self.code]
        return text[short[0] + 1 :] if text.startswith("-") and short else ""


def _runs(option: str, *, attached: bool) -> bool:
    """Whether an option of a program that nothing is known of may run its value, by its name."""
    name = option.lstrip("-")
    if option.startswith("--") or len(name) > 3 or name in _SINGLE_DASH:
        parts = [part.lower() for part in _PART.findall(name)]
        if any(part in _CODE or _CODE_START.match(part) for part in parts) or name.lower() in _CODE_NAMES:
            return True
        # onExit, --on-change: hooks, which run what they are given
        if parts[:1] == ["on"] and parts[1:]:
            return True
        if option.startswith("--"):
            return name not in _COMPLETE and any(word.startswith(name) for word in _ABBREVIATED)
    if name in _SINGLE_DASH:
        return False
    return bool(_SHORT.intersection(name if attached else name[-1:]))


# fmt: off
_CLOSED_NAMES = """
    arch b2sum base32 base64 basename basenc bzcat cal cat chgrp chmod chown cksum cmp col colrm column
    comm cp csplit cut date dd df diff dir dirname du echo egrep expand expr factor false fgrep file fmt
    fold free getconf getent grep groups gunzip gzip head hexdump hostid hostname iconv id join kill
    link ln logger logname look ls lsattr lscpu lz4 md5sum mkdir mkfifo mktemp mv nl notify-send nproc
    numfmt od paste pathchk pgrep ping pinky pkill pr printenv printf ps ptx pwd readlink realpath rev
    rm rmdir seq sha1sum sha224sum sha256sum sha384sum sha512sum shasum shred shuf sleep stat strings
    stty sum sync tac tail tee test touch tr tree true truncate tsort tty uname unexpand uniq unlink
    unxz unzip uptime users vdir wc which who whoami xxd xz xzcat yes zcat zstd zstdcat
"""
"""Programs none of whose options runs anything or opens a file as code."""

_UNDECIDED = """
    apt apt-get aws az brew cargo direnv docker docker-compose gcloud git glab hatch helm kubectl mise
    nerdctl npm oc pdm pip pip3 pipenv pnpm podman poetry systemctl terraform uv yarn
    aider amp claude codex copilot cursor-agent gemini goose llm mvn ollama opencode qwen
"""
"""Programs that are known, with too many options to have them all."""

_BINUTILS = "addr2line ar as c++filt cpp elfedit gprof ld nm objcopy objdump ranlib readelf size strip"
_COMPILERS = "c++ cc clang clang++ g++ gcc javac rustc swiftc"
_OPTIONS = """
ag | --pager
aws | --query --cli-input-json --cli-input-yaml --filter-pattern | | file:// fileb:// http:// https:// |
    open
az | --query | | @ | open
cargo | --config -Z -C --manifest-path | --exclude --example -e | | open
cmake | -P -C -D -E -T -S --build --toolchain -X | --config | | open
ctest | -S -SP --script --script-new-process --test-command --build-makeprogram --test-dir | -E -LE | |
    open
curl | -K --config -x --proxy --preproxy --engine -Q --quote -w --write-out --variable | -c -e
    --cookie-jar --referer
diff3 | --diff-program
docker | --file --format | -c -e --env --exclude | | open
dotnet | | | @ | open
dpkg | --pre-invoke --post-invoke --status-logger --admindir --root | | | open
fd | -x -X --exec --exec-batch
fdfind | -x -X --exec --exec-batch
find | -exec -execdir -ok -okdir -files0-from
gh | -q --jq -t --template | -e --env --exclude | | open
gcloud | --filter --format --flags-file | | | open
git | --extcmd --upload-pack --receive-pack --config-env --open-files-in-pager --sendmail-cmd
    --smtp-server --to-cmd --cc-cmd | -x -c -e --exclude --expire --encoding | | open
git-clone | -u --template
git-difftool | -x
git-grep | -O
git-init | --template
git-rebase | -x
go | -C -toolexec -exec -ldflags -gcflags -asmflags -gccgoflags -overlay -modfile -vettool -pkgdir
    --toolexec --exec --ldflags --gcflags --asmflags --vettool --overlay
gradle | -I -p -b --init-script --project-dir --build-file | | | open
hg | --config | | | open
helm | --post-renderer --post-renderer-args | | | open
install | --strip-program
java | | | @ | open
jo | | | @ : %
kubectl | -o --output --template --custom-columns | -c --container | | open
man | -P --pager -H --html -p --preprocessor -C --config-file --troff-device
mypy | --python-executable --config-file | -x --exclude -e | @ | open
mvn | -f --file -s --settings | | | open
npm | --prefix -C | | | open
openssl | -engine -provider -provider-path -config
pytest | -p -c -o -W --override-ini --confcutdir --rootdir --pdbcls --pythonwarnings --config-file
    --import-mode | -x | | open
pnpm | -C --dir --prefix | | | open
pandoc | --filter -F --lua-filter -L --template --defaults -d --pdf-engine | -e -c | | open
podman | --file --format | -c -e --env --exclude | | open
poetry | -C --directory -P --project | | | open
pylint | --load-plugins --init-hook --rcfile | -e | | open
rg | --pre --hostname-bin
rsync | -e -M --rsh --rsync-path --remote-option --config
ruff | --config | -e --exclude --extend-exclude | | open
sdiff | --diff-program
shellcheck | --rcfile | -e -x --exclude | | open
sort | --compress-program
split | --filter
ssh-keygen | -D | | | open
svn | --config-option | | | open
tar | -I -F -T --use-compress-program --checkpoint-action --to-command --info-script --new-volume-script
    --rmt-command --rsh-command --files-from
vault | | | @ | open
wget | -e -i --execute --use-askpass --config --input-file
yarn | --cwd --prefix | | | open
zip | -TT --unzip-command
"""
"""Programs | their options that run something or open it as code, ones that are data though their names
say otherwise, starts of values that name a file, and whether it has more options than these."""

_UNKNOWN = KnownProgram(open=True)
_LINKED = """
    -B -C -J -Xclang -fplugin -fuse-ld -plugin -processor -processorpath -specs -wrapper
    --codegen --dynamic-linker --plugin --specs
"""
_COMPILED = """
    -D -I -L -T -U -W -f -include -imacros -iquote -isystem -idirafter -iprefix -l -Xlinker -Xassembler
    -Xpreprocessor -cp --class-path --cfg --extern --sysroot --include --imacros --define-macro
"""
_MARKED = KnownProgram(code=frozenset(_LINKED.split()), file_marks=("@",))
_COMPILER = KnownProgram(code=_MARKED.code | frozenset(_COMPILED.split()), file_marks=("@",))
_PROGRAMS: Mapping[str, KnownProgram] = {
    **dict.fromkeys(_CLOSED_NAMES.split(), KnownProgram()),
    **dict.fromkeys(_UNDECIDED.split(), _UNKNOWN),
    **dict.fromkeys(_BINUTILS.split(), _MARKED),
    **dict.fromkeys(_COMPILERS.split(), _COMPILER),
    **{
        name: KnownProgram(
            code=frozenset(code), data=frozenset(data), file_marks=tuple(marks), open="open" in more
        )
        for (name,), code, data, marks, more in rows(_OPTIONS, 5)
    },
}
VALUE_OPTIONS = words("--body --title --message -m --label --comment")
"""Options that take what follows as their value, whatever it starts with."""

_FILES_OF_CURL = words("""
    -b --cookie -d --data --data-ascii --data-binary --data-urlencode --json -F --form -H --header
""")
_FIELDS_OF_GH = frozenset({"-F", "--field"})
_WORDS_OF_HTTPIE = frozenset({"http", "https", "xh", "xhs"})
# fmt: on
CLOSED = frozenset(_CLOSED_NAMES.split())
_VERSION = late_regex(r"(?<=[a-z])-?\d[\d.]*\Z")

_TRUSTED = late_regex(
    r"PATH|IFS|ENV|HOME|SHELL\w*|BASH\w*|PS\d|PROMPT_COMMAND|\w*EDITOR|VISUAL|\w*PAGER|BROWSER|LESS\w*|\w*ASKPASS"
    r"|\w*RC|(?:LD|DYLD|MALLOC|GLIBC)_\w+|GIT_(?!AUTHOR_|COMMITTER_)\w+|PYTHON\w+|PYTEST_\w+|PERL\w+|RUBY\w*"
    r"|NODE_(?!ENV\Z)\w+|(?:npm|NPM|yarn|YARN|PIP|UV|SSH|GPG|XDG|CMAKE|CTEST|XZ)_\w+"
    r"|(?:JAVA|JDK|MAVEN|GRADLE|ANT|SBT|JVM|GO|CARGO|RUSTC?|DOCKER|KUBE|ANSIBLE|TAR|GREP|RSYNC|LUA|PHP)_\w+"
    r"|GO(?:FLAGS|PATH|ROOT|PROXY|TOOLCHAIN)|KUBECONFIG|CLASSPATH|RUSTC|CC|CXX|CPP|LD|AR|AS|NM|FC|GZIP|BZIP2?"
    r"|ZIPOPT|UNZIP|POSIXLY_CORRECT|MAKE\w*|\w*(?:OPTS?|OPTIONS|FLAGS|ARGS)|(?:\w+_)?(?:PROXY|proxy)"
    r"|\w+_(?:COMMAND|CMD|EXEC|EXECUTABLE|PROGRAM|SHELL|WRAPPER|LAUNCHER|HOOK|PRELOAD|PATH)"
    r"|TERM(?:INFO)?\w*|MAN\w*OPT|MANROFF\w*"
)
# names that end like those above, and are usual for data in CI
_OWN = late_regex(
    r"ARGS|OPTS?|FLAGS|OPTIONS|\w+_(?:VERSION|IMAGE|TAG|NAME|REPO|BRANCH|ID|TITLE|BODY|MESSAGE|NUMBER|COUNT|LABEL|SHA)"
)


@functools.lru_cache(512)
def known_program(name: str) -> KnownProgram:
    """What is known of the program of that name, whatever version ends it."""
    return _PROGRAMS.get(name) or _PROGRAMS.get(_VERSION.sub("", name)) or _UNKNOWN


@functools.lru_cache(512)
def is_known(name: str) -> bool:
    """Whether anything is known of it."""
    return name in _PROGRAMS or _VERSION.sub("", name) in _PROGRAMS


def decides_what_runs(variable: str) -> bool:
    """Whether a shell or a program runs the variable's text, or takes from it what to run."""
    return bool(_TRUSTED.fullmatch(variable)) and not _OWN.fullmatch(variable)


def reads_file(name: str, option: str, prefix: str, *, api: bool) -> str:
    """What to use instead where a value would name a file to send rather than be sent, else "".

    ``prefix`` is the literal text of the word before the value.
    """
    if name == "curl" and re.fullmatch("-[A-Za-z]{2,}", option):
        prefix, option = prefix.removeprefix(option), f"-{option[-1]}"
    if name == "curl" and option in _FILES_OF_CURL:
        text = prefix.removeprefix(option).removeprefix("=")
        if option in ("-F", "--form"):
            return "--form-string" if text.endswith("=") or "=" not in text else ""
        if option in ("-b", "--cookie"):
            return "-b NAME=…" if "=" not in text else ""
        # it reads a file behind a `@` anywhere before the first `=`
        if option == "--data-urlencode":
            return "--data-urlencode NAME=…" if "=" not in text else ""
        return "--data-raw" if not text else ""
    if name in ("gh", "glab") and api and option in _FIELDS_OF_GH:
        return "-f" if not prefix.partition("=")[2] else ""
    if (
        name in _WORDS_OF_HTTPIE
        and option != "--raw"
        and "://" not in prefix
        and (not prefix or prefix[-1] in "=:@")
    ):
        return "--raw"
    return ""
