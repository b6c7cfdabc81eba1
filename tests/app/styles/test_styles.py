"""Styles: the shipped ones, the user's own, and faulty files."""

import re
import tomllib

import numpy as np
import pytest
from PIL import Image

from fkp_app.errors import FkpError, UsageError
from fkp_app.faces.keypoints import Face
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from fkp_app.styles.drawn_face import face_keypoints
from fkp_app.styles.library import DIRECTORY, load_style, names
from fkp_app.styles.placing import place, yaw
from fkp_app.styles.sheet import sheet
from fkp_app.styles.wear import wear

GOOD = """
description = "A patch"
picture = "patch.png"
anchors = [
    { keypoints = [36, 37, 38, 39, 40, 41], at = [5, 10] },
    { keypoints = [45], at = [35.5, 10] },
]
"""
FOUR = """
description = "A mask"
picture = "patch.png"
warp = "perspective"
anchors = [
    { keypoints = [36], at = [0, 0] },
    { keypoints = [45], at = [39, 0] },
    { keypoints = [54], at = [39, 19] },
    { keypoints = [48], at = [0, 19] },
]
"""


def patch(size=(40, 20), colour=(200, 30, 40, 255)):
    return Image.new("RGBA", size, colour)


@pytest.fixture
def folder(tmp_path):
    """A folder with a style of the user's own."""
    patch().save(tmp_path / "patch.png")
    (tmp_path / "patch.toml").write_text(GOOD)
    return tmp_path


def refused(path):
    """The message, one line, of the FkpError that this style raises."""
    with pytest.raises(FkpError) as caught:
        load_style(path)
    assert not isinstance(caught.value, UsageError)
    message = str(caught.value)
    assert "\n" not in message
    return message


# The shipped styles.


def test_the_styles_and_the_first_among_them():
    assert names()[0] == "sunglasses"
    assert set(names()) >= {"aviator", "round", "hearts", "reading", "moustache"}
    assert len(set(names())) == len(names())


@pytest.mark.parametrize("name", names())
def test_every_style_loads_and_its_pictures_are_small_smooth_and_partly_clear(name):
    style = load_style(name)
    assert style.name == name
    assert style.description
    table = tomllib.loads((DIRECTORY / f"{name}.toml").read_text("utf-8"))
    for key in {"picture", "tint"} & set(table):
        assert (DIRECTORY / table[key]).stat().st_size < 60_000
    with Image.open(DIRECTORY / table["picture"]) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGBA"
        assert picture.size == style.size
        alpha = np.asarray(picture)[:, :, 3]
    assert (alpha == 0).mean() > 0.15
    assert ((alpha > 20) & (alpha < 235)).any()
    assert max(style.size) >= 600 or name in ("moustache", "clown-nose")
    for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
        assert not edge.any()  # nothing is cut off


@pytest.mark.parametrize("name", names())
def test_every_styles_anchors_fit_an_ordinary_face_and_are_symmetric(name):
    """The anchors lie on the keypoints of an ordinary face, to a fiftieth of the distance between the eyes."""
    style, face = load_style(name), face_keypoints()
    matrix = place(face, style.anchors, style.perspective, style.size)
    points = np.array([[*anchor.at, 1] for anchor in style.anchors]) @ matrix.T
    known = np.array([face[list(anchor.keypoints)].mean(axis=0) for anchor in style.anchors])
    assert np.abs(points[:, :2] / points[:, 2:] - known).max() < 0.02
    middle = (style.size[0] - 1) / 2
    at = {frozenset(anchor.keypoints): anchor.at for anchor in style.anchors}
    for keypoints, (x, y) in at.items():
        other = at[frozenset(int(FLIP_ORDER[i]) for i in keypoints)]
        assert np.allclose(other, (2 * middle - x, y), atol=0.5)


def test_a_built_in_style_is_read_once():
    assert load_style("round") is load_style("round")


def test_the_drawn_face_is_symmetric_and_looks_at_us():
    face = face_keypoints()
    np.testing.assert_allclose(face[FLIP_ORDER] * [-1, 1], face, atol=1e-9)
    np.testing.assert_allclose(face[42:48].mean(axis=0) - face[36:42].mean(axis=0), [1, 0], atol=1e-9)
    assert abs(yaw(face)) < 1e-9


