"""`python -m tools.page_picture`: draw docs/report.png, the top of the demo's red page in a Chromium."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from demo.__main__ import Sample

PICTURE = Path(__file__).parents[1] / "docs" / "report.png"
WIDTH, HEIGHT = 1_000, 1_060
LARGEST = 150_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> int:
    """Run the demo's red review, open its page, and write the picture; 1 where that is not possible."""
    # in a dependency group of its own
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        print(f"there is no browser on this machine: {', '.join(BROWSERS)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as driver:
        page_file = Path(directory) / "red.html"
        with tempfile.TemporaryFile() as output:
            Sample.make(Path(directory) / "shop").review(page=page_file, output=output)
        browser = driver.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(page_file.as_uri())
        data = page.screenshot()
        browser.close()
    if len(data) > LARGEST:
        print(f"the picture has {len(data):,} bytes, more than {LARGEST:,}: make it smaller", file=sys.stderr)
        return 1
    PICTURE.write_bytes(data)
    print(f"{os.path.relpath(PICTURE)}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
