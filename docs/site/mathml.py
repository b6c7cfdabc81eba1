"""A Sphinx extension: formulas as MathML, which browsers show without a script. latex2mathml does the translation."""

import re
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

PARTS = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
"""The number of parts of which such an element of MathML is made."""

logger = logging.getLogger(__name__)


def mathml(formula: str, display: str, place: nodes.Node) -> str:
    """A formula as MathML. display: "inline" or "block". A formula that cannot be read is a warning at its place."""
    bare = re.sub(r"\\[{}]", "", formula)
    if bare.count("{") != bare.count("}"):  # latex2mathml would guess
        logger.warning("formula has a brace without its partner: %s", formula, location=place)
    try:
        result: str = convert(formula, display=display)
    except Exception as error:  # latex2mathml has one class per mistake, and lets some of Python's through
        logger.warning("formula cannot be read (%s): %s", type(error).__name__, formula, location=place)
        return ""
    for node in ElementTree.fromstring(result.replace("<mi>&</mi>", "<mi/>")).iter():
        if len(node) != PARTS.get(kind := node.tag.rpartition("}")[2], len(node)):  # as \frac{2} gives
            logger.warning("formula lacks a part of %s: %s", kind, formula, location=place)
    if unknown := re.search(r">(\\[A-Za-z]+)<", result):  # such a command is passed on as text
        logger.warning("formula has a command that latex2mathml does not know, %s", unknown[1], location=place)
    return result


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(mathml(node.astext(), "inline", node))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on lines of its own, in a box that scrolls if the formula is wider than the page."""
    self.body.append(f'<div class="formula">{mathml(node.astext(), "block", node)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name "mathml"."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
