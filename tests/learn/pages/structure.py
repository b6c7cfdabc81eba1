"""The form of a page: headings, length, questions, figures, formulas and links. Each function lists what is wrong."""

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

from latex2mathml.converter import convert

from numpynet.gradcheck.cases import CASES
from numpynet.learn.commands import COMMANDS
from numpynet.learn.listing import PAGES, Page
from tests.learn.pages import blocks, included, markdown

HEADINGS = (
    "Predict",
    "The idea",
    "Equation, code, numbers",
    "Figure",
    "What is cached, and why",
    "Prove it",
    "Break it",
    "Build it",
    "Remember",
)
WITHOUT: dict[str, tuple[str, ...]] = {
    "00-start.md": ("Predict", "Equation, code, numbers", "What is cached, and why", "Break it", "Build it"),
    "14-network.md": ("Break it", "Build it"),
    "15-training.md": ("What is cached, and why",),
    "16-how-one-knows.md": ("What is cached, and why",),
    "17-fast.md": ("What is cached, and why", "Break it", "Build it"),
    "glossary.md": HEADINGS,
    "where-next.md": HEADINGS,
}
"""Headings that a page may leave out because they make no sense there."""
WORDS = range(600, 1001)
"""How many words of prose a page has. The glossary and the list of links may have any number."""
COLUMNS, WIDE = 72, 100
"""The widest line of a block that a page's author writes, and that of included source and of what commands print."""
MATHML = "http://www.w3.org/1998/Math/MathML"
TABLES = included.ROOT / "numpynet" / "learn"
"""Where the exercises and the lessons are listed."""
LISTS = ("glossary.md", "where-next.md")


def wrong(page: Page, text: str, learn: Path = markdown.LEARN) -> list[str]:
    """Everything that is wrong with the form of a page."""
    found = [
        *_beginning(page, text),
        *_headings(page, text),
        *_blocks(text),
        *_lists(text),
        *_names(text),
        *links(text, learn),
    ]
    if page.file not in LISTS:
        found += [*_length(text), *_questions(text), *_proof(text), *_numbers(text), *_figure(text, learn)]
    if included.foot(page.file) not in text:
        found.append('the links at the foot are missing: <!--cog foot("FILE") cog-->')
    return found


def _beginning(page: Page, text: str) -> Iterator[str]:
    number = page.file.split("-")[0]
    title = f"{int(number)}. {page.title}" if number.isdigit() else page.title
    if not text.startswith(f"# {title}\n\n**{page.question}**\n"):
        yield f"it must begin with `# {title}`, an empty line and `**{page.question}**`"
    if len(markdown.headings(text, 1)) != 1:
        yield "it must have one heading of level 1"


def _headings(page: Page, text: str) -> Iterator[str]:
    have = markdown.headings(text, 2)
    may_lack = WITHOUT.get(page.file, ())
    wanted = [heading for heading in HEADINGS if heading in have or heading not in may_lack]
    if page.file not in LISTS and [heading for heading in have if heading in HEADINGS] != wanted:
        yield f"its headings must be {wanted}, not {have}"
    if page.file not in LISTS and not may_lack and (extra := set(have) - set(HEADINGS)):
        yield f"these headings are not of the list: {sorted(extra)}"


def _proof(text: str) -> Iterator[str]:
    proof = markdown.sections(text).get("Prove it")
    if proof is not None and not any(fence.language == "console" for fence in markdown.fences(proof)):
        yield "`Prove it` must have a command with what it prints: a console block"


def _length(text: str) -> Iterator[str]:
    if (count := markdown.words(text)) not in WORDS:
        yield f"it has {count} words of prose, not {WORDS.start} to {WORDS.stop - 1}"


def _questions(text: str) -> Iterator[str]:
    predict = markdown.sections(text).get("Predict")
    if predict is None:
        return
    answers = re.findall(r"<details>\s*<summary>.+?</summary>\n\n(.*?)\n</details>", predict, re.DOTALL)
    if len(answers) != 2 or predict.count("<details>") != 2:
        yield "`Predict` must ask two questions, each with its answer in <details>, <summary> and an empty line"
    for number, answer in enumerate(answers, 1):
        if not any(fence.language in blocks.RUN for fence in markdown.fences(answer)):
            yield f"answer {number} of `Predict` must be executed: a python or console block in it"


def _numbers(text: str) -> Iterator[str]:
    """Numbers with a point in the prose, which no block of the page contains: nothing would notice if they changed."""
    blocks_text = "\n".join(fence.body for fence in markdown.fences(text) if fence.language != "math")
    prose = markdown.LINK.sub(lambda match: match["text"], markdown.FIGURE.sub("", markdown.without_fences(text)))
    lines = (line for line in prose.splitlines() if not line.startswith(("|", "#")))
    for number in dict.fromkeys(re.findall(r"(?<![\w.])\d+\.\d+(?![\w.]*\w)", "\n".join(lines))):
        if not re.search(rf"(?<![\d.]){re.escape(number)}", blocks_text):
            yield f"no block of the page holds the number {number}, which stands in the prose"