def test_the_sheet_shows_every_style_on_a_face_of_its_own():
    picture = sheet()
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    from fkp_app.styles.sheet import COLUMNS, GAP, TILE, draw_sheet

    rows = -(-len(names()) // COLUMNS)
    assert picture.shape[0] > rows * TILE[1]
    alone = draw_sheet([load_style("clown-nose")])
    assert alone.shape[1] < TILE[0] + 3 * GAP
    red = (alone[:, :, 0] > 180) & (alone[:, :, 1:].max(axis=2) < 60)
    xs = np.nonzero(red)[1]
    assert red.sum() > 200
    assert abs(xs.mean() - (GAP + TILE[0] / 2)) < 8
    assert (alone != draw_sheet([load_style("moustache")])).any()


# The user's own styles.


def test_a_style_of_ones_own(folder):
    style = load_style(folder / "patch.toml")
    assert (style.name, style.description, style.size, style.perspective) == ("patch", "A patch", (40, 20), False)
    assert load_style(str(folder / "patch.toml")).anchors == style.anchors
    points = np.zeros((68, 2), np.float32) + 50
    points[36:42], points[45] = (20, 30), (81, 30)  # the face is twice as large
    points[[27, 30, 31, 33, 35, 39, 42, 48, 54]] = [
        (50, 30),
        (50, 45),
        (45, 50),
        (50, 52),
        (55, 50),
        *[(20, 30)] * 2,
        (40, 65),
        (60, 65),
    ]
    worn = wear(np.zeros((90, 120, 3), np.uint8), [Face((0, 0, 9, 9), None, points)], style)
    assert (worn[30, 40] == (200, 30, 40)).all()
    assert (worn[30, 5] == 0).all()


def test_a_name_beside_the_file_does_not_stand_for_it(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "sunglasses.toml").write_text(GOOD)
    assert load_style("sunglasses").description != "A patch"
    assert load_style("./sunglasses.toml").description == "A patch"


def test_all_keys(folder):
    Image.new("RGB", (40, 20), (255, 128, 0)).save(folder / "glass.png")
    text = FOUR.replace("warp", 'tint = "glass.png"\nfades = [10, 20]\nwarp')
    (folder / "all.toml").write_text(text + "[shadow]\noffset = [0.1, 0.2]\nblur = 0.01\nstrength = 1\n")
    style = load_style(folder / "all.toml")
    assert (style.perspective, style.fades) == (True, (10.0, 20.0))
    assert style.layers[0].light.shape[0] > 20  # room for the shadow


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_every_kind_of_transparency(mode, folder):
    picture = patch()
    picture.paste((0, 0, 0, 0), (0, 0, 20, 20))
    kinds = {"RGBA": picture, "LA": picture.convert("LA"), "P": picture.quantize(8)}
    kinds[mode].save(folder / "patch.png")
    with Image.open(folder / "patch.png") as stored:
        assert stored.mode == mode
    cover = load_style(folder / "patch.toml").layers[0].cover
    assert (cover[:, :20] == 0).all()
    assert (cover[:, 20:] == 1).all()


# Faulty files.


@pytest.mark.parametrize("name", ["", "nonsense", "Sunglasses", "patch.png", "sunglasses\0"])
def test_an_unknown_name_is_a_usage_error(name):
    with pytest.raises(UsageError, match=r"--style must be one of sunglasses, .*\.toml"):
        load_style(name)


def test_a_missing_file(tmp_path):
    remedy = "mend it, or name another file"
    assert refused(tmp_path / "a.toml") == f"{tmp_path}/a.toml: no such file; {remedy}"
    (tmp_path / "b.toml").mkdir()
    assert refused(tmp_path / "b.toml") == f"{tmp_path}/b.toml: is a directory, not a file; {remedy}"
    (tmp_path / "c.toml").write_bytes(b"")
    assert refused(tmp_path / "c.toml") == f"{tmp_path}/c.toml: description is missing; expected a text"
    (tmp_path / "d.toml").write_bytes(b"#" * 70_000)
    reason = "cannot be read as TOML (it has more than 65536 bytes)"
    assert refused(tmp_path / "d.toml") == f"{tmp_path}/d.toml: {reason}; {remedy}"


WHOLE = "must be a whole number in 0 .. 67"
SLIPS = {
    "description = 1": "description must be a text, got 1",
    'picture = ["a"]': "picture must be a text, got ['a']",
    'warp = "affine"': "warp must be similarity or perspective, got 'affine'",
    "fades = [60, 40]": "fades must be [low, high] in 0 .. 90, got [60, 40]",
    "fades = [60, 100]": "fades must be [low, high] in 0 .. 90, got [60, 100]",
    "colour = 3": "colour is not a known key; expected description, picture, anchors, warp, tint, shadow, fades",
    "anchors = 3": "anchors must be a list, got 3",
    "anchors = [3]": "anchors[0] must be a table, got 3",
    "anchors = []": "warp similarity needs at least 2 anchors, got 0; add some",
    "anchors = [{ keypoints = [8], at = [1, 2] }]": "warp similarity needs at least 2 anchors, got 1; add some",
    "anchors = [{ keypoints = [8] }]": "anchors[0].at is missing; expected a table",
    "anchors = [{ keypoints = [68], at = [1, 2] }]": f"anchors[0].keypoints[0] {WHOLE}, got 68",
    "anchors = [{ keypoints = [1, -1], at = [1, 2] }]": f"anchors[0].keypoints[1] {WHOLE}, got -1",
    "anchors = [{ keypoints = [1.5], at = [1, 2] }]": f"anchors[0].keypoints[0] {WHOLE}, got 1.5",
    "anchors = [{ keypoints = 7, at = [1, 2] }]": "anchors[0].keypoints must be a list, got 7",
    "anchors = [{ keypoints = [], at = [1, 2] }]": "anchors[0].keypoints is empty; name one or more of 0 .. 67",
    "anchors = [{ keypoints = [1], at = [1] }]": "anchors[0].at must be [x, y], got [1.0]",
    "anchors = [{ keypoints = [1], at = [1, inf] }]": "anchors[0].at[1] must be a number in -100000 .. 100000, got inf",
    "anchors = [{ keypoints = [1], at = [1, 1e9] }]": (
        "anchors[0].at[1] must be a number in -100000 .. 100000, got 1000000000.0"
    ),
    "anchors = [{ keypoints = [1], at = [1, 2] }, { keypoints = [5], at = [1, 2] }]": (
        "anchors[0] and anchors[1] coincide; give each its own keypoints and place"
    ),
    "anchors = [{ keypoints = [1, 2], at = [1, 2] }, { keypoints = [2, 1], at = [5, 2] }]": (
        "anchors[0] and anchors[1] coincide; give each its own keypoints and place"
    ),
    "[shadow]\noffset = [0.5]": "shadow.offset must be [to the right, downwards], got [0.5]",
    "[shadow]\noffset = [0, 3]": "shadow.offset[1] must be a number in -0.5 .. 0.5, got 3",
    "[shadow]\nstrength = 2": "shadow.strength must be a number in 0 .. 1, got 2",
    "[shadow]\ndepth = 2": "shadow.depth is not a known key; expected offset, blur, strength",
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_mistake_is_named(slip, folder):
    path = folder / "patch.toml"
    key = re.split(r"[ \]]", slip)[0]
    kept = tomllib.loads(GOOD)
    text = "".join(f"{name} = {_toml(value)}\n" for name, value in kept.items() if name != key)
    path.write_text(text + slip + "\n")
    assert refused(path) == f"{path}: {SLIPS[slip]}"


def _toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description = ", "cannot be read as TOML (Invalid value"),
        ("a = [" * 3000, "cannot be read as TOML ("),
        ("picture = 'patch.png'\n", "description is missing; expected a text"),
        (GOOD.split("anchors")[0], "anchors is missing"),
    ],
)
def test_a_file_that_is_no_style(text, message, folder):
    path = folder / "patch.toml"
    path.write_text(text)
    assert refused(path).startswith(f"{path}: {message}")


def test_a_file_that_is_no_text(folder):
    path = folder / "patch.toml"
    path.write_bytes(b"\xff\xfe\x00a")
    assert refused(path).startswith(f"{path}: cannot be read as TOML ('utf-8' codec can't decode byte 0xff")
    assert refused(path).endswith("; mend it, or name another file")


def test_a_file_that_begins_with_a_byte_order_mark(folder):
    """Some editors of Windows write one."""
    (folder / "patch.toml").write_text(GOOD, encoding="utf-8-sig")
    assert load_style(folder / "patch.toml").description == "A patch"


def test_a_perspective_needs_four_anchors_that_span_a_plane(folder):
    path = folder / "patch.toml"
    path.write_text(GOOD + 'warp = "perspective"\n')
    assert "warp perspective needs at least 4 anchors, got 2" in refused(path)
    path.write_text(FOUR.replace("[39, 19]", "[19.5, 0]"))  # three on a line, and one beside it
    assert "no three of which lie on a line" in refused(path)
    path.write_text(FOUR.replace("[39, 19]", "[20, 0]").replace("[0, 19]", "[10, 0]"))  # all on a line
    assert "no three of which lie on a line" in refused(path)
    path.write_text(FOUR)
    assert load_style(path).perspective


def test_keypoints_with_one_mean_are_no_anchors(folder):
    """[36] and [36, 36] are different lists of keypoints with the same mean."""
    path = folder / "patch.toml"
    path.write_text(GOOD.replace("36, 37, 38, 39, 40, 41", "36").replace("[45]", "[36, 36]"))
    assert "anchors[0] and anchors[1] coincide" in refused(path)


@pytest.mark.parametrize("name", ["../a.png", "/home/me/a.png", "pictures/a.png", "..\\\\a.png", "."])
@pytest.mark.parametrize("key", ["picture", "tint"])
def test_pictures_of_other_folders_are_not_read(key, name, folder):
    """A style from somebody else must not put a picture of the reader's into the result."""
    lines = [line for line in GOOD.splitlines() if not line.startswith(key)]
    (folder / "patch.toml").write_text("\n".join([f'{key} = "{name}"', *lines]))
    assert f": {key} must be the name of a file in the same folder, got " in refused(folder / "patch.toml")


def test_a_shadow_wider_than_the_picture(folder):
    path = folder / "patch.toml"
    close = GOOD.replace("[35.5, 10]", "[5.01, 10]").replace("[45]", "[39]")  # an eye's width is 0.01 pixels
    path.write_text(close + "[shadow]\noffset = [0.5, 0.5]\n")
    assert load_style(path).size == (40, 20)
    path.write_text(GOOD.replace("[35.5, 10]", "[9000, 10]") + "[shadow]\noffset = [0.5, 0.5]\n")
    assert refused(path) == f"{path}: the shadow falls farther than the picture is large; lessen its offset or blur"


def test_files_that_are_no_usable_pictures(folder):
    path, picture = folder / "patch.toml", folder / "patch.png"
    patch().convert("RGB").save(picture)
    assert refused(path) == f"{picture}: has no transparency; save it as a PNG with an alpha channel"
    patch(colour=(255, 0, 0, 0)).save(picture)
    assert refused(path) == f"{picture}: is wholly transparent; draw something on it"
    patch((2049, 1)).save(picture)
    assert refused(path) == f"{picture}: is too large, 2049 x 1 pixels; make it 2048 at most on each side"
    picture.write_bytes(b"")
    assert refused(path) == f"{picture}: is empty"
    picture.write_text("<html>")
    assert refused(path).startswith(f"{picture}: is not an image that can be read")
    picture.unlink()
    assert refused(path) == f"{picture}: no such file"
    picture.mkdir()
    assert refused(path) == f"{picture}: is no file; name one"


def test_a_picture_that_ends_early(folder):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (20, 40, 4), np.uint8)).save(folder / "patch.png")
    whole = (folder / "patch.png").read_bytes()
    for length in range(1, len(whole) - 12, 97):  # the last twelve bytes only mark the end
        (folder / "patch.png").write_bytes(whole[:length])
        assert refused(folder / "patch.toml").startswith(f"{folder}/patch.png: is ")


