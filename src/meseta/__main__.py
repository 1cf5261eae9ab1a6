"""`python -m meseta` is the command `meseta`."""

from __future__ import annotations

from meseta.cli import main

if __name__ == "__main__":
    main()
