"""`fkp doctor`: what there is on this machine, and what is missing."""

from typing import Annotated

import typer

COLOURS = {"ok": "green", "missing": "yellow", "broken": "red"}


def doctor(
    camera: Annotated[bool, typer.Option("--camera/--no-camera", help="Try camera:0, which lights its lamp.")] = True,
) -> None:
    """Look at what `fkp` needs: versions, cascades, weights, BLAS, threads, extras, window, camera.

    The exit code is 1 where something is broken; what is merely missing says how to get it.
    """
    from fkp_app.doctor import examine

    broken = 0
    for finding in examine(camera):
        state = typer.style(f"{finding.state:<8}", fg=COLOURS[finding.state])  # plain where it is no terminal
        typer.echo(f"{finding.name:<14} {state} {finding.text}")
        broken += finding.state == "broken"
    if broken:
        raise typer.Exit(1)
