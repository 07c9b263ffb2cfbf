"""`python -m coordcodec` is the command `coordcodec`."""

import sys

from coordcodec.cli import main

sys.exit(main())
