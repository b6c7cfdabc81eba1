"""`python -m numpynet.learn`: the list, and what it says to a command that does not exist."""

from numpynet.learn.__main__ import main
from numpynet.learn.commands import COMMANDS
from numpynet.learn.listing import PAGES


def test_without_a_command_it_lists_every_page_and_every_command(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert [page.file for page in PAGES if page.file not in out] == []
    assert [name for name in COMMANDS if f"  {name} " not in out] == []


def test_an_unknown_command_is_refused_in_one_line(capsys):
    assert main(["zzz"]) == 2
    assert capsys.readouterr().err == (
        "python -m numpynet.learn: there is no command 'zzz'; `python -m numpynet.learn` lists them\n"
    )
