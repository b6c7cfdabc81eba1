"""The path: every page of docs/learn in order, and the commands."""

from dataclasses import dataclass
from pathlib import Path

import numpynet
from numpynet.learn.commands import COMMANDS


@dataclass(frozen=True)
class Page:
    """One page: its file in docs/learn, its title, and the question it answers. Two hours are for `two_hours`."""

    file: str
    title: str
    question: str
    two_hours: bool = False


PAGES = (
    Page("00-start.md", "Start", "What will I be able to do?"),
    Page("01-one-point.md", "One picture, one point", "How does a network learn from one mistake?", True),
    Page("02-chain-rule.md", "The chain rule", "What is dout, and where does it come from?", True),
    Page("03-linear.md", "Linear", "Where does the transpose come from?", True),
    Page("04-relu.md", "ReLU", "What happens to a gradient at a kink?"),
    Page("05-losses.md", "Losses", "Where does the first gradient come from?", True),
    Page("06-convolution.md", "Convolution, forward", "How are all windows computed at once?", True),
    Page("07-convolution-backward.md", "Convolution, backward", "Why is the filter rotated, and is it?", True),
    Page("08-max-pooling.md", "Max pooling", "Why must gradients be added, not assigned?", True),
    Page("09-batch-norm.md", "Batch norm", "Which gradients flow through a mean and a variance?", True),
    Page("10-dropout.md", "Dropout", "Why does the mask travel to the backward pass?"),
    Page("11-moving-gradients.md", "Flatten, upsampling, residual", "What if a layer only moves or adds numbers?"),
    Page("12-soft-argmax.md", "Soft argmax", "How does a gradient move a point on a map?"),
    Page("13-optimizers.md", "SGD, momentum, Adam", "What is done with a gradient once it is known?", True),
    Page("14-network.md", "The network", "What do forty layers do with one face?"),
    Page("15-training.md", "Training", "When does a network learn, and when does it only seem to?", True),
    Page("16-how-one-knows.md", "How one knows", "How is a wrong gradient found if the loss still falls?", True),
    Page("17-fast.md", "From readable to fast", "Where does the time go?"),
    Page("glossary.md", "Glossary", "What does this word mean?"),
    Page("where-next.md", "Where to go on", "Who explains the rest, and better?"),
)


FIRST = """\
Learn backprop here: pages to read, and three things to do with the code of each page.

  First type   python -m numpynet.learn one-point               every number of a small network
  Prove it     python -m numpynet.gradcheck linear              is this gradient right?
  Break it     python -m numpynet.learn break                   find a bug that was planted
  Build it     python -m numpynet.learn start linear_backward   write it yourself
"""


def text() -> str:
    """The list that `python -m numpynet.learn` prints: at most 45 lines of 100 columns."""
    lines = [
        FIRST,
        "Pages, docs/learn/NAME.md, in reading order. A page marked * takes two hours, each other one hour:",
    ]
    if not (Path(numpynet.__file__).parents[1] / "docs" / "learn").is_dir():
        lines.append("(They are files of the project's source: its repository, or its archive, numpynet_fkp-*.tar.gz.)")
    for page in PAGES:
        name = page.file.removesuffix(".md")
        lines.append(f"{'*' if page.two_hours else ' '} {name:23} {page.title}: {page.question}")
    lines += ["", "Commands: python -m numpynet.learn COMMAND (COMMAND --help explains its options)"]
    lines += [f"  {name:10} {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(lines)
