"""`fkp web`: the page, served to a browser."""

from typing import Annotated

import typer

from fkp_app.commands.options import Threads, Weights


def web(
    host: Annotated[
        str, typer.Option(help="The address to answer at; any but the default lets others in, without a password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free one.", min=0, max=65535)] = 7860,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = False,
    weights: Weights = None,
    threads: Threads = None,
) -> None:
    """Serve a page to which one drops photos, or takes them with the browser's camera.

    Only this machine can reach it. Photos and results lie in a folder of their own under the system's temporary one,
    are deleted when a visitor leaves, and at the latest when the command ends (Ctrl-C). Nothing is sent elsewhere.
    """
    from fkp_app.web.folder import private_folder
    from fkp_app.web.server import listen, serve

    with listen(host, port) as listening, private_folder() as folder:
        serve(listening, host, folder, weights, threads, show)
