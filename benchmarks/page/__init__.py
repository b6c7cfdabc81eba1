"""The page of `fkp web` under load: its server, visitors that behave as a browser does, and some that do not."""
