"""`fkp evaluate --photos`: measure what is found in labelled photos of one's own."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fkp_app.pipeline.outputs import make_folder
from fkp_app.pipeline.results import write_result
from fkp_app.wording import count_of

if TYPE_CHECKING:
    from fkp_app.evaluation.protocols import Progress
    from fkp_app.faces.finder import FaceFinder


def evaluate_photos(
    photos: Path,
    labels: Path,
    finders: "Mapping[str, FaceFinder]",
    json_file: Path | None,
    out: Path | None,
    quiet: bool,
    progress: "Progress",
) -> None:
    """Print, and write where asked, the faces found in a folder of photos by each model, and the false ones."""
    from fkp_app.data.labelled_photos import read_labelled_photos
    from fkp_app.evaluation.photos import photo_figures, photo_table, run_photos

    labelled = read_labelled_photos(photos, labels)
    if out is not None:
        make_folder(out)
    figures = {name: photo_figures(run_photos(labelled, find, name, progress)) for name, find in finders.items()}
    text = f"{photos}: {count_of(len(labelled), 'photo')}, labelled in {labels}\n\n{photo_table(figures)}"
    if str(json_file) != "-" and not quiet:
        sys.stdout.write(text)
    report = json.dumps({"photos": str(photos), "faces": str(labels), "models": figures}, indent=1, ensure_ascii=False)
    if json_file is not None:
        write_result(json_file, report + "\n")
    if out is not None:
        write_result(out / "results.json", report + "\n")
        write_result(out / "table.md", text)
