"""Images natively: each API gets them as it documents them, and a question without any stays as it was."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lok.core.asking.images import Image
from pytest_lok.engine.ports import Prompt
from tests.backends.test_contract import SERVERS

IMAGES = tuple(
    it
    for name, begin in (("a.png", b"\x89PNG\r\n\x1a\n"), ("b.jpg", b"\xff\xd8\xff"))
    if (it := Image.of(name, begin + b"\0"))
)
PNG, JPEG = "iVBORw0KGgoA", "/9j/AA=="
WANTED: dict[str, Any] = {
    "anthropic": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": JPEG}},
                    {"type": "text", "text": "What?"},
                ],
            }
        ]
    },
    "openai": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                    {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{JPEG}"}},
                ],
            }
        ]
    },
    "openai responses": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What?"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
                    {"type": "input_image", "image_url": f"data:image/jpeg;base64,{JPEG}"},
                ],
            }
        ]
    },
    "gemini-api": {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What?"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                    {"inlineData": {"mimeType": "image/jpeg", "data": JPEG}},
                ],
            }
        ]
    },
    "ollama": {"messages": [{"role": "user", "content": "What?", "images": [PNG, JPEG]}]},
}


@pytest.mark.parametrize("kind", SERVERS)
def test_the_body_of_a_question_with_images(kind: str) -> None:
    dialect, _ = SERVERS[kind]
    body = dialect.body(Prompt(text="What?", images=IMAGES), "m", None, frozenset())
    plain = dialect.body(Prompt(text="What?"), "m", None, frozenset())
    assert {key: body[key] for key in WANTED[kind]} == WANTED[kind]
    assert {**body, **{key: plain[key] for key in WANTED[kind]}} == plain
    assert "image" not in str(plain)
