"""Makes the picture of the page: `python docs/make_page_picture.py [OUT.jpg]`.

Run from the project's root with the test extra installed and Chromium on the path.
"""

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from fkp_app.media.images import write_image  # noqa: E402
from tests.free_pictures import group_picture  # noqa: E402


def main(out: Path) -> None:
    command = [sys.executable, "-m", "fkp_app", "web", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        address = re.search(r"http\S+", server.stdout.readline())
        assert address is not None
        Image.open(io.BytesIO(screenshot(address[0])), formats=["PNG"]).convert("RGB").save(out, quality=90)
        server.terminate()


def screenshot(url: str) -> bytes:
    """A PNG of the page after a photo with several faces was dropped on it."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        photo = Path(folder) / "group.png"
        write_image(photo, group_picture()[0])
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 860})
        page.goto(url)
        page.set_input_files("#photo input[type=file]", str(photo))
        page.locator("#status").get_by_text("6 faces").wait_for()
        page.get_by_label("Wear").click()
        page.get_by_role("option", name="aviator").click()
        page.wait_for_timeout(3000)  # until the page has applied the choice
        page.wait_for_function("() => document.querySelector('#result img')?.naturalWidth > 0")
        return page.screenshot()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures" / "page.jpg")
