"""The bytes of a file → an image, by how they begin; and what a prompt says of the images that go with it."""

from __future__ import annotations

import base64
import hashlib
from typing import Protocol, runtime_checkable

from pytest_lok.dataclass import dataclass

MAX_IMAGES = 20
"""Images of one question."""

MAX_IMAGE_BYTES = 3_500_000
"""Bytes of one image: as base64 it stays below five megabytes, which every API takes."""

TOKENS = 1_600
"""About how many tokens an image is, for budgets."""

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of the workspace, at ``path``; ``base64`` are its bytes as APIs want them."""

    path: str
    media_type: str
    base64: str

    @classmethod
    def of(cls, path: str, content: bytes) -> Image | None:
        """The image in the bytes of a file; None if they are none that APIs take, by any name."""
        media_type = media_type_of(content)
        if media_type is None:
            return None
        return cls(path=path, media_type=media_type, base64=base64.b64encode(content).decode())

    @property
    def content(self) -> bytes:
        """The bytes of its file."""
        return base64.b64decode(self.base64)

    @property
    def url(self) -> str:
        """The image as a URL that holds it."""
        return f"data:{self.media_type};base64,{self.base64}"

    @property
    def note(self) -> str:
        """What the text of a prompt says of it; another image has another note, and so another answer."""
        content = self.content
        digest = hashlib.sha256(content).hexdigest()
        return f"Image {self.path}: {self.media_type}, {len(content):,} bytes, sha256 {digest}"


def media_type_of(content: bytes) -> str | None:
    """The kind of image that begins so: PNG, JPEG, GIF or WebP; None = none of these."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    found = next((kind for begin, kind in _BEGINNINGS if content.startswith(begin)), None)
    # text may begin with the letters of GIF, and no GIF is text
    return None if found == "image/gif" and b"\0" not in content else found


@runtime_checkable
class TakesImages(Protocol):
    """A backend that may hand the ``images`` of a prompt on."""

    @property
    def takes_images(self) -> bool:
        """Whether it hands images on."""
        ...
