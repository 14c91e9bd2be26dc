"""The rules of programs that have no module of their own here, and the table of all rules."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence

from pytest_lok.core.shell.ast import NamedCommand, Script, ShellWord
from pytest_lok.core.shell.cursor import ASSIGNMENT
from pytest_lok.core.shell.safety import command_tables as tables
from pytest_lok.core.shell.safety.arrivals import sent_files
from pytest_lok.core.shell.safety.file_tables import CHANGERS, COPIERS, MAKERS, MODULES
from pytest_lok.core.shell.safety.judge import CommandJudge, Rule, RuleTable, SafetyReport
from pytest_lok.core.shell.safety.openers import opened_words
from pytest_lok.core.shell.safety.rules import arguments, builtins, files, git, languages, launchers
from pytest_lok.core.shell.safety.rules.arguments import check_arguments, check_command_among
from pytest_lok.late_regex import late_regex


def ordinary(judge: CommandJudge, call: NamedCommand) -> None:
    """A command without a rule of its own: what the tables say of its subcommands, operands and options."""
    literals = [word.literal for word in call.args]
    elsewhere = tables.REMOTE_SUBCOMMANDS.get(call.name, ())
    if remote := [text for text in literals if text in elsewhere]:
        name = f"{call.name} {remote[0]}"
        judge.runs_words(_but_names(judge, call) if remote[0] == "run" else call.args, name)
        judge.runs_input(name, call.command)
        return
    if call.name in tables.INSTALLERS:
        words = (
            tables.INSTALLS | {"create", "init"}
            if call.name in ("npm", "pnpm", "yarn", "bun")
            else tables.INSTALLS
        )
        for place, text in enumerate(literals):
            if text in words:
                judge.runs_words(
                    call.args[place:],
                    call.name,
                    f"an argument of `{call.name} {text}`, which runs what it gets",
                )
    for word, option in opened_words(call):
        part = f"the value of `{option}`" if option else "an operand"
        what = f"{part} of `{call.name}`, which runs what it names"
        judge.runs_words([word], call.name, what, "`argv` passes what you mean to be run;")
    if call.name in tables.BY_SUBCOMMAND:
        what = f"the subcommand of `{call.name}`, which decides what is run"
        judge.runs_words(_as_subcommand(call), call.name, what)
    # nobody knows what it does with a command among its arguments, so that is judged as one
    if not judge.rules.knows(call.name):
        check_command_among(judge, call)
    for given in tables.INPUT_PROGRAMS.get(call.name, ()):
        if all(
            any(text == word or (text or "").endswith(f"={word}") for text in literals)
            for word in given.split()
        ):
            judge.runs_input(f"{call.name} {given}", call.command)
    files.outputs(judge, call)
    for word in sent_files(call):
        judge.writes_file(word, changes=True)  # the file may be one that is written
    if call.name == "curl":
        files.curl(judge, call)
    check_arguments(judge, call)


_CONTAINER_FLAG = late_regex(r"--(rm|init|interactive|tty|detach|read-only|quiet)|--pull=\w+|-[itdq]+")
_CONTAINER_DATA = late_regex(r"--(env|label|name)|-[el]")
_IMAGE = late_regex(r"[\w.-]+(:\d+/)?[\w./-]*[:@][\w.:-]*")


def _but_names(judge: CommandJudge, call: NamedCommand) -> Sequence[ShellWord]:
    """The arguments of ``docker run`` that may be run: not a version of an image, a variable or a label."""
    args, place = call.args, 1
    if call.name not in ("docker", "podman", "nerdctl") or not args or args[0].literal != "run":
        return args
    while place < len(args):
        text = args[place].literal or ""
        if _CONTAINER_DATA.fullmatch(text) and place + 1 < len(args):
            word = args[place + 1]
            if assigned := ASSIGNMENT.match(word.prefix):
                judge.assign(assigned[1], word.without_prefix(assigned.end()))
            elif text in ("-e", "--env"):
                judge.runs_words([word], call.name)
            place += 2
        elif _CONTAINER_FLAG.fullmatch(text):
            place += 1
        else:
            break
    # behind the image stands what runs in the container
    image = args[place : place + 1]
    named = bool(image) and _IMAGE.fullmatch(image[0].prefix) and None not in image[0].pieces
    return args[place + 1 :] if named else args[place:]


def _as_subcommand(call: NamedCommand) -> Iterable[ShellWord]:
    """The operands before the first that is written out."""
    previous = ""
    cluster = ("-n", "--namespace", "--context") if call.name in ("kubectl", "oc") else ()
    for word in call.args:
        text = word.literal or ""
        if (
            previous not in tables.BEFORE_SUBCOMMAND
            and previous not in cluster
            and not word.prefix.startswith("-")
        ):
            if text:
                return
            yield word
        previous = text


def _git(judge: CommandJudge, call: NamedCommand) -> None:
    git.git(judge, call)
    ordinary(judge, call)


def _copier(judge: CommandJudge, call: NamedCommand) -> None:
    files.copied(judge, call)
    # host:path: the other machine's shell reads the path
    if call.name in ("rsync", "scp"):
        for word in call.args:
            if ":" in word.prefix:
                judge.runs_words([word], call.name)
    (launchers.evaluator if call.name in tables.EVALUATORS else ordinary)(judge, call)


def _find(judge: CommandJudge, call: NamedCommand) -> None:
    args, plain, place, expression = call.args, list[ShellWord](), 0, ("-", *tables.EXPRESSION)
    if files.found_is_changed(args):
        for word in itertools.takewhile(
            lambda word: not word.prefix.startswith(("-", *tables.EXPRESSION)), args
        ):
            judge.writes_file(word, changes=True)
    while place < len(args):
        if args[place].literal in tables.FIND_WRITES:
            for word in args[place + 1 : place + 2]:
                judge.writes_file(word)
        if args[place].literal in tables.FIND_VALUES and place + 1 < len(args):
            judge.flow.not_printed.update(args[place + 1].own_holes)
            check_arguments(judge, call, args[place : place + 2])
            place += 2
            continue
        if args[place].literal not in tables.FIND_RUNS:
            plain.append(args[place])
            place += 1
            continue
        # `;` or `+` ends the command that -exec runs
        ends = (n for n in range(place, len(args)) if args[n].literal in (";", "+"))
        stop = next(ends, len(args))
        if inner := args[place + 1 : stop]:
            judge.command_line(inner, call.command)
        place = stop
    check_arguments(judge, call, plain, starts=expression)


_RULES: tuple[tuple[Collection[str], Rule], ...] = (
    (("exec",), launchers.run_in_place),
    (MAKERS, files.maker),
    (CHANGERS, files.changer),
    (MODULES, files.module),
    (COPIERS, _copier),
    (("dd",), files.dd),
    (("split", "csplit"), files.split),
    (("tar", "bsdtar", "gtar"), files.tar),
    (("ar", "jar", "7z", "7za"), files.archiver),
    (("git",), _git),
    (("cd", "pushd"), builtins.directory),
    (tables.EVALUATORS, launchers.evaluator),
    (tables.WRAPPERS, launchers.wrapper),
    (tables.RUNNERS, launchers.wrapper),
    (tables.LITTLE_LANGUAGES, languages.scripted),
    (tables.DECLARATIONS, builtins.declaration),
    (tables.VARIABLE_SETTERS, builtins.namer),
    (("eval",), builtins.evaluate),
    (("trap",), builtins.trap),
    ((".", "source"), builtins.source),
    (("xargs", "gxargs"), launchers.xargs),
    (("find", "gfind"), _find),
    (("let", "[["), builtins.calculation),
    (("set",), builtins.positional),
    (("echo", "true", "false", ":"), builtins.harmless),
    (("printf",), builtins.formatted),
    (("test", "["), builtins.tested),
)
RULES = RuleTable(
    by_name={name: rule for names, rule in reversed(_RULES) for name in names},
    interpreter=launchers.interpreted,
    function=arguments.function,
    ordinary=ordinary,
)
"""What is known of all commands."""


def judge_of(script: Script) -> CommandJudge:
    """A judge that knows all commands, and has read nothing yet."""
    return CommandJudge(script, RULES)


def review(script: Script) -> SafetyReport:
    """Judge every hole of the script; UnsupportedSyntax if a command in it leaves that open."""
    judge = judge_of(script)
    judge.read(script)
    judge.conclude(script)
    return judge.report
