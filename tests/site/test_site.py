"""The site is whole: no warning, no dead link, nothing from another host, every public name, every page of the path."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import numpynet
import numpynet.functional
from tests.site.conftest import ROOT, build

SOURCES = {
    "script": "src",
    "link": "href",
    "img": "src",
    "source": "src",
    "iframe": "src",
    "video": "src",
    "audio": "src",
}
SOURCES |= {"object": "data", "embed": "src", "image": "href", "use": "href", "form": "action"}
"""The attribute of each element by which a page loads something, or sends something."""
ELSEWHERE = re.compile(r"(https?:)?//")
OTHERS = re.compile(r"""(?:url\(|@import|import\(|fetch\(|\.open\(|\b(?:src|href) ?=)\s*["']?(https?:)?//""")
"""In CSS and JavaScript: a resource of another host."""


class Page(HTMLParser):
    """The links, the loaded resources and the ids of a built page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str | None] = set()
        self.pictures: list[tuple[str | None, str | None]] = []
        self.language: str | None = None
        text = path.read_text("utf-8")
        self.title = text.partition("<title>")[2].partition("</title>")[0]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids.add(values.get("id"))
        if tag == "img":
            self.pictures.append((values.get("src"), values.get("alt")))
        if tag == "html":
            self.language = values.get("lang")
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "a":
            self.ids.add(values.get("name"))
        elif values.get(SOURCES.get(tag, "")):
            self.loaded.append(values[SOURCES[tag]])


@pytest.fixture(scope="module")
def pages(site):
    assert (site.failed, site.said) == (False, "")
    return {path: Page(path) for path in sorted(site.pages.rglob("*.html"))}


def test_it_builds_without_a_warning_and_every_link_leads_somewhere(pages):
    dead = []
    for path, page in pages.items():
        for link in [*page.links, *page.loaded]:
            parts = urlsplit(link)
            if parts.scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            known = pages[target].ids if target in pages else {""}
            if not target.exists() or (anchor and target.suffix == ".html" and anchor not in known):
                dead.append((path.name, link))
    assert dead == []
    assert sum(len(page.links) for page in pages.values()) > 1000


def test_nothing_is_loaded_from_another_host(site, pages):
    assert [(path.name, one) for path, page in pages.items() for one in page.loaded if ELSEWHERE.match(one)] == []
    code = [
        path for suffix in ("css", "js") for path in site.pages.rglob(f"*.{suffix}") if path.name != "searchindex.js"
    ]
    assert len(code) > 5
    assert [(path.name, found[0]) for path in code if (found := OTHERS.search(path.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "code",
    [
        'a { background: url("https://a.b/c.png") }',
        "@import '//a.b/c.css'",
        'fetch("https://a.b")',
        's.src="http://a.b"',
    ],
)
def test_a_planted_resource_of_another_host_is_seen(code):
    assert OTHERS.search(code)


def test_every_page_has_a_title_and_a_language_and_every_picture_a_text(pages):
    lacking = [path.name for path, page in pages.items() if not page.title.strip() or page.language != "en"]
    assert lacking == []
    assert [(path.name, picture) for path, page in pages.items() for picture in page.pictures if not picture[1]] == []
    assert sum(len(page.pictures) for page in pages.values()) > 20


def test_the_font_of_formulas_is_small_and_has_its_license(site):
    font = site.pages / "_static" / "STIXTwoMath-subset.woff2"
    assert font.stat().st_size < 500_000
    assert "SIL OPEN FONT LICENSE" in (font.parent / "OFL.txt").read_text("utf-8")


def test_every_public_name_is_in_the_reference(pages):
    found = {name for path, page in pages.items() if path.parent.name == "api" for name in page.ids}
    functional = set(numpynet.functional.__all__) - {"add", "empty", "zeros"}  # NumPy's own
    wanted = {f"numpynet.{name}" for name in numpynet.__all__} | {f"numpynet.functional.{name}" for name in functional}
    assert wanted - found == set()


def test_signatures_are_those_of_the_source(site):
    """With `DTypeLike` as it is written, also where a class inherits its arguments."""
    text = re.sub(r"<[^>]+>", "", (site.pages / "docs" / "site" / "api" / "layers.html").read_text("utf-8"))
    for name in ("Conv2d", "BatchNorm1d"):
        assert re.search(rf"class\s+{name}\([^)]*dtype: DTypeLike", text), name
    assert "numpy._typing" not in text


def test_every_markdown_page_is_part_of_the_site(site, pages):
    patterns = ("docs/*.md", "docs/learn/*.md", "docs/stories/*.md", "numpynet/README.md", "README.md")
    markdown = [file.relative_to(ROOT) for pattern in patterns for file in ROOT.glob(pattern)]
    assert [file for file in markdown if site.pages / file.with_suffix(".html") not in pages] == []
    assert (site.pages / "index.html").read_bytes() == (site.pages / "README.html").read_bytes()


def test_links_to_source_files_lead_to_their_annotated_pages(site, pages):
    links = {link.partition("#")[0] for link in pages[site.pages / "numpynet" / "README.html"].links}
    assert {"functional/conv2d.html", "layers.html", "module.html", "training.html"} <= links
    assert "../tests/functional/test_by_definition.html" in links
    text = (site.pages / "numpynet" / "functional" / "conv2d.html").read_text("utf-8")
    assert {"Conv2dCache", "conv2d", "unfold", "fold"} <= set(re.findall(r"<h2>(\w+)<", text))


TINY = {
    "README.md": "# Home\n\n[a](docs/a.md), [its part](docs/a.md#part-two), [code](tool.py), [a folder](docs/)\n",
    "docs/a.md": "# A\n\n## Part two\n\nThe slope is $2x$.\n\n```math\ny = x^2\n```\n\n![](p.png)\n",
    "tool.py": '''"""A tool."""


def double(x):
    """Twice `x`, or x_hat *as it is*."""
    # by addition
    return x + x
''',
}
"""A repository of three pages, built with the project's configuration."""


@pytest.fixture
def tiny(tmp_path):
    shutil.copytree(ROOT / "docs" / "site", tmp_path / "docs" / "site", ignore=shutil.ignore_patterns("*.rst", "__*"))
    for name, text in TINY.items():
        (tmp_path / name).write_text(text, "utf-8")
    shutil.copy(ROOT / "docs" / "pictures" / "styles.png", tmp_path / "docs" / "p.png")
    return tmp_path


def test_a_small_repository_builds(tiny, tmp_path):
    result = build(tiny, tmp_path / "build")
    assert (result.failed, result.said) == (False, "")
    assert "<math" in (result.pages / "docs" / "a.html").read_text("utf-8")
    notes, code = (result.pages / "tool.html").read_text("utf-8").split("annotated-code", 1)
    assert "<em>as it is</em>" in notes
    assert "x_hat" in notes
    assert "by addition" in re.sub(r'<div class="highlight.*?</div>', "", code, flags=re.DOTALL)  # a note, not code


BROKEN = [
    ("README.md", "docs/a.md)", "docs/b.md)", "docs/b.md"),
    ("README.md", "#part-two", "#part-three", "part-three"),
    ("README.md", "tool.py", "tools.py", "tools.py"),
    ("docs/a.md", "p.png", "q.png", "q.png"),
    ("docs/a.md", "$2x$", r"$\frac{2$", "brace"),
    ("docs/a.md", "$2x$", r"$\frac{2}$", "lacks a part"),
    ("docs/a.md", "$2x$", "$x^2^3$", "cannot be read"),
    ("docs/a.md", "x^2", r"\squared{x}", r"\squared"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "named"), BROKEN, ids=[wrong for _, _, wrong, _ in BROKEN])
def test_a_mistake_in_a_copy_makes_the_build_fail(tiny, tmp_path, file, right, wrong, named):
    path = tiny / file
    assert right in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(right, wrong), "utf-8")
    result = build(tiny, tmp_path / "build")
    assert result.failed
    assert any(file in line and named in line for line in result.said.splitlines()), result.said
