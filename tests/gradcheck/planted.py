"""Copies of numpynet's modules with a mistake planted in them."""

import importlib
import inspect
from types import ModuleType


def plant(module_name: str, right: str, wrong: str) -> ModuleType:
    """A copy of a module in which `wrong` replaces the text `right`, which must occur exactly once."""
    module = importlib.import_module(module_name)
    source = inspect.getsource(module)
    assert source.count(right) == 1, f"{right!r} occurs {source.count(right)} times in {module_name}"
    copy = ModuleType(module_name)
    exec(compile(source.replace(right, wrong), f"planted {module_name}", "exec"), vars(copy))
    for name, value in vars(module).items():
        if isinstance(value, type) and issubclass(value, tuple):  # a cache: functions check its class
            setattr(copy, name, value)
    return copy
