"""The route for uploads: each photo goes into a folder of its own, whose name nobody can guess."""

import asyncio
import logging
import shutil
from pathlib import Path
from typing import BinaryIO

from fastapi import FastAPI, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from fkp_app.web.gate import address_of
from fkp_app.web.limits import UPLOAD
from fkp_app.web.visits import FullError, Visits, photo_name

# Errors in a form are told to its sender, not printed on the console.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


def add_uploads(server: FastAPI, visits: Visits) -> None:
    """Add the route that Gradio's page sends files to; it replaces Gradio's own.

    Gradio's route stores equal files of two visitors in one place, accepts a thousand files at once, and fails on some
    malformed forms.
    """

    @server.post(UPLOAD)
    async def upload(request: Request) -> Response:
        try:
            async with request.form(max_files=1, max_fields=4) as form:
                photos = form.getlist("files")
                if len(photos) != 1 or not isinstance(photos[0], UploadFile):
                    return refused("send one file, named files")
                folder = visits.new_folder(address_of(request.scope), photos[0].size or 0)
                path = folder / photo_name(photos[0].filename)
                try:
                    await asyncio.to_thread(copy_to, photos[0].file, path)
                except BaseException:  # also if the visitor has gone: no half-written file stays
                    visits.remove(folder)
                    raise
        except HTTPException as error:
            return refused(f"the form cannot be read ({error.detail})")
        except FullError as error:
            return refused(str(error), 507)
        except OSError as error:
            return refused(f"the photo cannot be kept ({error.strerror or error}); try again later", 507)
        return JSONResponse([str(path)])

    @server.get("/gradio_api/upload_progress")
    async def progress() -> Response:
        # A photo arrives whole or not at all, so the answer is always that it is there.
        return PlainTextResponse('data: {"msg": "done"}\n\n', media_type="text/event-stream")


def copy_to(content: BinaryIO, path: Path) -> None:
    """Copy a file piece by piece, never whole in memory."""
    with path.open("wb") as file:
        shutil.copyfileobj(content, file)


def refused(why: str, status: int = 400) -> Response:
    """A response that says in one line what is wrong with a request."""
    return PlainTextResponse(f"{why}\n", status_code=status)
