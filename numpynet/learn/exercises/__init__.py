"""The exercises: `start` writes a file with a blank body, and `check` compares the reader's function with numpynet's.

catalogue          what exercises.toml says about each exercise
starting_file      the text of the file that `start` writes
cases              the inputs on which the two functions are compared
judge              calls both functions; comparison, differences: what is wrong; error_place: where an error was raised
judging_process    runs the judge on a reader's file (file_loader), in a process that can be ended
graduation         a training with the reader's functions in the place of numpynet's
start, check, hint, show, watch, graduate: the commands
"""

from numpynet.learn.exercises.catalogue import Exercise, exercises, find

__all__ = ["Exercise", "exercises", "find"]
