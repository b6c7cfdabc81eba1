"""`python -m numpynet.learn summary`: the table of `numpynet.summary`, for networks by name."""

import pytest

from numpynet import HourglassNet, KeypointNet, summary
from numpynet.learn import one_point
from numpynet.learn.__main__ import main


def test_it_prints_the_table(capsys):
    for arguments, table in (
        ([], summary(HourglassNet(), (1, 1, 96, 96))),
        (["compact", "--size", "48", "--batch", "3"], summary(KeypointNet.compact(48), (3, 1, 48, 48))),
        (["one-point"], summary(one_point.net(), (1, 1, 5, 5))),
    ):
        assert main(["summary", *arguments]) == 0
        assert capsys.readouterr().out == f"{table}\n"
        assert main(["summary", *arguments, "--markdown"]) == 0
        assert capsys.readouterr().out == f"{table.markdown()}\n"


def test_it_fits_into_a_terminal_of_100_columns(capsys):
    assert main(["summary", "hourglass"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compct"], "there is no network 'compct'; did you mean compact?"),
        (["x"], "there is no network 'x'; choose one of one-point, compact, hourglass, net"),
        (["one-point", "--size", "6"], "--size: the one-point net takes pictures of 5 x 5 pixels, got 6"),
        (["compact", "--size", "0"], "--size must be from 1 to 256, got 0"),
        (["compact", "--size", "257"], "--size must be from 1 to 256, got 257"),
        (
            ["compact", "--size", "31"],
            "--size 31: KeypointNet: images of size 31 are too small for 5 poolings",
        ),
        (
            ["hourglass", "--size", "90"],
            "--size 90: HourglassNet: size 90 must be a multiple of 16, to be halved 4 times",
        ),
        (["--batch", "65"], "--batch must be from 1 to 64, got 65"),
        (["--batch", "0"], "--batch must be from 1 to 64, got 0"),
        (["--size", "many"], "--size must be a whole number, got 'many'"),
    ],
)
def test_bad_input_is_refused_in_one_line(arguments, message, capsys):
    try:
        code = main(["summary", *arguments])
    except SystemExit as ended:  # argparse
        code = ended.code
    assert code == 2
    assert capsys.readouterr() == ("", f"python -m numpynet.learn summary: {message}\n")
