"""The outputs of the page: a line, a picture, two files and a table."""

import html
from typing import Any

import gradio as gr

from fkp_app.geometry.keypoint_layout import RANGES
from fkp_app.web.line import Place
from fkp_app.web.photo import Answer
from fkp_app.wording import count_of


def blank(text: str, bad: bool = False) -> list[Any]:
    """The outputs without a result. bad: whether the line is an error."""
    files = [
        gr.update(value=None, interactive=False) for _ in range(2)
    ]  # one update per file: Gradio changes each of them
    return [None, said(text, bad), *files, table_of(None)]


def waiting(place: Place) -> str:
    """What a visitor reads whose photo waits."""
    verb = "is" if place.before == 1 else "are"
    text = f"{count_of(place.before, 'photo')} {verb} before yours"
    if place.seconds is not None:
        text += f": about {count_of(max(1, round(place.seconds)), 'second')}"
    return f"{text}."


def shown(found: Answer) -> list[Any]:
    """The outputs for a result."""
    count = len(found.result.faces)
    text = f"{count_of(count, 'face')} found." if count else "No face found. This is the picture as it is."
    files = [gr.update(value=str(path), interactive=True) for path in (found.picture, found.numbers)]
    return [str(found.preview), said(" ".join([text, *found.notes])), *files, table_of(found)]


def said(text: str, bad: bool = False) -> str:
    """The line below the picture, as HTML."""
    return f'<p class="{"bad" if bad else "good"}">{html.escape(text)}</p>'


def table_of(found: Answer | None) -> str:
    """A table of every keypoint of every face, as HTML."""
    if found is None or not found.result.faces:
        return "<p>None yet.</p>" if found is None else "<p>None.</p>"
    part = {number: name for name, numbers in RANGES.items() for number in numbers}
    rows = [
        f"<tr><td>{i}</td><td>{number}</td><td>{part[number]}</td><td>{x:.1f}</td><td>{y:.1f}</td></tr>"
        for i, face in enumerate(found.result.faces)
        for number, (x, y) in enumerate(face.keypoints.tolist())
    ]
    titles = "".join(f'<th scope="col">{title}</th>' for title in ("Face", "Point", "Part", "x", "y"))
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Keypoints in pixels of the picture">'
        f"<table><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