def test_a_picture_of_no_size(folder):
    whole = (folder / "patch.png").read_bytes()
    (folder / "patch.png").write_bytes(whole[:16] + bytes(8) + whole[24:])
    assert refused(folder / "patch.toml").startswith(f"{folder}/patch.png: ")


def test_a_picture_of_ten_billion_pixels(folder):
    import struct
    import zlib

    whole = (folder / "patch.png").read_bytes()
    header = struct.pack(">II", 100_000, 100_000) + whole[24:29]
    crc = struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (folder / "patch.png").write_bytes(whole[:16] + header + crc + whole[33:])
    assert "is too large" in refused(folder / "patch.toml")


def test_a_tint_of_another_size(folder):
    path = folder / "patch.toml"
    path.write_text(GOOD + 'tint = "tint.png"\n')
    assert refused(path) == f"{folder}/tint.png: no such file"
    Image.new("RGB", (40, 21)).save(folder / "tint.png")
    assert refused(path) == f"{folder}/tint.png: must be as large as the style's picture, 40 x 20, got 40 x 21"
    Image.new("RGBA", (40, 20), (0, 0, 0, 0)).save(folder / "tint.png")  # transparent becomes white: no tint
    patch(colour=(9, 9, 9, 51)).save(folder / "patch.png")
    np.testing.assert_allclose(load_style(path).layers[0].cover, 0.2, atol=1e-6)
