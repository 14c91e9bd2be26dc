"""A workflow for changes that nobody trusts -> what of it must not run in the tree of such a change.

Programs of a closed list read the files of a tree and run none of them. Every other program may run what the
change wrote (a test runner its tests, make its Makefile), so a workflow has to name it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_lok.core.asking.answer_options import MCP
from pytest_lok.core.shell.ast import Script, ShellWord, SimpleCommand, UnsupportedSyntax
from pytest_lok.core.shell.compiler import scan_template
from pytest_lok.core.text.words import words
from pytest_lok.core.workflow.model import Approve, Ask, Nested, Shell, Step, Workflow
from pytest_lok.errors import Problem
from pytest_lok.late_regex import late_regex

if TYPE_CHECKING:
    from pytest_lok.core.shell.compiler import ShellTemplate

READERS = words("""
    : [ basename break cat cd cmp comm continue cut date diff dirname echo exit export expand expr false fold
    head join jq local ls mkdir mktemp nl od paste printf pwd read readlink readonly realpath return rev rm
    seq set sha256sum shift sleep sort stat tac tail tee test touch tr true umask uniq unset wait wc
    egrep fgrep grep
""")
"""Programs that read files, or write what they read, and run nothing that a file says."""

_WRITERS = frozenset({"mkdir", "rm", "tee", "touch", "uniq"})
"""Those of them that write where their operands say."""

GIT_READERS = words("""
    blame cat-file describe diff diff-files diff-index diff-tree for-each-ref grep log ls-files ls-tree
    merge-base name-rev rev-list rev-parse shortlog show show-ref status
""")
"""Subcommands of git that do so in a repository whose configuration names no program."""

LOK_READERS = frozenset({"parts"})
"""Verbs of lok that do so."""

_BEFORE_SUBCOMMAND = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace"})
# what such a variable says is run, or says where programs and their settings are
_DECIDING = late_regex(
    r"(PATH|.*_PATH|LD_.*|DYLD_.*|GIT_.*|PYTHON.*|PERL.*|RUBY.*|NODE_.*|JAVA_.*|BASH_ENV|ENV|HOME|XDG_.*"
    r"|SHELL|SHELLOPTS|BASHOPTS|IFS|PAGER|EDITOR|VISUAL|TMPDIR)"
)
# what `git -c` may set: none of it names a program, or a file that does
_HARMLESS_SETTING = late_regex(
    r"(?i)((advice|color|column|i18n|log)\..*|core\.(abbrev|quotepath)"
    r"|diff\.(algorithm|colormoved|context|interhunkcontext|noprefix|renamelimit|renames))(=.*)?"
)
_CONFIGURES_GIT = ("--config-env", "--exec-path", "--git-dir")
_PAGES = late_regex(r"-[A-Za-z0-9]*O.*|--op.*")
_SETTERS = frozenset({"export", "local", "read", "readonly", "unset"})
_OUTPUT = ("-o", "--output")
_TEMPLATE = ("{{", "{%")
_VALUE_NAMES_FILE = "writes to a file that only a value names, and that may be the repository's own"
_REMEDY = (
    "what runs the change's own code belongs into a job without secrets, on its own; if this program only "
    "reads, name it in the workflow: [untrusted] programs = [{name!r}]"
)


def refusals(workflow: Workflow, wrapper: str = "") -> tuple[Problem, ...]:
    """Every step that must not run in the tree of a change, each with why; () = the workflow may judge it.

    ``wrapper`` is the settings' ``command_wrapper``.
    """
    allowed = READERS | {*(workflow.untrusted.programs if workflow.untrusted else ())}
    found = [problem for step in workflow.in_all() for problem in _refusals_of(step, allowed)]
    if wrapper:
        # the command itself is judged where it stands
        said = _in_text(wrapper.replace("{cmd}", "true"), allowed, "`command_wrapper` of the settings")
        found += [Problem(path="lok.toml", line=0, column=0, message=why, hint=hint) for why, hint in said]
    # what the cases of a step have in common is told once
    return tuple(dict.fromkeys(found))


def _refusals_of(step: Step, allowed: Collection[str]) -> Iterator[Problem]:
    who = f"the step `{step.written_name}`"
    match step.action:
        case Shell() as action:
            said = [*_in_command(action, allowed, who), *_in_environment(action.env, who)]
        case Ask() as action:
            said = [*_in_question(action, allowed, who)]
        case Nested():  # its steps are judged by themselves
            said = []
        case Approve():
            hint = "let a workflow of its own ask, after the change is merged"
            said = [(f"{who} waits for a person, and nobody is asked about such a change", hint)]
    for message, hint in said:
        yield Problem(path=step.path, line=step.line, column=1, message=message, hint=hint)


def _in_question(action: Ask, allowed: Collection[str], who: str) -> Iterator[tuple[str, str]]:
    if action.apply_edits:
        hint = "let a workflow of its own edit, on a branch that you trust"
        yield f"{who} applies edits, and a change that nobody trusts is only judged", hint
    if action.verify_preset:
        hint = 'name the command: verify = "…"'
        yield f"{who} verifies by what is found in the change (verify = {action.verify_preset!r})", hint
    if action.verify is not None:
        yield from _in_template(action.verify, allowed, f"`verify` of {who}")
    for options in action.options.values():
        yield from _in_servers(options.get(MCP), allowed, who)


def _in_servers(servers: object, allowed: Collection[str], who: str) -> Iterator[tuple[str, str]]:
    """What the MCP servers of a step would run: a model that has read the change says what they do."""
    named = servers.get("mcpServers") if isinstance(servers, dict) else None
    for name, server in (named if isinstance(named, dict) else {}).items():
        command = server.get("command") if isinstance(server, dict) else None
        if not isinstance(command, str):
            hint = "leave `mcp` out, or let a workflow of its own ask it, about changes that you trust"
            yield f"{who} asks the MCP server `{name}`, and the change may say what it is asked", hint
        elif command not in allowed:
            yield _worded(f"{who}, by its MCP server `{name}`,", f"`{command}`", command)


def _in_command(action: Shell, allowed: Collection[str], who: str) -> Iterator[tuple[str, str]]:
    if action.shell is not None:
        yield from _in_template(action.shell, allowed, who)
        return
    said = [None if any(it in part.source for it in _TEMPLATE) else part.source for part in action.argv]
    begins = [part.source for part in action.argv]
    if why := _refusal(said, allowed):
        yield _worded(who, *why)
    elif option := _running_option(begins, allowed):
        yield f"{who} runs a program by `{option}`, which the change may have written", "leave the option out"
    elif _writes_by_value(said, begins):
        yield f"{who} {_VALUE_NAMES_FILE}", "name the file"


def _in_environment(env: Mapping[str, object], who: str) -> Iterator[tuple[str, str]]:
    for name in filter(_DECIDING.fullmatch, env):
        yield f"{who} sets {name}, which decides what programs do", "set it in the job, not in the workflow"


def _in_template(text: ShellTemplate, allowed: Collection[str], who: str) -> Iterator[tuple[str, str]]:
    if text.pastes_values:
        yield f"{who} pastes values into its command (unsafe_shell)", "use `argv`, or `stdin`"
        return
    yield from _in_text(text.source, allowed, who)


def _in_text(text: str, allowed: Collection[str], who: str) -> Iterator[tuple[str, str]]:
    try:
        script = scan_template(text)
    except UnsupportedSyntax as error:
        hint = "write it in plain sh, or as `argv`"
        yield f"{who} cannot be read, so nobody knows what it runs: {error.message}", hint
        return
    yield from _in_script(script, allowed, who)


def _in_script(script: Script, allowed: Collection[str], who: str) -> Iterator[tuple[str, str]]:
    own = {*allowed, *script.functions}
    for command in script.commands:
        said = [word.literal for word in command.words]
        begins = [word.prefix for word in command.words]
        if said and (why := _refusal(said, own)):
            yield _worded(who, *why)
        elif option := _running_option(begins, own):
            yield (
                f"{who} runs a program by `{option}`, which the change may have written",
                "leave the option out",
            )
        elif said and _writes_by_value(said, begins):
            yield f"{who} {_VALUE_NAMES_FILE}", "name the file"
        for name in filter(_DECIDING.fullmatch, _assigned(command)):
            yield f"{who} sets {name}, which decides what programs do", "set it in the job instead"
    if script.dynamic_outputs:
        yield f"{who} {_VALUE_NAMES_FILE}", "name the file"
    for name in filter(_DECIDING.fullmatch, (name for name, _ in (*script.loops, *script.defaults))):
        yield f"{who} sets {name}, which decides what programs do", "use another name"


def _assigned(command: SimpleCommand) -> Iterator[str]:
    """The variables that a command sets, for itself or for those that follow."""
    yield from (name for name, _ in command.assignments)
    if command.words and command.words[0].literal in _SETTERS:
        yield from map(_name_in, command.words[1:])


def _name_in(word: ShellWord) -> str:
    # what only the shell will know may be any name
    return word.prefix.partition("=")[0] if word.literal is not None or "=" in word.prefix else "PATH"


def _refusal(said: Sequence[str | None], allowed: Collection[str]) -> tuple[str, str] | None:
    """What a command line runs that is not allowed, and its name; None = it may be run."""
    name = said[0]
    if name is None:
        return "a program that only a value names", ""
    if name in ("git", "lok") and name not in allowed:
        known = GIT_READERS if name == "git" else LOK_READERS
        subcommand = _subcommand(said[1:])
        if subcommand in known:
            return None
        return f"{name} {subcommand or '…'}", name
    return None if name in allowed and "/" not in name else (name, name)


def _running_option(begins: Sequence[str], allowed: Collection[str]) -> str | None:
    """The option by which a reader runs a program, or obeys a configuration that may name one.

    ``begins`` are the words as far as they are known.
    """
    name, rest = (begins[0], begins[1:]) if begins else ("", ())
    if name == "sort":
        return next((word for word in rest if word.startswith("--co")), None)
    if name != "git" or name in allowed:
        return None
    at = 0
    while at < len(rest) and rest[at].startswith("-"):
        value = rest[at + 1] if at + 1 < len(rest) else ""
        if rest[at].startswith(_CONFIGURES_GIT) or (
            rest[at] == "-c" and not _HARMLESS_SETTING.fullmatch(value)
        ):
            return f"{rest[at]} {value}".rstrip()
        at += 2 if rest[at] in _BEFORE_SUBCOMMAND else 1
    paging = rest[at + 1 :] if rest[at : at + 1] == ["grep"] else []
    return next(filter(_PAGES.fullmatch, paging), None)


def _writes_by_value(said: Sequence[str | None], begins: Sequence[str]) -> bool:
    """Whether a value may say where the command writes; ``begins`` are the words as far as they are known."""
    values = [begin for word, begin in zip(said, begins, strict=True) if word is None]
    named = said[0] in _WRITERS or not {*said}.isdisjoint(_OUTPUT)
    return bool(values) and (named or any(begin.startswith(_OUTPUT) for begin in values))


def _subcommand(said: Sequence[str | None]) -> str | None:
    rest = iter(said)
    for word in rest:
        if word is None:
            return None
        if word in _BEFORE_SUBCOMMAND:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None


def _worded(who: str, what: str, name: str) -> tuple[str, str]:
    hint = _REMEDY.format(name=name) if name and "/" not in name else "name the program itself"
    return f"{who} runs {what}, which may run what the change wrote", hint
