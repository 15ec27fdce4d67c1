"""`python -m minicosm` is the command `minicosm`, for where that is not on the PATH."""

import sys

from minicosm.cli import main

if __name__ == "__main__":
    sys.exit(main())
