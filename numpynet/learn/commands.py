"""The commands of `python -m numpynet.learn`: each is a module, loaded when its command is given.

Such a module has `arguments(parser)`, which adds its options to an argparse parser, and `run(options)`, which returns
the exit status. `run` raises LearnError if it cannot do what was asked.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One command: the module that runs it, and its help in one line."""

    module: str
    help: str


COMMANDS: dict[str, Command] = {
    "derive": Command("numpynet.learn.derive", "a backward pass the long way, every intermediate with its gradient"),
    "summary": Command("numpynet.learn.summary", "print what each layer of a network makes, learns, keeps and sees"),
    "step": Command("numpynet.learn.stepper", "go through one training step, layer by layer, here or as a page"),
    "break": Command("numpynet.learn.break_it", "find a planted mistake: twelve lessons, and endless others by --seed"),
}
