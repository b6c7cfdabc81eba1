"""Remarks on a run's files: each is printed once, with a count."""

import numpy as np
from PIL import Image

from fkp_app.pipeline.remarks import Remarks


def test_a_remark_on_several_files_is_printed_once():
    remarks = Remarks()
    for name, frames in (("a 1.gif", 3), ("b: 2.gif", 12), ("c.gif", 2.5)):
        remarks.add(f"{name}: has {frames} frames, of which the first is used", [name])
    remarks.add("d.gif: is odd", ["x", "d.gif"])
    remarks.add("about nobody", ["x"])
    assert remarks.lines() == [
        "a 1.gif: has 3 frames, of which the first is used; likewise 2 other files",
        "d.gif: is odd",
        "about nobody",
    ]


def test_a_folder_of_animations_is_one_line(tmp_path, fkp):
    frames = [Image.fromarray(np.full((40, 50, 3), level, np.uint8)) for level in (10, 90, 200)]
    folder = tmp_path / "p"
    folder.mkdir()
    for name, count in (("a", 2), ("b", 3), ("c", 1)):
        frames[0].save(folder / f"{name}.gif", save_all=True, append_images=frames[1:count])
    said = f"fkp: {folder}/a.gif: is an animation of 2 frames, of which the first is used; likewise 1 other file\n"
    for workers in (1, 2):
        ended = fkp("detect", folder, "--workers", workers)
        assert (ended.code, ended.err) == (0, said)
    assert fkp("detect", folder, "--quiet") == (0, "", "")
