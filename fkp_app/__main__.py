"""`python -m fkp_app` is `fkp`."""

import sys

from fkp_app.cli import main

if __name__ == "__main__":
    sys.exit(main())
