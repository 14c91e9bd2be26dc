"""Images by how they begin."""

from __future__ import annotations

import base64

import pytest

from pytest_lok.core.asking.images import Image, media_type_of


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (b"GIF89a\1\0\1\0", "image/gif"),
        (b"GIF87a\1\0\1\0", "image/gif"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
        (b"GIF89a is how a GIF begins", None),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"<svg/>", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_the_kind_is_in_the_bytes(content: bytes, kind: str | None) -> None:
    assert media_type_of(content) == kind


def test_an_image_is_told_by_its_bytes() -> None:
    one, two = (Image.of("a.txt", b"\xff\xd8\xff" + bytes([end])) for end in (1, 2))
    assert one is not None
    assert two is not None
    assert one.content == b"\xff\xd8\xff\1"
    assert one.url == f"data:image/jpeg;base64,{base64.b64encode(one.content).decode()}"
    assert one.note.startswith("Image a.txt: image/jpeg, 4 bytes, sha256 ")
    assert one.note != two.note
    assert Image.of("a.png", b"text") is None
