"""`python -m benchmarks report`: the results files as tables and pictures, in docs/benchmarks.md and the README.

Every figure there comes from a file in benchmarks/results, which the other commands write with `--json`. The results of
each machine lie in a folder of their own, named after its processor and cores, and are shown side by side.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import COURSE, FAST
from benchmarks.machine import slug
from benchmarks.plots import plot_ladder, plot_layers, plot_scaling
from benchmarks.report_sections import SECTIONS, TRAININGS, Results, ms, table
from numpynet.files import atomic

ROOT = Path(__file__).parents[1]
Machines = dict[str, Results]
"""The results of each machine, by the name of its folder."""

BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def readme(machines: Machines) -> str:
    """The README's part: for each machine with training results its title and its table."""
    return "\n\n".join(
        f"{title(results)}:\n\n{readme_table(results)}"
        for results in machines.values()
        if any(name in results for name in TRAININGS.values())
    )


def readme_table(results: Results) -> str:
    """One machine's table for the README: a column for each network and batch size."""
    columns = {title: results[name] for title, name in TRAININGS.items() if name in results}
    fast = [found["rows"][FAST] for found in columns.values()]
    readable = [found["rows"].get("numpynet, readable") for found in columns.values()]
    best = [found["rows"][found["best"]] for found in columns.values()]
    course = [found["rows"][COURSE] for found in columns.values()]

    def steps(title: str, contenders: Sequence[Results | None]) -> list[str]:
        return [title, *(ms(row["seconds"]["step"]["median"]) if row else "–" for row in contenders)]

    def ratios(title: str, contenders: list[Results]) -> list[str]:
        return [title, *(f"{row['ratio']:.2f}" for row in contenders)]

    memory = [f"{a['facts']['peak_gb']:.2f} / {b['facts']['peak_gb']:.2f}" for a, b in zip(fast, best, strict=True)]
    rows = [
        steps("**numpynet, fast**", fast),
        steps("numpynet, readable", readable),
        steps("PyTorch at its best", best),
        steps("PyTorch, as the course writes it", course),
        ratios("best PyTorch / fast, step by step", best),
        ratios("course's loop / fast, step by step", course),
        ["peak memory, fast / best PyTorch, GB", *memory],
    ]
    return table(["a training step, ms", *columns], rows)


def title(results: Results) -> str:
    """The machine on which results were measured: processor, cores and instruction set."""
    machine = next(iter(results.values()))["machine"]
    all_cores = f" of {machine['cores']}" if machine["cores"] != machine["cores_usable"] else ""
    parts = [machine["processor"], f"{machine['cores_usable']}{all_cores} cores", machine["instructions"]]
    return ", ".join(part for part in parts if part)


def versions(results: Results) -> str:
    """One line for each set of libraries with which results were measured."""
    machines = [found["machine"] for found in results.values()]
    return "\n".join(sorted({f"Python {m['python']}, NumPy {m['numpy']}, PyTorch {m['torch']}" for m in machines}))


PAGE = """# Benchmarks

Made by `python -m benchmarks report` from the files in `benchmarks/results`, one part for each machine.
"""

PART = """
## {title}
{versions}

{pictures}
{sections}"""


def page(machines: Machines, pictures: dict[str, dict[str, Path | None]]) -> str:
    """docs/benchmarks.md. pictures: by machine and by title."""
    text = PAGE
    for name, results in machines.items():
        shown = [f"![{title}](pictures/{name}/{path.name})" for title, path in pictures[name].items() if path]
        text += PART.format(
            title=title(results),
            versions=versions(results),
            pictures="\n".join(shown),
            sections="".join(part for section in SECTIONS for part in section(results)),
        )
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def read(folder: Path) -> Machines:
    """The results by machine. SystemExit if there are none, or if a file lies in another machine's folder."""
    machines: Machines = {}
    for path in sorted(folder.glob("**/*.json")):
        found = json.loads(path.read_text("utf-8"))
        if path.parent != folder / slug(found["machine"]):
            raise SystemExit(f"{path}: lies in a wrong folder; move it to {folder / slug(found['machine'])}")
        machines.setdefault(path.parent.name, {})[path.stem] = found
    if not machines:
        raise SystemExit(f"--results {folder}: holds no results")
    return machines


def draw(results: Results, folder: Path) -> dict[str, Path | None]:
    """Draw a machine's pictures into the folder; their paths by title, None where results are missing."""
    pictures = {"From readable to fast, and what the machine allows": plot_ladder(results, folder / "ladder.png")}
    for name in sorted(key for key in results if key.startswith("layers-")):
        settings = results[name]["settings"]
        shown = f"PyTorch's time over numpynet's, {settings['model']}, batch {settings['batch_size']}"
        pictures[shown] = plot_layers(results, name, folder / f"{name}.png")
    return pictures | {"Time and memory of a step": plot_scaling(results, folder / "scaling.png")}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks" / "results", help="holds a folder for each machine"
    )
    parser.add_argument(
        "--docs", type=Path, default=ROOT / "docs", help="where benchmarks.md and pictures/ are written"
    )
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="where the table is replaced")


def run(args: argparse.Namespace) -> None:
    """Draw the pictures, write the page, and replace the README's table."""
    machines = read(args.results)
    pictures = {name: draw(results, args.docs / "pictures" / name) for name, results in machines.items()}
    _write(args.docs / "benchmarks.md", page(machines, pictures))
    before, _, rest = args.readme.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    _write(args.readme, f"{before}{BEGIN}\n{readme(machines)}\n{END}{after}")


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
