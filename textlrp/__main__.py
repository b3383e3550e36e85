"""`python -m textlrp` is `textlrp`."""

from textlrp.cli import main

if __name__ == "__main__":
    main()
