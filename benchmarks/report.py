"""`python -m benchmarks report`: the results files as tables and pictures, in docs/benchmarks.md and the README.

Every figure there comes from a file in benchmarks/results, which the other commands write with `--json`.
"""

import argparse
import json
from pathlib import Path

from benchmarks.contenders import COURSE, FAST
from benchmarks.plots import plot_ladder, plot_layers, plot_scaling
from benchmarks.report_sections import SECTIONS, TRAININGS, Results, ms, table
from numpynet.files import atomic

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- benchmarks: begin -->", "<!-- benchmarks: end -->"


def readme(results: Results) -> str:
    """The table of the README."""
    columns = {title: results[name] for title, name in TRAININGS.items() if name in results}
    fast = [found["rows"][FAST] for found in columns.values()]
    readable = [found["rows"]["numpynet, readable"] for found in columns.values()]
    best = [found["rows"][found["best"]] for found in columns.values()]
    course = [found["rows"][COURSE] for found in columns.values()]

    def steps(title: str, contenders: list[Results]) -> list[str]:
        return [title, *(ms(row["seconds"]["step"]["median"]) for row in contenders)]

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


def machine_of(results: Results) -> str:
    """One line for each machine on which results were measured."""
    lines = set()
    for found in results.values():
        m = found["machine"]
        versions = f"Python {m['python']}, NumPy {m['numpy']}, PyTorch {m['torch']}"
        lines.add(f"{m['processor']}, {m['cores_usable']} cores; {versions}")
    return "\n".join(sorted(lines))


PAGE = """# Benchmarks

Made by `python -m benchmarks report` from the files in `benchmarks/results`.

{machine}

{pictures}
{sections}"""


def page(results: Results, pictures: dict[str, Path | None]) -> str:
    """docs/benchmarks.md. pictures: by title."""
    text = PAGE.format(
        machine=machine_of(results),
        pictures="\n".join(f"![{title}](pictures/{path.name})" for title, path in pictures.items() if path is not None),
        sections="".join(part for section in SECTIONS for part in section(results)),
    )
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results", help="folder of JSON files")
    parser.add_argument(
        "--docs", type=Path, default=ROOT / "docs", help="where benchmarks.md and pictures/ are written"
    )
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md", help="where the table is replaced")


def run(args: argparse.Namespace) -> None:
    """Draw the pictures, write the page, and replace the README's table."""
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(args.results.glob("*.json"))}
    folder = args.docs / "pictures"
    pictures = {
        "From readable to fast, and what the machine allows": plot_ladder(results, folder / "ladder.png"),
        "PyTorch's time over numpynet's, operation by operation": plot_layers(results, folder / "layers.png"),
        "Time and memory of a step": plot_scaling(results, folder / "scaling.png"),
    }
    _write(args.docs / "benchmarks.md", page(results, pictures))
    before, _, rest = args.readme.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    _write(args.readme, f"{before}{BEGIN}\n{readme(results)}\n{END}{after}")


def _write(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, "utf-8")
