"""One module per kind of file. A module says how to make valid files, how to change them, and how they are read."""

from tests.fuzz.kinds import (
    archives,
    images,
    labels,
    onnx_files,
    page,
    photo_labels,
    recipes,
    runs,
    styles,
    videos,
    weights,
)
from tests.fuzz.reader import Reader

READERS: dict[str, Reader] = {
    reader.name: reader
    for module in (weights, onnx_files, runs, recipes, styles, labels, photo_labels, archives, images, videos, page)
    for reader in module.READERS
}
