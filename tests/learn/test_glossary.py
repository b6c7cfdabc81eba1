"""The glossary: each word has one entry, in order, with a link to a page that uses the word."""

import re

import pytest

from tests.learn.pages.included import ROOT
from tests.learn.pages.markdown import LEARN, LINK, without_fences

FORM = re.compile(r"^- \*\*(?P<word>[^*]+)\*\*(?: \((?P<others>[^)]+)\))?: (?P<text>.+)$")


def entries(text):
    """(word, its other names, what is said of it) for each entry."""
    found = []
    for entry in re.findall(r"^- \*\*.+?(?=^- |^#|^<|\Z)", text, re.MULTILINE | re.DOTALL):
        match = FORM.match(" ".join(entry.split()))
        assert match, f"not `- **word** (other, names): what it means`: {entry}"
        found.append((match["word"], (match["others"] or "").split(", "), match["text"]))
    return found


def mentions(text, word):
    """Whether a text uses a word, in any case and number, as code or as prose."""
    return word.lower().replace("_", " ") in " ".join(text.lower().replace("_", " ").split())


def without_a_page(text, learn=LEARN):
    """Entries with no link, or whose linked files all leave out the word. A page that is not written counts as good."""
    wrong = []
    for word, others, said in entries(text):
        files = [learn / link["target"].split("#")[0] for link in LINK.finditer(said)]
        good = [not file.exists() or any(mentions(file.read_text(), w) for w in (word, *others) if w) for file in files]
        if not any(good):
            wrong.append(word)
    return wrong


def explains(text, word):
    """Whether a page sets a word in bold or italics, as it does where it explains it."""
    set_off = rf"(?<![\w*])\*{{1,2}}{re.escape(word)}s?[.:]?\*{{1,2}}(?!\w)"
    return re.search(set_off, without_fences(text), re.IGNORECASE)


def with_the_wrong_page(text, pages):
    """Entries that link to none of the pages that explain the word, though there are some."""
    wrong = []
    for word, others, said in entries(text):
        good = {name for name, page in pages.items() if any(explains(page, w) for w in (word, *others) if w)}
        if good and not good & {link["target"] for link in LINK.finditer(said)}:
            wrong.append(word)
    return wrong


TEXT = (LEARN / "glossary.md").read_text()
PAGES = {page.name: page.read_text() for page in LEARN.glob("[01]*.md")}


def test_each_word_has_one_entry_in_alphabetical_order():
    words = [word.lower() for word, _, _ in entries(TEXT)]
    assert len(words) == TEXT.count("\n- **") > 50
    assert words == sorted(set(words))


def test_each_entry_links_to_a_page_that_uses_the_word():
    assert without_a_page(TEXT) == []


def test_each_entry_links_to_a_page_that_explains_the_word_if_any_sets_it_in_bold_or_italics():
    assert with_the_wrong_page(TEXT, PAGES) == []
    explained = [word for word, _, _ in entries(TEXT) if any(explains(page, word) for page in PAGES.values())]
    assert len(explained) > 40


def test_an_entry_that_links_to_a_page_that_only_uses_the_word_is_found():
    pages = {"1.md": "The *stride* is how far it moves.", "2.md": "A stride of 2 moves it by 2."}
    assert with_the_wrong_page("- **stride**: How far. See [page 1](1.md).\n", pages) == []
    assert with_the_wrong_page("- **stride**: How far. See [page 2](2.md).\n", pages) == ["stride"]


@pytest.mark.parametrize(
    "entry",
    [
        "- **stride**: How far a window moves.\n",
        "- **stride**: How far a window moves. See [page 5](05-losses.md).\n",
    ],
)
def test_an_entry_without_a_link_or_with_the_wrong_one_is_found(entry):
    assert without_a_page(entry) == ["stride"]


def test_each_letter_in_the_shapes_of_the_docstrings_stands_in_the_table():
    told = set(re.findall(r"[A-Z]+", "\n".join(re.findall(r"^\| ([A-Z, ]+) \|", TEXT, re.MULTILINE))))
    used = set()
    for file in (ROOT / "numpynet" / "functional").glob("*.py"):
        for shapes in re.findall(r"Shapes: (.+?)\n\n", file.read_text(), re.DOTALL):
            used |= set(re.findall(r"\b[A-Z]{1,2}\b", " ".join(re.findall(r"\([^()]*\)", shapes))))
    assert {"N", "OH", "K"} <= used <= told
