"""What keeps docs/learn true. Tests call it; `python -m tests.learn.pages` brings the pages up to date.

`included` writes the project's source into pages, `markdown` reads a page, `blocks` runs its code and commands, and
`structure` checks its form and its links.
"""
