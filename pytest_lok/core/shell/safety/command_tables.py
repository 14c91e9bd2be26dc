"""What is known about commands: which of them run their arguments, or their input, as code."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence

from pytest_lok.core.shell.safety.openers import opens_operands
from pytest_lok.core.text.words import rows, words
from pytest_lok.dataclass import dataclass
from pytest_lok.late_regex import late_regex

PREFIXES = words("""
    apptainer arch-chroot asdf autossh aws-vault bsub bugpoint bwrap capsh catchsegv chamber charliecloud
    choom chpst chronic chroot clush concurrently conda coredumpctl cpulimit cross-env daemon daemonize
    dbus-launch dbus-run-session dbx debconf-apt-progress devbox devenv distrobox doppler dotenvx dsh
    dumb-init eatmydata enroot entr env-cmd envchain envconsul envdir errno expect fakechroot faked fakeroot
    fakeroot-sysv fakeroot-tcp faketime firejail flatpak-spawn flock flox flux fnm foreman fstab-decode
    gapplication gdb gio git-shell goenv gosu guix heaptrack honcho hyperfine i386 ifne infisical
    invoke-rc.d jenv keychain ld.so ldd lima limactl linux32 linux64 lldb lli ltrace luit machinectl
    make-first-existing-target mamba memusage micromamba mispipe mosh mpiexec mpirun msgexec msgfilter
    newgrp newuidmap nix-shell nodeenv nodemon nodenv nq nsenter numactl nvm onchange op overmind pdsh pee
    perf pg_virtualenv pgbench pkexec please plink prlimit proot proxychains proxychains4 pssh pyenv qsub
    reflex reptyr rlogin rr rsh rtx run-parts run0 runcon runsv runuser rust-gdb rust-lldb s6-envdir
    s6-setuidgid salloc sbatch schroot screen script sem service setarch setlock setpriv setuidgid sg
    singularity slattach softlimit sops sotruss spack srun ssh-agent ssh-argv0 ssh-copy-id sshpass
    start-server-and-test start-stop-daemon su su-exec systemd-cat systemd-inhibit systemd-nspawn
    systemd-run systemd-socket-activate taskset teller tini tmux toolbox torify torsocks trickle tsh tsocks
    tsp turbo uclampset udocker uname26 unbuffer unshare valgrind valgrind.bin vipe volta wait-on watchexec
    watchman wine winpty with-contenv wsl x86_64 zellij
""")
"""Commands that run a command which stands somewhere among their arguments."""
EVALUATORS = PREFIXES | words("""
    ansible ansible-console ansible-playbook at batch bc beeline bind bpftool bpftrace cap clickhouse-client
    compgen complete cpan cpanm cqlsh crontab csh dasel dc debugfs duckdb ed edit editor emacs emacsclient
    enable ex fab fabric fc ftp fx gdbtui gmake gmsh gpg-connect-agent gpic gprofng groff grog hash hive
    htmlq inv invoke isql jello jhsdb jmespath jobs jp jp.py jrunscript jshell jsonpath jsonpath_ng just
    less lessecho lesspipe lftp m4 make mariadb maxima mlr mongo mongosh msfconsole mysql nano ncftp ninja
    nmap nroff nvim octave open osascript pager parallel pic pico pppd psql pup qsv rake run-mailcap rview
    rvim salt sbt scp see sensible-browser sensible-editor sensible-pager sftp slogin snowsql socat sqlcmd
    sqlite3 sqlplus ssh swipl systemd-mount task tclkit telnet thor trino troff tshark update-alternatives
    usql vi view vigr vim vimdiff vipw visudo watch wish x-terminal-emulator x-www-browser xauth xdg-open
    xdotool xmllint xmlstarlet xpath xsv xterm zq
""")
"""Commands that can run an argument, or a part of one, as code."""

_WORDS = words("""
    at batch bind cap compgen complete daemon edit enable errno ex fab fc hash hive invoke jobs just less op
    open please salt see service task turbo view
""")
"""Words that are seldom meant as a command where they stand among the arguments of another."""

INPUT_EVALUATORS = EVALUATORS - words("""
    bind compgen complete enable fc flock gmake hash hyperfine jobs just less make watch open xdg-open
    systemd-cat
