"""The page of `fkp web`."""
