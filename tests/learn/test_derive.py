"""`derive`: every intermediate is printed, or the chosen ones, and an unknown name gets the nearest."""

import pytest

from numpynet.learn.__main__ import main
from numpynet.learn.derivations import DERIVATIONS


@pytest.mark.parametrize("name", DERIVATIONS)
def test_derive_prints_every_intermediate(name, capsys):
    assert main(["derive", name]) == 0
    printed = capsys.readouterr().out
    staged = DERIVATIONS[name].example()
    for key, (value, gradient) in staged.items():
        assert f"\n{key}  {value.shape}\n" in printed
        if gradient is not None:
            assert gradient.shape == value.shape
    assert printed.count("  gradient  ") == sum(gradient is not None for _, gradient in staged.values())
    assert max(map(len, printed.splitlines())) <= 72


def test_derive_prints_the_chosen_intermediates(capsys):
    assert main(["derive", "batch_norm", "x_hat", "mean"]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "x_hat  (6, 1)",
        "  value     [ 2. -1. -1.  0.  0.  0.]",
        "  gradient  [ 5. -1.  2.  0.  3. -3.]",
        "",
        "mean  (1,)",
        "  value     3.",
        "  gradient  -3.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["batchnorm"], "there is no derivation 'batchnorm'; did you mean batch_norm?"),
        (["batch_norm", "xhat"], "there is no intermediate 'xhat'; did you mean x_hat?"),
        (["relu", "zzz"], "there is no intermediate 'zzz'; there are x, mask, out"),
    ],
)
def test_derive_suggests_the_nearest_name(arguments, message, capsys):
    assert main(["derive", *arguments]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"python -m numpynet.learn derive: {message}\n")
