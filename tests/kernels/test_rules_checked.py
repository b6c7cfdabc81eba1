"""The fast Adam checks its settings like the readable one, although it does not call it."""

import numpy as np
import pytest

from numpynet import kernels

RULE = {"step": 1, "lr": 0.1, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.0}


@pytest.mark.parametrize(("name", "value"), [("lr", -0.1), ("eps", -1.0), ("weight_decay", np.nan), ("step", 0)])
def test_adam_refuses_a_rule_that_is_none(name, value):
    arrays = [np.ones((4, 3)) for _ in range(4)]
    with pytest.raises(ValueError, match=f"adam_update.*{name}"):
        kernels.adam_update(*arrays, **{**RULE, name: value})
    assert all((array == 1).all() for array in arrays)
