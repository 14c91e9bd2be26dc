"""Files that customers upload and read again."""

from pathlib import Path

ROOT = Path("uploads")
MOST = 5_000_000


def stored(name: str) -> bytes:
    """The content of an uploaded file."""
    path = (ROOT / name).resolve()
    if not path.is_relative_to(ROOT.resolve()):
        raise PermissionError(name)
    return path.read_bytes()


def store(name: str, content: bytes) -> Path:
    """Keep an upload under its plain name."""
    if len(content) > MOST:
        raise ValueError("the file is too large")
    path = ROOT / Path(name).name
    path.write_bytes(content)
    return path


def tags_of(text: str) -> list[str]:
    """The tags of a file, each once, in the order of their first use."""
    seen: list[str] = []
    for tag in text.split(","):
        plain = tag.strip().lower()
        if plain and plain not in seen:
            seen.append(plain)
    return seen
