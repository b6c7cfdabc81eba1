"""`fkp web`: serve the page to a browser."""

from typing import Annotated

import typer

from fkp_app.commands.options import Detector, Threads, Weights


def web(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but the default lets others in, without a password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free one.", min=0, max=65535)] = 7860,
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address of a reverse proxy in front of the page, such as 127.0.0.1: its X-Forwarded-For then tells "
            "visitors apart.",
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = False,
    weights: Weights = None,
    detector: Detector = None,
    threads: Threads = None,
) -> None:
    """Serve a page on which you drop photos, or take them with the browser's camera.

    Only this machine can reach it. Photos and results are kept in a private temporary folder. They are deleted when
    their visitor leaves, and at the latest when the command ends (Ctrl-C). Nothing is sent elsewhere.
    """
    from fkp_app.web.addresses import check_proxy
    from fkp_app.web.folder import private_folder
    from fkp_app.web.server import listen, serve

    check_proxy(proxy)
    with listen(host, port) as listening, private_folder() as folder:
        serve(listening, host, folder, weights, detector, threads, show, proxy)
