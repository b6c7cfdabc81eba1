"""JSON trees spoiled at random as an attacker might: in their structure and values, not only in single bytes."""

import copy
import json
from typing import Any

NASTY: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 1000, 5000, 2**31, 2**53, 2**63, 10**30, 10**400, -(10**12)),
    *(0.0, -0.0, 0.5, -3.5, 1e-300, 1e300, float("nan"), float("inf"), float("-inf")),
    *("", "96", "face", "KeypointNet", "HourglassNet", "a\nb", "\x00", "\ud800", "../..", "x" * 5000),
    *([], {}, [[]], [0], [1] * 40, [True], ["4"], [4, 8], [10**9], [4096] * 3, {"name": []}, {"a": {"b": {"c": 1}}}),
]


def nodes(tree, path=()):
    """The path of each node of a tree, as a tuple of keys and indices."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, part in items:
        yield from nodes(part, (*path, key))


def spoiled_tree(tree, rng):
    """A copy of the tree with one to three nodes replaced, removed, repeated or copied to another key."""
    tree = copy.deepcopy(tree)
    for _ in range(int(rng.integers(1, 4))):
        paths = [path for path in nodes(tree) if path]
        if not paths:
            break
        *way, key = paths[rng.integers(len(paths))]
        parent = tree
        for step in way:
            parent = parent[step]
        kind = rng.integers(6)
        if kind < 3:
            parent[key] = copy.deepcopy(NASTY[rng.integers(len(NASTY))])
        elif kind == 3:
            del parent[key]
        elif kind == 4:
            parent[key] = [parent[key]] * int(rng.integers(1, 4))
        elif isinstance(parent, dict):
            parent[str(NASTY[rng.integers(len(NASTY))])[:200]] = copy.deepcopy(parent[key])
    return tree


def spoiled(tree, rng):
    """The JSON text of a spoiled tree.

    One text in three is damaged once more: nested very deep, a number of thousands of digits, all keys twice, cut off,
    or one character changed.
    """
    text = json.dumps(spoiled_tree(tree, rng))
    kind = rng.integers(12)
    if kind == 0:  # deep nesting in one place
        depth = int(rng.choice([20, 40, 900, 100_000]))
        place = text.find(":") + 1
        text = text[:place] + "[" * depth + "]" * depth + "," + '"b":' + text[place:]
    elif kind == 1:  # a number of thousands of digits
        text = text.replace("1", "1" * 5000, 1)
    elif kind == 2 and '", "' in text:  # a key twice
        text = text[:-1] + ", " + text[1:]
    elif kind == 3:  # cut, or a byte changed
        place = int(rng.integers(len(text)))
        text = text[:place] + (chr(int(rng.integers(32, 127))) + text[place + 1 :] if rng.random() < 0.5 else "")
    return text
