"""`python -m purveyor.cli` is the command `purveyor`."""

import sys

from purveyor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
