"""The page of `fkp web`: its server, what it lets in, and what it does with a photo."""
