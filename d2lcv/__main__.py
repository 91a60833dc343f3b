"""`python -m d2lcv`: the command line of `d2lcv.run.command`."""

import sys

from .run.command import main

if __name__ == "__main__":
    sys.exit(main())
