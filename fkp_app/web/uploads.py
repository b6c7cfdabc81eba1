"""The route that takes photos in: each into a folder of its own, under a name that nobody can guess."""

import logging

from fastapi import FastAPI, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from fkp_app.web.limits import UPLOAD
from fkp_app.web.visits import Visits, photo_name

# What is wrong with a form is said to its sender, not on the console.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())


def add_uploads(server: FastAPI, visits: Visits) -> None:
    """Give a server the route that Gradio's page sends files to, instead of Gradio's own.

    That one puts equal files of two visitors in one place, accepts a thousand at once, and does not bear all that can
    be wrong with a form.
    """

    @server.post(UPLOAD)
    async def upload(request: Request) -> Response:
        try:
            async with request.form(max_files=1, max_fields=4) as form:
                photos = form.getlist("files")
                if len(photos) != 1 or not isinstance(photos[0], UploadFile):
                    return refused("send one file, named files")
                content = await photos[0].read()
                name = photo_name(photos[0].filename)
        except HTTPException as error:
            return refused(f"the form cannot be read ({error.detail})")
        folder = visits.new_folder()
        folder.mkdir(mode=0o700)
        path = folder / name
        path.write_bytes(content)
        return JSONResponse([str(path)])

    @server.get("/gradio_api/upload_progress")
    async def progress() -> Response:
        # Photos come in whole or not at all; the page is told that they are there.
        return PlainTextResponse('data: {"msg": "done"}\n\n', media_type="text/event-stream")


def refused(why: str) -> Response:
    """What is wrong with a request, in one line."""
    return PlainTextResponse(f"{why}\n", status_code=400)
