"""Values arrive in real shells byte for byte, wherever they may stand."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lok.core.shell.compiler import MAX_VALUE
from tests.core.shell.shells import SHELLS, encoded, output

Expected = Callable[[bytes], bytes]


def _same(value: bytes) -> bytes:
    return value


def _captured(value: bytes) -> bytes:
    """What ``$(…)`` leaves of an output."""
    return value.rstrip(b"\n")


# Each prints one value, then a NUL. In their order they make one long script.
PLACES: list[tuple[str, Expected]] = [
    (r"printf '%s\0' {{ arg.x }}", _same),
    (r"""printf '%s\0' "{{ arg.x }}" """, _same),
    (r"""printf '%s\0' '{{ arg.x }}' """, _same),
    (r"printf '%s\0' pre-{{ arg.x }}.txt", lambda v: b"pre-" + v + b".txt"),
    (r"printf '%s\0' {{ arg.x }}{{ arg.x }}", lambda v: v + v),
    (r"""printf '%s\0' a{{ arg.x }}"b{{ arg.x }}c"'d{{ arg.x }}e'""", lambda v: b"a%bb%bcd%be" % (v, v, v)),
    (r"""printf '%s\0' "it's {{ arg.x }} \"q\" \\ \$5 $5" """, lambda v: b"it's " + v + b' "q" \\ $5 '),
    (r"""printf '%s\0' 'say "{{ arg.x }}" $HOME `x` \' """, lambda v: b'say "' + v + b'" $HOME `x` \\'),
    ("printf '%s\\0' 'over\n{{ arg.x }}\nlines'", lambda v: b"over\n" + v + b"\nlines"),
    ("printf '%s\\0' \\\n  {{ arg.x }}", _same),
    (r"""printf '%s\0' "\${{ arg.x }}" """, lambda v: b"$" + v),
    (r"""printf '%s\0' \${{ arg.x }}\ \\{{ arg.x }}""", lambda v: b"$" + v + b" \\" + v),
    (r"printf '%s\0' ~{{ arg.x }} | cat", lambda v: b"~" + v),
    (r"V={{ arg.x }}; printf '%s\0' " + '"$V"', _same),
    (r"V=a{{ arg.x }}'{{ arg.x }}'; printf '%s\0' " + '"$V"', lambda v: b"a" + v + v),
    (r"""V={{ arg.x }} sh -c 'printf "%s\0" "$V"'""", _same),
    (r"export V={{ arg.x }}; printf '%s\0' " + '"$V"', _same),
    (r"f() { local W={{ arg.x }}; printf '%s\0' " + '"$W"; }; f', _same),
    (r"""f() { printf '%s\0' "$1"; }; f {{ arg.x | allow_dash }}""", _same),
    (r"""set -- {{ arg.x }} y; printf '%s\0' "$1" """, _same),
    (r"""for W in {{ arg.x | allow_dash }}; do printf '%s\0' "$W"; done""", _same),
    (r"""case {{ arg.x }} in *) printf '%s\0' {{ arg.x }};; esac""", _same),
    (r"""case z in a|z) printf '%s\0' {{ arg.x }} ;; (*) echo no; esac""", _same),
    (r"""if [ {{ arg.x }} = "{{ arg.x }}" ]; then printf '%s\0' {{ arg.x }}; else echo no; fi""", _same),
    (r"""[ ! {{ arg.x }} != '{{ arg.x }}' ] && printf '%s\0' {{ arg.x }}""", _same),
    (r"""test -z {{ arg.x }} || test -n {{ arg.x }} && printf '%s\0' {{ arg.x }}""", _same),
    (r"""{ true; printf '%s\0' {{ arg.x }}; }""", _same),
    (r"""(cd / && printf '%s\0' {{ arg.x }})""", _same),
    (r"""! false && printf '%s\0' {{ arg.x }} | cat""", _same),
    (r"""while :; do printf '%s\0' {{ arg.x }}; break; done""", _same),
    (r"""env printf '%s\0' {{ arg.x }}""", _same),
    (r"""env V={{ arg.x }} sh -c 'printf "%s\0" "$V"'""", _same),
    (r"""printf '%s\0' "$(printf '%s' {{ arg.x }})" """, _captured),
    (r"""printf '%s\0' "$(printf '%s' "{{ arg.x }}")" """, _captured),
    (
        r"""printf '%s\0' "a$(printf '%s' '{{ arg.x }}' "$(printf '%s' "{{ arg.x }}")")b" """,
        lambda v: b"a" + (v + _captured(v)).rstrip(b"\n") + b"b",
    ),
    (r"""V=$(printf '%s' {{ arg.x }}); printf '%s\0' "$V" """, _captured),
    (r"""V=$(case x in x) printf '%s' {{ arg.x }};; esac); printf '%s\0' "$V" """, _captured),
    ("cat <<EOF\n{{ arg.x }}\nEOF\nprintf '\\0'", lambda v: v + b"\n"),
    (
        "cat <<EOF\n$(printf '%s' \"{{ arg.x }}\") \"{{ arg.x }}\" \\$x \\\\\nEOF\nprintf '\\0'",
        lambda v: _captured(v) + b' "' + v + b'" $x \\\n',
    ),
    ("cat <<'EOF'\n{{ arg.x }}\nEOF\nprintf '\\0'", lambda v: v + b"\n"),
    (
        "cat <<'EOF'\n$5 `date` \\n \\\\ \\\n'{{ arg.x }}' \"q\" $({{ arg.x }}) \\{{ arg.x }} ${{ arg.x }}\nEOF\nprintf '\\0'",
        lambda v: b"$5 `date` \\n \\\\ \\\n'%b' \"q\" $(%b) \\%b $%b\n" % (v, v, v, v),
    ),
    (
        "cat <<-'EOF' | tr -d '\\1'\n\t\ta {{ arg.x }}\n\tEOF\nprintf '\\0'",
        lambda v: b"a " + v.replace(b"\1", b"") + b"\n",
    ),
    ("cat <<\\A - <<\"B\"\n{{ arg.x }} $A\nA\n{{ arg.x }} $B\nB\nprintf '\\0'", lambda v: v + b" $B\n"),
    (
        "printf '%s\\0' \"$(cat <<'EOF'\n## It's \"{{ arg.x }}\" (a) $5 `b`\n\n{{ arg.x }}\nEOF\n)\"",
        lambda v: (
            b'## It\'s "%b" (a) $5 `b`\n\n%b' % (v, _captured(v))
            if _captured(v)
            else b'## It\'s "%b" (a) $5 `b`' % v
        ),
    ),
    ("printf '%s\\0' \"$(cat <<EOF\n{{ arg.x }}\nEOF\n)\" | cat", _captured),
    ("V=$(cat <<'EOF'\n{{ arg.x }}\nEOF\n)\nprintf '%s\\0' \"$V\"", _captured),
    ("while read -r W; do :; done <<EOF\n{{ arg.x }}\nEOF\nprintf '%s\\0' {{ arg.x }}", _same),
    (r"printf {{ arg.x }}'\0'", _same),
    (r"""printf "50%% {{ arg.x }} %s\0" y""", lambda v: b"50% " + v + b" y"),
    (r"""printf -- '{{ arg.x }}\0' """, _same),
    (r"printf '%s\0' $((1 + 1)){{ arg.x }}`echo z`", lambda v: b"2" + v + b"z"),
    (r"printf '%s\0' a#{{ arg.x }} # it's a comment", lambda v: b"a#" + v),
]

