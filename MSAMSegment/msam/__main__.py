"""`python -m msam` is `msam-segment`."""

from msam.cli.main import main

main()