""")
"""Those of them that can run their standard input."""
# fmt: off
INPUT_PROGRAMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("c++", "cc", "clang", "clang++", "g++", "gcc", "rustc", "tcc"), ("-", "/dev/stdin")),
    **dict.fromkeys(("docker", "nerdctl", "podman", "buildah"),
        ("build -", "build /dev/stdin", "compose -", "kube -")),
    **dict.fromkeys(("kubectl", "oc"), ("apply -", "create -", "replace -", "apply /dev/stdin")),
    "docker-compose": ("-",), "git": ("fast-import",),
}
"""Words with which they take a program, or what is to be run, from their standard input."""
WRAPPERS: Mapping[str, re.Pattern[str]] = {name: late_regex(options) for name, options in {
    "builtin": r"--", "busybox": r"(?!)", "chrt": r"-[bfior]|\d+", "command": r"-p|--", "doas": r"-n|--",
    "env": r"-|-i|--", "exec": r"--", "ionice": r"-[cnt]?\d*|\d", "nice": r"-n|-?\d+|-n-?\d+|--",
    "nohup": r"--", "npx": r"-y|--yes|--no-install|--", "bunx": r"--", "setsid": r"-[cfw]+|--",
    "stdbuf": r"-[ioe][0L]",
    "strace": r"-f|-q+|--", "sudo": r"-[nEHSk]+|--", "time": r"-p|--", "toybox": r"(?!)", "uvx": r"--",
    "timeout": r"-[ks]|[A-Z]+\d*|\d+(\.\d+)?[smhd]?|--\w+(-\w+)*(=\w+)?|--", "xvfb-run": r"-a|--",
}.items()}
"""Commands that run the command they are given, and what may stand between the two, each word by itself."""

RUNNERS: Mapping[str, re.Pattern[str]] = {name: late_regex(said) for name, said in {
    "bundle": r"exec", "direnv": r"exec|\.", "dotenv": r"run|--", "go": r"run", "hatch": r"run|--",
    "mise": r"exec|x|--", "npm": r"exec|--", "pdm": r"run|--", "pipenv": r"run|--", "pipx": r"run|--",
    "pnpm": r"exec|dlx|--", "poetry": r"run|--", "rbenv": r"exec", "uv": r"run|--", "yarn": r"exec|dlx|--",
}.items()}
"""The same for those that do so after a subcommand only, which comes first."""

INSTALLERS = words("""
    apk apt apt-get brew bun bundle cabal cargo composer dnf dotnet flatpak gem go hatch krew luarocks mise
    mix nix nix-env npm opam pdm pip pip3 pipenv pipx pnpm poetry rustup snap stack uv vcpkg yarn yum zypper