HOSTILE = [
    "", " ", "-rf", "--", "-", "\n", "\n\n", "a b", "*", "~", "'", '"', "`", "\\", "$", "${", "$(", "$((", "#", "{", "}",
    "!", "%s%n\\0", "\\055", "EOF", "x\nEOF\n", "\nEOF\ntouch canary\n", "\n\tEOF\n", "A\nB\n", "$(touch canary)",
    "`touch canary`", "'; touch canary; '", '"; touch canary; "', "$lok_1", "${lok_1}", "\\\n", "a\\", "\r\n", "é\U0001f600",
    "\udc80\udcff", "\x01\x02\x7f\x80\x81\x88", "ÁÂ\u0088", "a[$(touch canary)]", "\t x \t",
]  # fmt: skip

VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.binary().map(lambda data: os.fsdecode(data.replace(b"\0", b""))),
    st.lists(st.sampled_from(HOSTILE)).map("".join),
)


def _check(shell: tuple[str, ...], value: str) -> None:
    data = encoded(value)
    printed = output(shell, "\n".join(text for text, _ in PLACES), x=value)
    expected = [expected(data) for _, expected in PLACES]
    assert printed.split(b"\0")[:-1] == expected


@pytest.mark.parametrize("shell", SHELLS)
@settings(deadline=None, max_examples=25)
@given(value=VALUES)
def test_any_value_arrives_byte_for_byte_everywhere(shell: tuple[str, ...], value: str) -> None:
    _check(shell, value)


@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_values_arrive_byte_for_byte_everywhere(shell: tuple[str, ...]) -> None:
    for value in HOSTILE:
        _check(shell, value)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("text", "expected"), PLACES, ids=[text for text, _ in PLACES])
def test_each_place_by_itself(shell: tuple[str, ...], text: str, expected: Expected) -> None:
    value = 'it\'s\n$(echo "no") `x` \\ %s -EOF\n\n'
    assert output(shell, text, x=value) == expected(encoded(value)) + b"\0"


BIG = (MAX_VALUE // 8) * "a'\"$`\\\n "


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "text",
    [
        "printf %s {{ arg.x }}",
        "env printf %s '{{ arg.x }}'",
        "cat <<'E'\n{{ arg.x }}\nE",
        'printf "%s\\n" "$(cat <<E\n{{ arg.x }}x\nE\n)"',
    ],
)
def test_the_longest_value_arrives(shell: tuple[str, ...], text: str) -> None:
    assert len(encoded(BIG)) == MAX_VALUE
    assert output(shell, text, x=BIG).decode().removesuffix("\n").removesuffix("x").rstrip() == BIG.rstrip()
