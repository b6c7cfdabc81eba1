"""The lessons of `break`: mistakes planted in copies of numpynet's functions, for the reader to find.

plant              the mistakes of bugs.toml, and how numpynet is made to make one
bugs_by_seed       other mistakes, drawn from those that mutants makes
check_copy         whether a reader has repaired a copy
trials             short trainings with a mistake; loss_table and loss_chart show their losses
break_it           the command
"""