""")
INSTALLS = words("add download get i install plugin reinstall require tool update upgrade wheel")
"""Words of those after which a name is a package, whose code runs when it is installed or afterwards."""
# fmt: on

XARGS_OPTION = late_regex(r"-[0rtxp]+|-[nPLs]\d+|-[IdE]\S+|--null|--no-run-if-empty|--")
XARGS_VALUE = words("-I -n -P -L -s -d -E")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """``flags`` may stand before the script's name, and ``code_options`` are followed by code.

    ``posix``: the code is that of a shell. Behind the ``operands`` words are data for the code.
    """

    flags: re.Pattern[str]
    code_options: re.Pattern[str]
    posix: bool = False
    operands: re.Pattern[str] = late_regex(
        r"((pypy|python)[\d.]*w? -c)|((node|nodejs|ruby)[\d.]* (-e|--eval))"
    )


_SH = Interpreter(late_regex(r"-[abefhmnuvxl]+|--"), late_regex(r"-[A-Za-z]*c[A-Za-z]*"), posix=True)
_PYTHON = Interpreter(late_regex(r"-[bBdEIOPqsSuvx]+|-m|-[WX]\S+"), late_regex(r"-[A-Za-z]*c.*"))
# no flags are known of these: an option before the script counts as code
_OTHER = Interpreter(late_regex(r"(?!)"), late_regex(r"-[A-Za-z0-9]*[eEpr].*|--eval|--print|eval"))
_RUNTIME = Interpreter(late_regex(r"run|x"), _OTHER.code_options)
_JAVA = Interpreter(late_regex(r"-jar|-ea|-server|-[XD]\S+"), late_regex(r"(?!)"))
# fmt: off
_INTERPRETERS: Mapping[str, Interpreter] = {
    **dict.fromkeys(words("ash bash csh dash fish ksh mksh oksh rbash sh tcsh xonsh yash zsh"), _SH),
    **dict.fromkeys(words("pypy python pythonw"), _PYTHON),
    **dict.fromkeys(words("bun deno"), _RUNTIME),
    "java": _JAVA,
    **dict.fromkeys(words("""
        bsh clisp elixir erl escript ghci gnuplot groovy guile iex ipython irb jbang jruby julia kotlin lua
        luajit micropython nash node nodejs nu ocaml octave perl php powershell pry ptpython pwsh qjs R
        racket runghc runhaskell Rscript ruby sage sbcl scala scheme swift tclsh ts-node tsx wish zx
    """), _OTHER),
}
# fmt: on
CODE_MODULES = words("cProfile code pdb profile runpy timeit trace")
"""Python modules that run the arguments after ``-m``."""
INPUT_FILE = late_regex(r"-|/dev/.*|/proc/.*")
"""Names of files that stand for what is open already."""

# a version ends the name, and Debian's multiarch triple may follow that
_VERSION = late_regex(r"(?<=[A-Za-z])[-.]?\d[\d.]*(-x86_64-linux-gnu)?\Z")


def interpreter(name: str) -> Interpreter | None:
    """The interpreter of that name, whatever version ends it."""
    return _INTERPRETERS.get(name) or _INTERPRETERS.get(_VERSION.sub("", name))


@functools.lru_cache(512)
def runs_operands(name: str) -> bool:
    """Whether a command of that name, wherever it stands, makes what follows more than data."""
    name = name.rpartition("/")[2]
    if name in _WORDS or name in ("go", "npm"):
        return False
    plain = name in EVALUATORS or name in WRAPPERS or name in LITTLE_LANGUAGES or name in ("eval", "xargs")
    return plain or interpreter(name) is not None or opens_operands(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LittleLanguage:
    """A command whose first operand is a program of its own language.

    ``flags`` take nothing. ``program_options`` are followed by a program, or by the name of a file of it, and
    ``data_options`` by so many words that are data. ``subcommands`` may come first. ``data_way`` shows how
    data is passed. ``assigns``: an operand that looks like an assignment is one. A program in which
    ``running`` is found runs what it reads.
    """

    flags: re.Pattern[str]
    program_options: Collection[str] = ()
    data_options: Mapping[str, int]
    subcommands: Collection[str] = ()
    data_way: str
    assigns: bool = False
    running: re.Pattern[str] = late_regex(r"(?!)")


_AWK = LittleLanguage(
    flags=late_regex(r"-F\S+|--posix|--"),
    program_options=("-f",),
    data_options={"-v": 1, "-F": 1},
    data_way="awk -v name={}",
    assigns=True,
    running=late_regex(r"""system\s*\(|&?\s*getline|print[^;}\n]*\|&?\s*("(\S*/)?\w*sh\b|[A-Za-z(])"""),
)
_SED = LittleLanguage(
    flags=late_regex(
        r"-[nErsuz]+|-i\S*|--(posix|sandbox|quiet|silent|regexp-extended|null-data|separate|in-place(=\S+)?)?"
    ),
    program_options=("-e", "-f"),
    data_options={},
    data_way="sed --sandbox",
    running=late_regex(
        r"(\A|[;{}\n!/$0-9])\s*e(\s|;|}|\Z)"
        r"|s([^\s\\\w])(\\.|(?!\3).)*\3(\\.|(?!\3).)*\3[0-9gpiImM]*e"
    ),
)
_JQ_FLAGS = (
    r"-[acCeCjMnrRsSt]+|--(null-input|raw-(in|out)put0?|compact-output|slurp|tab|ascii-output|join-output|color-output"
    r"|monochrome-output|sort-keys|exit-status|seq|stream|stream-errors|unbuffered|args|jsonargs|yaml-output)|--"
)
_JQ = LittleLanguage(
    flags=late_regex(_JQ_FLAGS),
    program_options=("-f", "--from-file", "-L", "--library-path"),
    data_options={"--arg": 2, "--argjson": 2, "--slurpfile": 2, "--rawfile": 2, "--indent": 1},
    data_way="jq --arg name {}",
)
_YQ = LittleLanguage(
    flags=late_regex(
        r"-[neCMPrjyYcsi]+|--(null-input|inplace|unwrapScalar|exit-status|prettyPrint)|-o=?\w*|-p=?\w*|--"
    ),
    program_options=("--from-file", "--expression", "-f"),
    data_options={**_JQ.data_options, "-o": 1, "-p": 1, "-I": 1},
    subcommands=("eval", "e", "eval-all", "ea"),
    data_way="an environment variable, V={} yq '… strenv(V) …'",
)
LITTLE_LANGUAGES: Mapping[str, LittleLanguage] = {
    **dict.fromkeys(("sed", "gsed"), _SED),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk", "original-awk", "goawk"), _AWK),
    **dict.fromkeys(("jq", "gojq", "jaq", "jqp"), _JQ),
    **dict.fromkeys(("yq", "xq", "xq-python", "tomlq"), _YQ),
}
"""Commands with a small language, whose programs can start others, or decide what a gate says."""

