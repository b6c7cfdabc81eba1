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
    "one-point": Command("numpynet.learn.one_point_printed", "every tensor of a 20-parameter net; --nudge one number"),
    "jacobian": Command("numpynet.learn.jacobian", "a layer as a matrix, made by its backward pass"),
    "same": Command("numpynet.learn.same", "one convolution in several ways, with equal results"),
    "derive": Command("numpynet.learn.derive", "a backward pass the long way, every intermediate with its gradient"),
    "adam": Command("numpynet.learn.adam", "three steps of Adam with every intermediate; SGD and momentum beside it"),
    "settle": Command("numpynet.learn.settle", "68 points settle on a face while a small network learns it"),
    "start": Command("numpynet.learn.start", "begin an exercise: writes one small file with a blank body"),
    "check": Command("numpynet.learn.check", "judge an exercise, or all files of a folder"),
    "hint": Command("numpynet.learn.hint", "one of the three hints of an exercise"),
    "show": Command("numpynet.learn.show", "numpynet's own source of an exercise, once yours is right"),
    "watch": Command("numpynet.learn.watch", "check again whenever the file changes"),
    "break": Command("numpynet.learn.break_it", "find a planted mistake: twelve lessons, and endless others by --seed"),
    "graduate": Command("numpynet.learn.graduate", "68 points settle on a face with your functions"),
}
