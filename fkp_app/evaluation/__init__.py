"""How good a network is: what it is shown, figures, tables, pictures."""