_REMOTE = """
docker docker-compose kubectl lxc nerdctl oc podman | exec run debug
nix | develop shell run eval
vagrant | ssh
gcloud | ssh scp
git | filter-branch foreach run
aws | send-command start-session execute-command invoke
az | run-command invoke
gh | alias extension ssh config
glab | alias config
fly flyctl heroku railway wrangler | ssh run console exec
bq | query
go | generate
openssl | engine
npm pnpm yarn pip pip3 | config
"""
REMOTE_SUBCOMMANDS: Mapping[str, frozenset[str]] = {
    name: frozenset(said) for names, said in rows(_REMOTE, 2) for name in names
}
"""Words after which the arguments are a command line of somewhere else."""

# fmt: off
BY_SUBCOMMAND = words("""
    apt apt-get bazel brew buildah bundle cargo composer dart direnv docker docker-compose dotnet flatpak
    flutter gh git glab go hatch helm kubectl meson mise mix nerdctl nim nix npm oc packer pdm pip pipenv
    pnpm podman poetry redis-cli systemctl terraform tofu uv yarn zig
""")
"""Commands that do quite different things by their first operand."""
# fmt: on
BEFORE_SUBCOMMAND = words("-C -R -c --repo --git-dir --work-tree --manifest-path")

GIT_DATA = late_regex(
    r"(user|author|committer|color|advice|branch|init|i18n|format|log|status|push|pull|fetch|rebase|merge|column|blame|grep"
    r"|safe|protocol|http|https|url|remote)\..+|core\.(quotepath|autocrlf|eol|filemode|ignorecase|abbrev|bare|safecrlf|longpaths)",
    re.IGNORECASE,
)
"""Keys of git's configuration whose value is data; any other may name what git runs."""
GIT_CODE = late_regex(
    r"merge\..*\.driver|.*\.(command|cmd|path|program|proxy|vcs|uploadpack|receivepack|insteadof|pushinsteadof)|format\.pretty"
    r"|grep\.extended.*|url\..*|alias\..*|http\..*helper.*|init\.templatedir|protocol\..*allow|safe\..*|branch\..*options",
    re.IGNORECASE,
)
GIT_HIDES_ARGUMENTS = words("""
    blame branch cat-file checkout clone describe diff diff-tree fetch grep log ls-files ls-remote ls-tree
    merge-base name-rev pull push rev-list rev-parse shortlog show status switch tag
""")
"""Subcommands of git that print what is in the repository, not their arguments."""
GIT_FORMATS = late_regex(r"--(format|pretty|src-prefix|dst-prefix|line-prefix|output-indicator.*|prefix)")

ENVIRONMENT_PRINTERS = words("env printenv set export readonly declare typeset local")
"""Commands that print all variables when they are given nothing to do."""
PRINTING_OPTIONS = frozenset({"-p", "-x", "-0"})
PRINTERS = words("basename cat dirname echo printf realpath readlink")
"""Commands whose output has their arguments in it."""
HIDES_ARGUMENTS = words("dirname gh glab realpath seq expr test [")
"""Commands whose output starts with nothing that their arguments could choose to be an option."""
DECLARATIONS = frozenset({"export", "readonly", "local", "declare", "typeset"})
VARIABLE_SETTERS = words("getopts mapfile read readarray unset wait")
"""Commands whose arguments are names of variables; bash calculates in the index of an array."""
FIND_RUNS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
FIND_WRITES = frozenset({"-fprint", "-fprint0", "-fprintf", "-fls"})

EXPRESSION = ("!", "(", ")", ",")
"""Starts of find's operands that are no names; a ``-`` is another."""
FIND_VALUES = words("""
    -D -amin -anewer -atime -cmin -cnewer -ctime -fstype -gid -group -ilname -iname -inum -ipath -iregex
    -iwholename -links -lname -maxdepth -mindepth -mmin -mtime -name -newer -path -perm -regex -regextype
    -samefile -size -type -uid -used -user -wholename -xtype
""")
"""Tests of find that take the next argument, whatever it is."""

_BUILD_FILES = """
make gmake | Makefile makefile GNUmakefile
npm pnpm yarn bun npx | package.json .npmrc
just | justfile Justfile .justfile
rake | Rakefile rakefile
bundle | Gemfile
pytest | conftest.py pytest.ini
tox | tox.ini
nox | noxfile.py
cargo | build.rs Cargo.toml
cmake | CMakeLists.txt
gradle | build.gradle build.gradle.kts
mvn | pom.xml
docker | Dockerfile
task | Taskfile.yml
direnv | .envrc
curl | .curlrc
wget | .wgetrc
"""
BUILD_FILES: Mapping[str, Sequence[str]] = {
    name: files for names, files in rows(_BUILD_FILES, 2) for name in names
}
"""What commands run without being told."""

TEST_UNARY = late_regex(r"-[bcdefghkLnOGNprsStuwxz]")
TEST_BINARY = late_regex(r"==?|!=|<|>|-(eq|ne|lt|le|gt|ge|nt|ot|ef)")
