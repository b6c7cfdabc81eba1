"""The page of `fkp web`, made with Gradio: it takes a photo and shows its faces, keypoints and styles."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI

from fkp_app.errors import FkpError
from fkp_app.styles.library import names
from fkp_app.web.gate import Gate
from fkp_app.web.limits import MAX_UPLOAD, ValueKind
from fkp_app.web.line import Place
from fkp_app.web.photo import NO_STYLE, OVERLAYS, Choices, SharedFinder, answer
from fkp_app.web.reader import PhotoReader
from fkp_app.web.result_view import blank, said, shown, table_of, waiting
from fkp_app.web.uploads import add_uploads
from fkp_app.web.visits import Visits, photo_name

SWEEP_SECONDS = 10.0
"""Seconds between two deletions of old files."""
AT_ONCE = 24
"""Visitors' photos that are under way at once. Most of them wait in one of the lines of `photo.SharedFinder`, and see
their place in it. Large photos have a line of their own, so they leave room for others."""
MOST_SESSIONS = 200
"""Visitors of whom Gradio remembers what their page shows, such as a table of keypoints of a megabyte. The page needs
none of it: whoever is forgotten notices nothing."""
VALUES: tuple[ValueKind, ...] = ("file", "word", "word", "words", "word")
"""Values that the page sends after every choice: photo, backend, style, overlays, quality."""
OVERLAY_LABELS = {"points": "points", "numbers": "numbers", "boxes": "box and confidence"}
PROGRESS = gr.Progress()
HEADER = "<header><h1>68 points on every face</h1><p>Photos stay on the machine that serves this page.</p></header>"
START = "Drop a photo, or take one with the camera."
CSS = (Path(__file__).parent / "page.css").read_text("utf-8")
# A screen reader reads the line below the picture aloud whenever it changes.
SCRIPT = "() => document.getElementById('status').setAttribute('aria-live', 'polite')"


def application(
    finder: SharedFinder, reader: PhotoReader, folder: Path, hosts: frozenset[str] | None, proxy: str | None = None
) -> Gate:
    """The whole page as an ASGI application.

    folder: for visitors' files, the one that GRADIO_TEMP_DIR names. hosts: host names under which the page answers;
    None for any. proxy: as in `visitor_of`.
    """
    visits = Visits(folder)
    page = build(finder, reader, visits)
    page.state_session_capacity = MOST_SESSIONS
    server = FastAPI(lifespan=lambda _: sweeping(visits), docs_url=None, redoc_url=None, openapi_url=None)
    add_uploads(server, visits)
    gr.mount_gradio_app(
        server,
        page,
        path="/",
        max_file_size=MAX_UPLOAD,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=gr.themes.Default(
            primary_hue="teal", neutral_hue="slate", font=["system-ui", "sans-serif"], font_mono=["monospace"]
        ),
        css=CSS,
        js=SCRIPT,
    )
    page.has_launched = True  # otherwise Gradio does not check the folders of the files it is asked to use
    events = {number: VALUES for number, event in page.fns.items() if event.name == "look"}
    return Gate(server, hosts, events, visits, proxy)


def build(finder: SharedFinder, reader: PhotoReader, visits: Visits) -> gr.Blocks:
    """The page itself. It answers each choice at once."""

    # Without preprocessing: our own reader reads the photo, and values that the page never sends get one line.
    # The last default makes Gradio pass what shows a photo's place in the line while it waits.
    def look(
        photo: Any,
        backend: Any,
        style: Any,
        overlays: Any,
        quality: Any,
        request: gr.Request,
        progress: gr.Progress = PROGRESS,
    ) -> list[Any]:
        visitor, address = request.session_hash or "", request.client.host if request.client else ""
        if photo is None:
            visits.keep(visitor)
            return blank(START)
        path, name = Path(photo["path"]), photo_name(photo.get("orig_name"))
        if not visits.claim(path.parent, visitor) or not path.is_file():
            return blank(f"{name}: is no longer here; choose it again", bad=True)
        kept = [path.parent]
        try:
            with visits.job(visitor, address):
                results = visits.new_folder(address, visitor=visitor)
                try:
                    choices = choices_of(backend, style, overlays, quality, finder)
                    for step in answer(path, name, choices, finder, reader, results):
                        if not isinstance(step, Place):
                            found = step
                        elif path.is_file():
                            progress(0, desc=waiting(step))
                        else:
                            raise FkpError(f"{name}: its visitor has left the line")
                    visits.grown(results)
                    kept.append(results)
                finally:
                    visits.keep(visitor, *kept)
        except FkpError as error:
            return blank(" ".join(str(error).split()), bad=True)
        return shown(found)

    with gr.Blocks(title="fkp: 68 points on every face", analytics_enabled=False) as page:
        gr.HTML(HEADER)
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=280):
                photo = gr.Image(
                    type="filepath",
                    sources=["upload", "webcam", "clipboard"],
                    label="Photo",
                    height=320,
                    placeholder="Drop a photo here,\nor click to choose one",
                    buttons=[],
                    webcam_options=gr.WebcamOptions(mirror=False),
                    elem_id="photo",
                )
                style = gr.Dropdown([NO_STYLE, *names()], value=NO_STYLE, label="Wear", elem_id="style")
                shown_as = [(OVERLAY_LABELS[name], name) for name in OVERLAYS]
                overlays = gr.CheckboxGroup(shown_as, value=["points"], label="Show", elem_id="overlays")
                backend = gr.Radio(list(finder.backends), value=finder.backends[0], label="Backend", elem_id="backend")
                quality = gr.Radio(
                    list(finder.qualities),
                    value=finder.qualities[0],
                    label="Quality",
                    info="best: the mean of several networks",
                    visible=len(finder.qualities) > 1,
                    elem_id="quality",
                )
            with gr.Column(scale=3, min_width=280):
                status = gr.HTML(said(START), elem_id="status")
                picture = gr.Image(label="Result", interactive=False, buttons=["fullscreen"], elem_id="result")
                with gr.Row():
                    small: dict[str, Any] = {"size": "md", "min_width": 120, "interactive": False}
                    png = gr.DownloadButton("Download picture", elem_id="png", **small)
                    numbers = gr.DownloadButton("Download JSON", elem_id="json", **small)
                with gr.Accordion("Keypoints", open=False, elem_id="keypoints"):
                    table = gr.HTML(table_of(None))
        gr.on(
            [photo.change, backend.input, style.select, overlays.input, quality.input],
            look,
            inputs=[photo, backend, style, overlays, quality],
            outputs=[picture, status, png, numbers, table],
            preprocess=False,
            show_progress_on=picture,
            show_progress="full",
            trigger_mode="always_last",
            concurrency_limit=AT_ONCE,
            api_visibility="private",
        )
    return page.queue(max_size=32, api_open=False)


@asynccontextmanager
async def sweeping(visits: Visits) -> AsyncIterator[None]:
    """While the server runs, delete files that are too old or whose visitor has left."""

    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            await asyncio.to_thread(visits.sweep)

    task = asyncio.create_task(sweep())
    try:
        yield
    finally:
        task.cancel()


def choices_of(backend: object, style: object, overlays: object, quality: object, finder: SharedFinder) -> Choices:
    """The visitor's choices. FkpError for a value that the page does not offer."""
    if backend not in finder.backends or style not in (NO_STYLE, *names()) or quality not in finder.qualities:
        raise FkpError("this page has no such backend, style or quality; load it again")
    if not isinstance(overlays, list) or not set(overlays) <= set(OVERLAYS):
        raise FkpError("this page has no such overlay; load it again")
    return Choices(str(backend), str(style), overlays, str(quality))
