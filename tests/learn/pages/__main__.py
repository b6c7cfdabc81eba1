"""`python -m tests.learn.pages [--check]`: renew the source included in pages, and what the code in them prints."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.learn.pages import blocks, included
from tests.learn.pages.markdown import LEARN


def main(arguments: list[str] | None = None, learn: Path = LEARN) -> int:
    """Renew the pages. With --check nothing is written, and 1 is returned if a page is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m tests.learn.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args(arguments).check
    changed: list[Path] = []
    failed: list[Path] = []
    for page in sorted(learn.glob("*.md")):
        before = page.read_text()
        try:
            after = included.renewed(before)
            with tempfile.TemporaryDirectory() as folder:
                after = blocks.with_new_output(after, Path(folder))
        except (ValueError, blocks.PageError) as error:
            print(f"{page.name}: {error}")
            failed.append(page)
            continue
        if after != before:
            changed.append(page)
            if not check:
                page.write_text(after)
    for page in changed:
        print(f"{page.name}: {'not up to date' if check else 'renewed'}")
    return 1 if failed or (changed and check) else 0


if __name__ == "__main__":
    sys.exit(main())
