"""How names and sizes are told in messages."""

from __future__ import annotations

from collections.abc import Iterable


def first_few(names: Iterable[str], limit: int = 4) -> str:
    """The first `limit` names and how many more there are: `a, b, c, d and 12 more`."""
    ordered = list(names)
    rest = len(ordered) - limit
    return ", ".join(ordered[:limit]) + (f" and {rest} more" if rest > 0 else "")


def megabytes(size: int) -> str:
    """A number of bytes as people read it: `402.2 MB` (a megabyte is 1,000,000 bytes, as repositories count)."""
    return f"{size / 1e6:,.1f} MB"
