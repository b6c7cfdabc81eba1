"""The sources that a command's arguments stand for, and what is left out."""

import os
import shutil
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fkp_app.errors import UsageError
from fkp_app.media.content import content_kind
from fkp_app.media.images import write_image
from fkp_app.media.sources import Source
from fkp_app.media.sources import expand as expand_all
from fkp_app.pipeline.outputs import crop_paths, target_paths


@pytest.fixture
def tree(tmp_path):
    """A folder of images and videos, with folders in it."""
    for name in (
        *("b.jpg", "a.PNG", "c.tiff", "clip.MP4", "notes.txt", ".hidden.png", "._b.jpg", "jpg"),
        *("deep/d.png", "deep/deeper/e.webp", ".git/f.png", "out/a.PNG.png"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def expand(*arguments, **options):
    """The sources and problems that the arguments yield."""
    expanded = expand_all(*arguments, **options)
    return expanded.sources, expanded.problems


def notes(*arguments, **options):
    """The notes about left-out and guessed sources, without `left out: `."""
    return [note.removeprefix("left out: ") for note in expand_all(list(map(str, arguments)), **options).notes]


def inside(sources):
    return [str(source.inside) for source in sources]


def test_a_folder_gives_its_images_and_videos_by_name(tree):
    sources, problems = expand([str(tree)])
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4"]
    assert [source.kind for source in sources] == ["image", "image", "image", "video"]
    assert [source.path for source in sources] == [tree / name for name in inside(sources)]
    assert problems == []


def test_folders_in_folders_only_when_asked_and_never_the_results(tree):
    sources, _ = expand([str(tree)], recursive=True)
    deep = ["deep/d.png", "deep/deeper/e.webp"]
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4", *deep, "out/a.PNG.png"]
    sources, _ = expand([str(tree)], recursive=True, leave_out=[tree / "out"])
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4", *deep]


def test_a_folder_that_holds_both_sources_and_results(tree):
    assert inside(expand([str(tree)], leave_out=[tree])[0]) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4"]


def test_links_that_lead_in_circles(tree):
    (tree / "deep" / "up").symlink_to(tree)
    sources, problems = expand([str(tree / "deep")], recursive=True)
    assert inside(sources) == ["d.png", "deeper/e.webp"]
    assert not problems


def test_patterns(tree, monkeypatch):
    monkeypatch.chdir(tree)
    assert inside(expand(["*.[jP]*"])[0]) == ["a.PNG", "b.jpg"]
    sources, problems = expand(["**/*"], recursive=False)
    assert inside(sources) == ["a.PNG", "b.jpg", "c.tiff", "clip.MP4", "d.png", "e.webp", "a.PNG.png"]
    assert not problems
    sources, problems = expand(["*.bmp", "b.jpg"])
    assert inside(sources) == ["b.jpg"]
    assert problems == ["*.bmp: no image or video matches this pattern"]


def test_a_file_whose_name_looks_like_a_pattern(tree):
    (tree / "photo[1].jpg").write_bytes(b"x")
    sources, problems = expand([str(tree / "photo[1].jpg")])
    assert inside(sources) == ["photo[1].jpg"]
    assert not problems


def test_a_file_is_taken_whatever_its_name(tree):
    """A file that is no image is reported when it is read."""
    sources, problems = expand([str(tree / "notes.txt"), str(tree / "missing.mov")])
    assert [(source.kind, source.path.name) for source in sources] == [("image", "notes.txt"), ("video", "missing.mov")]
    assert not problems


def test_cameras():
    (source,), problems = expand(["camera:12"])
    assert (source.kind, source.camera, source.name) == ("camera", 12, "camera:12")
    assert not problems
    for wrong in ("camera:", "camera:-1", "camera:front", "camera:²"):
        with pytest.raises(UsageError, match=f"^{wrong}: name a camera by its number, as in camera:0$"):
            expand([wrong])


def test_an_empty_folder_is_a_problem_beside_the_rest(tree):
    (tree / "empty").mkdir()
    sources, problems = expand([str(tree / "empty"), str(tree / "b.jpg")])
    assert inside(sources) == ["b.jpg"]
    (problem,) = problems
    assert problem == f"{tree}/empty: holds no images or videos; --recursive looks into the folders in it"
    (problem,) = expand([str(tree / "empty")], recursive=True)[1]
    assert problem == f"{tree}/empty: holds no images or videos"


def test_a_folder_that_cannot_be_read_does_not_hide_the_others(tree, monkeypatch):
    walk = os.walk

    def locked(folder, onerror):
        for place, folders, names in walk(folder):
            if place.endswith("deep"):
                onerror(PermissionError(13, "Permission denied", place))
                folders.clear()
            else:
                yield place, folders, names

    monkeypatch.setattr("fkp_app.media.folders.os.walk", locked)
    sources, problems = expand([str(tree)], recursive=True)
    assert "a.PNG" in inside(sources)
    assert problems == [f"{tree}/deep: cannot be read (Permission denied)"]


def source(path, inside=None):
    kind = "video" if path.endswith(".mp4") else "image"
    return Source(kind, Path(path), Path(inside or Path(path).name))


def test_results_lie_in_folders_like_the_sources():
    sources = [source("in/a.jpg"), source("in/deep/a.jpg", "deep/a.jpg"), source("in/b.mp4")]
    assert target_paths(Path("out"), sources) == [
        Path("out/a.jpg.png"),
        Path("out/deep/a.jpg.png"),
        Path("out/b.mp4.mp4"),
    ]


def test_no_result_replaces_a_source_or_another_result():
    sources = [source("x/a.jpg"), source("out/a.jpg.png"), source("y/a.jpg"), source("y/A.JPG")]
    expected = ["out/a.jpg.2.png", "out/a.jpg.png.png", "out/a.jpg.3.png", "out/A.JPG.4.png"]
    assert [str(path) for path in target_paths(Path("out"), sources)] == expected


def test_no_cut_out_face_replaces_a_source_or_another_result():
    sources = [source("d/a.jpg"), source("d/a.jpg.1.png"), source("e/a.jpg"), source("d/b.jpg")]
    others = [Path("d/b.jpg.7.png"), None]
    expected = ["d/a.jpg.2.png", "d/a.jpg.1.png.png", "d/a.jpg.3.png", "d/b.jpg.2.png"]
    assert [str(path) for path in crop_paths(Path("d"), sources, others)] == expected


def test_cut_out_faces_keep_their_names_beside_pictures():
    sources = [source("d/a.jpg")]
    pictures = target_paths(Path("out"), sources)
    assert crop_paths(Path("out"), sources, pictures) == pictures == [Path("out/a.jpg.png")]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_an_archive_of_photos_is_no_video(kind, tmp_path, fkp):
    """FFmpeg finds photos in an archive that does not compress them."""
    write_image(tmp_path / "a.jpg", np.full((60, 80, 3), 90, np.uint8))
    archive = shutil.make_archive(tmp_path / "photos", kind, tmp_path, "a.jpg")
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as stored:
            stored.write(tmp_path / "a.jpg", "a.jpg")
    ended = fkp("detect", archive)
    assert ended.code == 1
    what = "an archive or a document, not an image; take its pictures out and name them"
    assert ended.err == f"fkp: {archive}: is {what if kind == 'zip' else 'not an image that can be read'}\n"


HEICS = b"\0\0\0\x18ftypheic" + bytes(40)
JPEG, PNG, MP4 = b"\xff\xd8\xff\xe0" + bytes(20), b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypisom" + bytes(40)
TS = (b"\x47" + bytes(187)) * 4


def make(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


def test_photos_and_videos_of_other_formats_are_counted(tmp_path):
    folder = make(
        tmp_path / "p", a__jpg=JPEG, b__HEIC=HEICS, c__heic=HEICS, d__CR2=b"II*\0", e__txt=b"words", f__xmp=b"x"
    )
    assert inside(expand([str(folder)])[0]) == ["a.jpg"]
    said = "3 files in formats that are not read (2 .heic, 1 .cr2; convert them, to JPEG or MP4 for example)"
    assert notes(folder) == [said]
    assert notes(tmp_path / "p" / "*") == [said]
    assert notes(folder, folder)[0].endswith(", 1 source named twice")


def test_a_folder_of_one_unread_format_is_a_problem_that_the_note_explains(tmp_path):
    folder = make(tmp_path / "p", b__jxl=b"\xff\x0a")
    expanded = expand_all([str(folder), str(folder / "*.jxl")])
    assert expanded.sources == []
    assert [problem.partition(": ")[2] for problem in expanded.problems] == [
        "holds no images or videos that are read here, but 1 in formats to convert",
        "no image or video matches this pattern",
    ]
    assert "2 .jxl; convert them" in expanded.notes[0]


def test_suffixes_that_are_read_are_not_counted_as_unread(tmp_path, monkeypatch):
    from fkp_app.media.images import SUFFIXES
    from fkp_app.media.video.reader import VIDEO_SUFFIXES

    names = {f"a{i}__{suffix[1:]}": TS for i, suffix in enumerate(sorted(SUFFIXES | VIDEO_SUFFIXES))}
    folder = make(tmp_path / "p", **names)
    expanded = expand_all([str(folder)])
    assert len(expanded.sources) == len(names)
    assert not any("formats" in note for note in expanded.notes)


@pytest.mark.parametrize(
    "kept", ["@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "lost+found"]
)
def test_files_that_systems_keep_beside_photos_are_left_out(kept, tmp_path):
    make(tmp_path / kept / "a.jpg", SYNOPHOTO_THUMB_XL__jpg=JPEG)
    make(tmp_path / "deep" / kept, b__jpg=JPEG)
    make(tmp_path, a__jpg=JPEG)
    sources, _ = expand([str(tmp_path)], recursive=True)
    assert inside(sources) == ["a.jpg"]
    assert f"2 folders of copies, deleted or hidden files (2 {kept})" in notes(tmp_path, recursive=True)[0]
    assert inside(expand([str(tmp_path / "**" / "*.jpg")])[0]) == ["a.jpg"]
    assert f"(2 {kept})" in notes(tmp_path / "**" / "*.jpg")[0]
    assert inside(expand([str(tmp_path / "deep" / kept)])[0]) == ["b.jpg"]  # this folder was named explicitly
    assert inside(expand([str(tmp_path / "deep" / kept / "*")])[0]) == ["b.jpg"]


def test_the_originals_of_a_macos_library_are_used(tmp_path):
    library = tmp_path / "Photos Library.photoslibrary"
    make(library / "originals" / "0", a__jpeg=JPEG)
    make(library / "resources" / "derivatives", a_1_105__jpeg=JPEG)
    assert inside(expand([str(tmp_path)], recursive=True)[0]) == [f"{library.name}/originals/0/a.jpeg"]
    assert "(1 resources)" in notes(tmp_path, recursive=True)[0]


def test_hidden_files_links_and_pipes_are_counted(tmp_path):
    folder = make(tmp_path / "p", a__jpg=JPEG, IMG_1=JPEG, README=b"words")
    (folder / "._a.jpg").write_bytes(b"x")
    (folder / "b.jpg").symlink_to("nowhere")
    (folder / "c.jpg").symlink_to("c.jpg")
    (folder / "photo.jpg_large").write_bytes(JPEG)
    os.mkfifo(folder / "d.jpg")
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    assert inside(expand([str(folder)])[0]) == ["a.jpg"]
    common = "2 photos or videos without a suffix that says so (add .jpg, for example, or name it), 1 hidden file, "
    assert notes(folder, recursive=True) == [common + "4 links or pipes with no file behind it"]
    assert notes(folder) == [common + "3 links or pipes with no file behind it"]


def test_hidden_as_windows_and_macos_mark_it(tmp_path, monkeypatch):
    import stat

    from fkp_app.media import folders

    class Marked:
        st_mode, st_file_attributes, st_flags = stat.S_IFREG, 0, 0

    make(tmp_path, a__jpg=JPEG)
    for mark in ({"st_file_attributes": stat.FILE_ATTRIBUTE_HIDDEN}, {"st_flags": stat.UF_HIDDEN}):
        state = Marked()
        vars(state).update(mark)
        monkeypatch.setattr(Path, "lstat", lambda self, state=state: state)
        left_out = folders.LeftOut()
        assert not folders.is_source(tmp_path / "a.jpg", left_out)
        assert left_out.hidden == 1


def test_folders_that_are_not_searched_give_a_note(tmp_path):
    make(tmp_path / "deep", b__jpg=JPEG)
    make(tmp_path / "out", b__jpg=JPEG)
    make(tmp_path, a__jpg=JPEG)
    assert notes(tmp_path, leave_out=[tmp_path / "out"]) == ["1 folder in a folder (--recursive looks into it)"]
    assert notes(tmp_path, leave_out=[tmp_path / "out"], recursive=True) == []


def test_results_are_no_sources_of_a_pattern(tmp_path):
    make(tmp_path / "out", a__jpg__png=PNG)
    make(tmp_path / "crops", a__jpg__0__png=PNG)
    make(tmp_path, a__jpg=JPEG)
    results = [tmp_path / "out", tmp_path / "crops"]
    assert inside(expand([str(tmp_path / "**" / "*")], leave_out=results)[0]) == ["a.jpg"]
    assert inside(expand([str(tmp_path)], leave_out=results, recursive=True)[0]) == ["a.jpg"]
    assert inside(expand([str(tmp_path / "*.jpg")], leave_out=[tmp_path])[0]) == ["a.jpg"]
    assert inside(expand([str(tmp_path / "out" / "*")], leave_out=results)[0]) == ["a.jpg.png"]


def test_a_file_named_twice_is_done_once(tmp_path, monkeypatch):
    make(tmp_path, a__jpg=JPEG, b__jpg=JPEG)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    assert [source.name for source in expand(["b.jpg", "a.jpg", "./b.jpg", "."])[0]] == ["b.jpg", "a.jpg", "link.jpg"]
    assert notes("b.jpg", "a.jpg", "./b.jpg", ".") == ["3 sources named twice"]


WHAT = [
    ("clip.jpg", MP4, "video"),
    ("photo.mp4", JPEG, "image"),
    ("photo.avi", HEICS, "image"),
    ("nothing", MP4, "video"),
    ("nothing", TS, "video"),
    ("nothing", b"\0" * 4 + TS[:4] + (b"\x47" + bytes(191)) * 3, "image"),
    ("disc", (bytes(4) + b"\x47" + bytes(187)) * 4, "video"),
    ("nothing", PNG, "image"),
    ("a.vob", b"\0\0\x01\xba" + bytes(20), "video"),
    ("a.h264", b"\0\0\0\x01\x67" + bytes(20), "video"),
    ("a.mjpeg", JPEG, "video"),
    ("a.asf", bytes.fromhex("3026b2758e66cf11"), "video"),
    ("a.mxf", bytes.fromhex("060e2b34"), "video"),
    ("a.3g2", b"\0\0\0\x14ftyp3g2a", "video"),
    ("a.qt", b"\0\0\0\x08wide\0\0\0\x08mdat", "video"),
    ("a.raw", b"\0\0\0\x18ftypcrx ", "image"),
    ("a.dng", b"II*\0", "image"),
    ("icon.ts", b"\0\0\x01\0\x02\0", "image"),
    ("film.ogg", b"OggS" + bytes(24) + b"\x80theora", "video"),
    ("words.xyz", b"only words, which FFmpeg would show as a film", "image"),
]


@pytest.mark.parametrize(("name", "content", "kind"), WHAT, ids=[f"{name} {kind}" for name, _, kind in WHAT])
def test_the_content_decides_the_kind_of_a_named_file(name, content, kind, tmp_path):
    (tmp_path / name).write_bytes(content)
    ((source,), problems) = expand([str(tmp_path / name)])
    assert (source.kind, problems) == (kind, [])


def test_a_misleading_suffix_gives_one_note(tmp_path):
    folder = make(tmp_path / "p", a__jpg=MP4, b__mp4=PNG, c__png=MP4, d__png=JPEG)
    assert [source.kind for source in expand([str(folder)])[0]] == ["video", "image", "video", "image"]
    said = f"{folder}/a.jpg: is a video, whatever its name says, and is read as one"
    assert notes(folder) == [f"{said}; likewise 2 other files"]
    assert notes(folder / "a.jpg") == [said]
    assert notes(folder / "b.mp4") == [f"{folder}/b.mp4: is an image, whatever its name says, and is read as one"]
    assert notes(folder / "d.png") == []  # still an image


def test_in_a_folder_a_ts_is_a_video_by_its_content_alone(tmp_path, monkeypatch):
    for module in ("folders", "sources"):
        monkeypatch.setattr(f"fkp_app.media.{module}.VIDEO_SUFFIXES", frozenset([".ts", ".mp4"]))
    folder = make(tmp_path / "p", clip__ts=TS, code__ts=b"export const answer = 42;\n" * 40, a__mp4=MP4)
    assert inside(expand([str(folder)])[0]) == ["a.mp4", "clip.ts"]


def test_a_video_of_a_form_that_only_its_reader_knows(tmp_path):
    """If neither name nor content tells the kind, the file is opened; text is not."""
    av = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")
    path = tmp_path / "film.unknown"
    with av.open(str(path), "w", format="swf") as file:
        stream = file.add_stream("flv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(3):
            file.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        file.mux(stream.encode(None))
    assert content_kind(path.read_bytes()) is None
    ((source,), problems) = expand([str(path)])
    assert (source.kind, problems) == ("video", [])


ADDRESSES = {
    "https://example.org/a.jpg": "is an address, and nothing is fetched here; download the file and name that",
    "s3://bucket/a.jpg": "is an address, and nothing is fetched here; download the file and name that",
    "rtsp://camera/1": "is a stream, which is not read here; record it to a file and name that",
    "UDP://@:1234": "is a stream, which is not read here; record it to a file and name that",
    "file:///home/a.jpg": "is an address; name the file by its path, without file://",
    "": "is an empty name; name an image, a video or a folder, . for this one",
    "/dev/zero": "is a device or socket, not a file; name an image, a video or a folder",
}


@pytest.mark.parametrize("argument", ADDRESSES)
def test_an_argument_that_is_no_file_is_one_line_and_the_rest_goes_on(argument, tree):
    sources, problems = expand([argument, str(tree / "b.jpg")])
    shown = argument or "''"
    assert problems == [f"{shown}: {ADDRESSES[argument]}"]
    assert inside(sources) == ["b.jpg"]


def test_pipes_sockets_and_impossible_names(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    names = [tmp_path / "pipe.jpg", tmp_path / "s.jpg", tmp_path / "loop.jpg", tmp_path / ("a" * 300)]
    sources, problems = expand([*map(str, names), "data:image/png;base64,iVBORw0KGgo"])
    assert sources == []
    words = [
        "is a pipe; use - as",
        "is a device or socket",
        "cannot be read (",
        "cannot be read (",
        "is data, not a file",
    ]
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_an_existing_file_whose_name_has_a_scheme_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "http:" / "x", a__jpg=JPEG)
    assert expand(["http://x/a.jpg"])[1] == []


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make(tmp_path, a__jpg=JPEG)
    assert [source.path for source in expand(["~/a.jpg", "~/*.png"])[0]] == [tmp_path / "a.jpg"]


def test_any_error_of_one_argument_is_its_line(tree, monkeypatch):
    def fails(path):
        raise RuntimeError("Symlink loop")

    monkeypatch.setattr(
        "fkp_app.media.sources.os.path.isdir", lambda path: fails(path) if "c.tiff" in str(path) else False
    )
    sources, problems = expand([str(tree / "c.tiff"), str(tree / "b.jpg")])
    assert inside(sources) == ["b.jpg"]
    assert problems == [f"{tree}/c.tiff: cannot be worked on (RuntimeError: Symlink loop)"]


def test_a_link_in_a_circle_does_not_stop_the_naming_of_results(tmp_path):
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    paths = target_paths(tmp_path / "out", [source(str(tmp_path / "loop.jpg"))])
    assert paths == [tmp_path / "out" / "loop.jpg.png"]
