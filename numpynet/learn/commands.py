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
    "one-point": Command(
        "numpynet.learn.showing.one_point_printed", "every array of a 20-parameter net; --nudge one number"
    ),
    "jacobian": Command("numpynet.learn.jacobian", "a layer as a matrix, made by its backward pass"),
    "same": Command("numpynet.learn.showing.same", "one convolution in several ways, with equal results"),
    "derive": Command(
        "numpynet.learn.showing.derive", "a backward pass the long way, every intermediate with its gradient"
    ),
    "adam": Command(
        "numpynet.learn.showing.adam", "three steps of Adam with every intermediate; SGD and momentum beside it"
    ),
    "settle": Command("numpynet.learn.showing.settle", "68 points settle on a face while a small network learns it"),
    "summary": Command(
        "numpynet.learn.showing.summary", "print what each layer of a network makes, learns, keeps and sees"
    ),
    "step": Command(
        "numpynet.learn.stepping.stepper", "go through one training step, layer by layer, here or as a page"
    ),
    "start": Command("numpynet.learn.exercises.start", "begin an exercise: writes one small file with a blank body"),
    "check": Command("numpynet.learn.exercises.check", "judge an exercise, or all files of a folder"),
    "hint": Command("numpynet.learn.exercises.hint", "one of the three hints of an exercise"),
    "show": Command("numpynet.learn.exercises.show", "numpynet's own source of an exercise, once yours is right"),
    "watch": Command("numpynet.learn.exercises.watch", "check again whenever the file changes"),
    "break": Command(
        "numpynet.learn.lessons.break_it", "find a planted mistake: thirteen lessons, and endless others by --seed"
    ),
    "graduate": Command("numpynet.learn.exercises.graduate", "68 points settle on a face with your functions"),
}
