"""The site: `make docs`. The root of the repository is the source folder, so pages stay where GitHub shows them.

README.md is the home page. It is built with a list of all pages behind it, which GitHub never sees.
"""

import ast
import dataclasses
import inspect
import re
import shutil
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from docstrings import to_rst  # noqa: E402

from numpynet.learn.listing import PAGES  # noqa: E402

PATH = {page.file for page in PAGES}

project = "numpynet"
author = copyright = "The numpynet authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.linkcode", "annotated", "mathml"]
root_doc = "README"
default_role = "code"
highlight_language = "text"
show_warning_types = True

MARKDOWN = ["*.md", "docs/*.md", "docs/learn/*.md", "docs/stories/*.md", "numpynet/README.md", "fkp_app/weights/*.md"]
LINK = re.compile(r"\]\(([\w./-]+\.py)\)")
LINKED = {
    (page.parent / link).resolve().relative_to(ROOT).as_posix()
    for pattern in MARKDOWN
    for page in ROOT.glob(pattern)
    for link in LINK.findall(page.read_text("utf-8"))
}
"""The Python files that pages link to: each becomes a page, as all files of numpynet do."""
include_patterns = [*MARKDOWN, "docs/site/**.rst", "numpynet/**.py", *sorted(LINKED)]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "*.egg-info",
    "demo",
    "runs",
    "**/__pycache__",
    "numpynet/kernels/*_loops.py",
]

myst_enable_extensions = ["dollarmath", "html_image"]
myst_fence_as_directive = ["math"]
myst_dmath_allow_digits = False
myst_heading_anchors = 4
myst_gfm_only = False
suppress_warnings = ["myst.header"]  # a page may start with another heading than the first level

nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types in signatures; docstrings hold no links
autodoc_member_order = "bysource"
add_module_names = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "numpynet"
html_static_path = ["site.css", "fonts"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_search_summary = False  # the search would fetch each page, which a browser refuses for files
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "github-dark"

PARTS = {
    "Learn": ["docs/learn/README.md", "docs/learn/*.md", "numpynet/README.md"],
    "Stories": ["docs/stories/*.md"],
    "Reference": ["docs/site/api/index.rst", "docs/site/source/index.rst"],
    "The app": [
        "docs/app.md",
        "docs/styles.md",
        "docs/own-data.md",
        "fkp_app/weights/README.md",
        "fkp_app/weights/FINDER.md",
    ],
    "The project": ["docs/*.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"],
}
"""The list of pages beside each page: patterns of files. Each page stands where the first pattern puts it."""


def add_list_of_pages(app: Sphinx, docname: str, content: list[str]) -> None:
    """Append the list of pages to the home page as Sphinx reads it."""
    if docname != root_doc:
        return
    named: set[str] = set()
    for caption, patterns in PARTS.items():
        files = [file for pattern in patterns for file in sorted(ROOT.glob(pattern))]
        pages = [file.relative_to(ROOT).with_suffix("").as_posix() for file in files]
        new = [f"/{page}" for page in dict.fromkeys(pages) if page not in named]
        named.update(pages)
        content[0] += "\n\n".join(["", f"```{{toctree}}\n:hidden:\n:caption: {caption}", "\n".join(new) + "\n```\n"])


def docstring_to_rst(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn a docstring into reStructuredText before autodoc reads it."""
    lines[:] = to_rst("\n".join(lines)).split("\n")


def signature_as_written(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returned: str | None
) -> tuple[str, str | None] | None:
    """The signature of a function or class in the words of its source: `Array`, not what Array stands for."""
    own = obj.__init__ if inspect.isclass(obj) else inspect.unwrap(obj) if callable(obj) else None
    if dataclasses.is_dataclass(obj) or hasattr(obj, "_fields"):
        fields = [ast.unparse(one) for one in _tree(obj).body if isinstance(one, ast.AnnAssign)]
        return f"({', '.join(fields)})", None
    if not isinstance(own, types.FunctionType):
        return None
    node = _tree(own)
    arguments = re.sub(r"^(self|cls)(, |$)", "", ast.unparse(node.args))
    return f"({arguments})", None if node.returns is None or inspect.isclass(obj) else ast.unparse(node.returns)


def _tree(obj: Any) -> Any:
    """The syntax tree of a function or class."""
    return ast.parse(textwrap.dedent(inspect.getsource(obj))).body[0]


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """The page of the annotated source for an object of the API reference, relative to docs/site/api/."""
    obj: object = sys.modules[info["module"]]
    for name in info["fullname"].split("."):
        obj = getattr(obj, name, None)
    obj = inspect.unwrap(obj) if callable(obj) else obj
    if not (inspect.isclass(obj) or inspect.isfunction(obj)):
        return None
    file = Path(inspect.getfile(obj)).resolve().relative_to(ROOT)
    return f"../../../{file.with_suffix('.html').as_posix()}#{nodes.make_id(obj.__qualname__.split('.')[0])}"


def links_as_text(app: Sphinx, doctree: nodes.document) -> None:
    """Make plain text of links to folders, which only GitHub shows, and to pages of the path that are not written."""
    for link in list(doctree.findall(addnodes.pending_xref)):
        if link["reftype"] != "myst" or not link["reftarget"]:
            continue
        target = (ROOT / link["refdoc"]).parent / link["reftarget"].partition("#")[0]
        unwritten = target.parent == ROOT / "docs" / "learn" and target.name in PATH and not target.exists()
        if target.is_dir() or unwritten:
            link.replace_self(link.children)


def one_foot(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Leave out the theme's links to the page before and after where the page ends with links of its own."""
    if pagename.startswith("docs/learn/") and pagename != "docs/learn/README":
        context["prev"] = context["next"] = None


def make_index(app: Sphinx, exception: Exception | None) -> None:
    """The home page under the name that servers and readers look for."""
    if exception is None and app.builder.name == "html":
        shutil.copy(app.outdir / "README.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", add_list_of_pages)
    app.connect("autodoc-process-docstring", docstring_to_rst)
    app.connect("doctree-read", links_as_text)
    app.connect("autodoc-process-signature", signature_as_written)
    app.connect("html-page-context", one_foot)
    app.connect("build-finished", make_index)