def _figure(text: str, learn: Path) -> Iterator[str]:
    figures = list(markdown.FIGURE.finditer(text))
    if not any(figure["target"].startswith("figures/") for figure in figures):
        yield "it has no figure: ![what it shows](figures/NAME.svg)"
    for figure in figures:
        if len(figure["alt"].split()) < 5:
            yield f"{figure['target']}: its text must say what the figure shows, in five words or more"
        file = learn / figure["target"]
        if file.suffix == ".svg" and file.is_file() and not ElementTree.parse(file).getroot().tag.endswith("svg"):
            yield f"{figure['target']} is no SVG"


def _blocks(text: str) -> Iterator[str]:
    for fence in markdown.fences(text):
        limit = WIDE if fence.language in ("py", "console") else COLUMNS
        for line in fence.body.splitlines() if fence.language != "math" else ():
            if len(line) > limit:
                yield f"block at line {fence.line}: {len(line)} columns, at most {limit}: {line[:40]}..."
        if fence.language == "math" and (fault := formula_fault(fence.body)):
            yield f"formula at line {fence.line}: {fault}"
    if "$" in re.sub(r"`[^`\n]*`", "", markdown.without_fences(text)):
        yield "a dollar sign in the prose: formulas stand in ```math fences, symbols in `code`"


def _lists(text: str) -> Iterator[str]:
    """Lines of a paragraph that Markdown takes for the first item of a list, since they begin with `1.` or a hyphen."""
    for paragraph in markdown.without_fences(text).split("\n\n"):
        first, *rest = paragraph.strip("\n").splitlines() or [""]
        if re.match(r"\s*([-*+]|\d+[.)])\s", first):
            continue
        for line in rest:
            if re.match(r"\s{0,3}([-*+]|1[.)])\s", line):
                yield f"a list begins within a paragraph: {line[:40]}"


def formula_fault(latex: str) -> str:
    """Why a formula does not compile; empty if it does. latex2mathml lets some mistakes pass that GitHub reports."""
    bare = re.sub(r"\\[{}]", "", latex)
    if bare.count("{") != bare.count("}"):
        return "braces do not match"
    if re.search(r"\\begin{(align|gather|equation|multline)\*?}", latex):
        return "GitHub refuses this environment in a math fence: use split"
    try:
        markup = convert(latex)
    except Exception as error:  # latex2mathml has an exception for each mistake, without a common base
        return type(error).__name__
    if unknown := re.search(r"\\\w+", markup):
        return f"{unknown[0]} is unknown"
    try:
        tree = ElementTree.fromstring(markup)
    except ElementTree.ParseError:
        return "an environment that the site does not know: use split, cases, array or a matrix"
    if any(len(fraction) != 2 for fraction in tree.iter(f"{{{MATHML}}}mfrac")):
        return "a fraction needs two parts"
    return ""


def _names(text: str) -> Iterator[str]:
    """Commands, cases, exercises and lessons that the page names and that there are not."""
    for command, name in re.findall(r"numpynet\.(learn|gradcheck) ([a-z][\w-]*)", text):
        if name not in (COMMANDS if command == "learn" else CASES):
            yield f"there is no `python -m numpynet.{command} {name}`"
    for verbs, names in (("start|check|hint|show|watch", exercises()), ("break", lessons())):
        for name in re.findall(rf"numpynet\.learn (?:{verbs}) (\w+)", text):
            if name not in names:
                yield f"there is no exercise or lesson {name!r}"


def exercises() -> set[str]:
    """The names of the exercises."""
    return {entry["name"] for entry in tomllib.loads((TABLES / "exercises" / "exercises.toml").read_text())["exercise"]}


def lessons() -> set[str]:
    """The numbers of the lessons. Their names would tell the mistakes."""
    return {
        str(entry["lesson"])
        for entry in tomllib.loads((TABLES / "lessons" / "bugs.toml").read_text())["bug"]
        if "lesson" in entry
    }


def links(text: str, learn: Path = markdown.LEARN) -> Iterator[str]:
    """Links that lead nowhere. Pages of the path that are not written yet count as there."""
    pages = {page.file for page in PAGES}
    for target in markdown.links(text):
        if re.match(r"https?://", target):
            continue
        file, _, anchor = target.partition("#")
        path = learn / file if file else None
        if path is not None and not path.exists() and file not in pages:
            yield f"the link to {target} leads to no file"
        elif anchor:
            other = text if path is None else path.read_text() if path.suffix == ".md" and path.exists() else None
            if other is not None and anchor not in markdown.anchors(other):
                yield f"the link to {target} leads to no heading"
