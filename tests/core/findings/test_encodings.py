"""The bytes of a file as the texts that they may be."""

from __future__ import annotations

import pytest

from pytest_lok.core.findings.encodings import decode_readings


@pytest.mark.parametrize(
    ("content", "texts", "known"),
    [
        (b"a", ("a",), True),
        (b"\xef\xbb\xbfa", ("a",), True),
        (b"\xff\xfea\0", ("a",), True),
        (b"\xff\xfe\0\0a\0\0\0", ("a",), True),
        (b"\xe9", ("\ufffd",), False),
        (b"# coding: latin-1\n\xe9", ("# coding: latin-1\n\xe9", "# coding: latin-1\n\ufffd"), True),
        (b"# coding: nope\n\xe9", ("# coding: nope\n\ufffd",), False),
        (b"# coding: rot13\na", ("# coding: rot13\na",), False),
        (b"a\0", ("a\0",), False),
    ],
)
def test_a_mark_decides_or_what_the_file_declares(
    content: bytes, texts: tuple[str, ...], known: bool
) -> None:
    assert decode_readings(content) == (texts, known)


def test_a_declaration_counts_where_programs_look_for_it() -> None:
    assert decode_readings(b"x\ny\n# coding: latin-1\n\xe9") == (("x\ny\n# coding: latin-1\n\ufffd",), False)
    page = b'<meta charset="cp1252">\x80'
    assert decode_readings(b"\n\n\n" + page)[0][0].endswith("\u20ac")
