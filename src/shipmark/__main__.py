"""`python -m shipmark` is the command line."""

from shipmark.cli import main

main()
