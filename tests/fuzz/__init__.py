"""Every reader of files, given files that were changed at random: each must give a result or its documented error.

`kinds` holds one module per kind of file. `test_fuzz.py` tries a few of each; `make fuzz MINUTES=30` tries many.
"""
