"""The order of the application's folders: each imports only folders on lower floors."""

import ast
from collections.abc import Iterator
from pathlib import Path

import fkp_app

ROOT = Path(fkp_app.__file__).parent
FLOORS = [
    {"errors", "tables", "wording", "locks", "blas"},
    {"geometry", "media"},
    {"data", "backends"},
    {"faces"},
    {"tracking", "styles", "evaluation", "inspection"},
    {"pipeline", "training"},
    {"web"},
    {"commands"},
    {"cli", "__init__", "__main__"},
]
"""From the ground up. Rooms on one floor do not import each other, but for the modules of the first and the last."""

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and room of each import from `fkp_app`, also inside functions and for type checking."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "fkp_app":
            yield from ((node.lineno, alias.name if alias.name in FLOOR else "__init__") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fkp_app."):
            yield node.lineno, str(node.module).split(".")[1]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            yield from ((node.lineno, name[1] if name[1:] else "__init__") for name in names if name[0] == "fkp_app")


def climbs(root: Path) -> list[str]:
    """Each import that does not lead to a lower floor, as `file:line imports room`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        own = path.relative_to(root).parts[0].removesuffix(".py")
        for line, other in imported(ast.parse(path.read_text("utf-8"))):
            beside = FLOOR[own] in (0, len(FLOORS) - 1) and FLOOR[other] == FLOOR[own]
            if other != own and not beside and FLOOR[other] >= FLOOR[own]:
                found.append(f"{path.relative_to(root)}:{line} imports {other}")
    return found


def test_every_folder_has_its_floor():
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
    modules = {path.stem for path in ROOT.glob("*.py")}
    assert rooms | modules == set(FLOOR)


def test_no_import_climbs():
    assert climbs(ROOT) == []


def test_an_import_that_climbs_is_named(tmp_path):
    for name, line in (
        ("faces/detector.py", "from fkp_app.pipeline.results import ImageResult"),
        ("geometry/boxes.py", "\n\ndef late():\n    import fkp_app.media.sources"),
        ("web/page.py", "from fkp_app import faces, cli"),
        ("styles/wear.py", "from fkp_app.faces.keypoints import Face"),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(line + "\n")
    assert climbs(tmp_path) == [
        "faces/detector.py:1 imports pipeline",
        "geometry/boxes.py:4 imports media",
        "web/page.py:1 imports cli",
    ]
