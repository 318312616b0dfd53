"""Clicks in the rows of a table: CSV with a header, separated by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msam.clicks import Click, as_frame, as_position, as_positive, positive_by_name
from msam.errors import PromptError
from msam.volume import Frame

# A list of clicks is short; a file beyond this is something else, an image perhaps.
LARGEST_FILE = 20_000_000

# What the three columns of a position may be called, and the frame that tells. x, y, z tell none.
POSITION_COLUMNS: tuple[tuple[tuple[str, str, str], Frame | None], ...] = (
    (("i", "j", "k"), "ijk"),
    (("r", "a", "s"), "ras"),
    (("l", "p", "s"), "lps"),
    (("x", "y", "z"), None),
)
POINT_COLUMNS = ("label", "positive", "frame", "defined")


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells by column name, and the line of the file it ends on, counted from 1."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table with a header, all names in lower case."""

    file_name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def where(self, row: Row) -> str:
        """How messages name a row."""
        return f"{self.file_name}, line {row.line}"


def read_text(path: Path) -> str:
    """The text of a small file.

    Raises:
        PromptError: it is not there, too large, or not text in UTF-8.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise PromptError(
                f"{path.name} is larger than {LARGEST_FILE // 1_000_000} MB, too large for a list of clicks."
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PromptError(f"{path.name} is not a text file in UTF-8; save it as CSV or JSON in UTF-8.") from error
    except OSError as error:
        raise PromptError(f"{path} cannot be read: {error.strerror}.") from error


def read_table(path: Path, further_columns: tuple[str, ...] = ()) -> Table:
    """Reads a table of clicks.

    Columns that nobody asks for are passed over, unless their name looks like a misspelt one: a misspelt `label` would
    turn every negative click into a positive one.

    Args:
        path: the file.
        further_columns: names that the caller knows besides those of a click.

    Raises:
        PromptError: no header, a name given twice or misspelt, or a row with more or fewer cells than the header.
    """
    text = read_text(path)
    header_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=header_line.count)
    lines = _filled_lines(text.splitlines(), delimiter, path.name)
    line, header = next(lines, (1, []))
    columns = tuple(name.strip().lower() for name in header)
    _check_header(columns, (*POINT_COLUMNS, *further_columns), f"{path.name}, line {line}")
    rows = []
    for line, cells in lines:
        if len(cells) != len(columns):
            raise PromptError(
                f"{path.name}, line {line}: {len(cells)} cells where the header has {len(columns)} columns. "
                "Decimals are written with a point."
            )
        rows.append(Row(line, {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}))
    return Table(path.name, columns, tuple(rows))


class PointColumns:
    """Makes a click of a row.

    The position stands in `i, j, k` (voxels), `r, a, s` or `l, p, s` (mm), or `x, y, z` with a column `frame` or the
    frame given here. Whether a click is positive stands in `label` or `positive`; all are, where both columns are
    missing. A control point table exported by 3D Slicer (`label, l, p, s, defined, …`) is read as well; there the label
    is a free name, read as `msam.clicks.positive_by_name` says, and points not yet placed are passed over.
    """

    def __init__(self, table: Table, frame: Frame) -> None:
        """Finds the columns; `frame` is for x, y, z without a column `frame`.

        Raises:
            PromptError: the columns of a position are missing, or there are several sets of them.
        """
        found = [(names, told) for names, told in POSITION_COLUMNS if set(names) <= set(table.columns)]
        if len(found) != 1:
            problem = "several sets of columns" if found else "no columns"
            raise PromptError(
                f"{table.file_name} has {problem} for the position. One set is needed: i, j, k in voxels, or r, a, s "
                "or l, p, s in mm, or x, y, z with the frame."
            )
        self._table = table
        self._names, told = found[0]
        self._frame = told or frame
        self._frame_column = told is None and "frame" in table.columns
        self._labels_are_names = told in ("ras", "lps")

    def click(self, row: Row) -> Click | None:
        """The click of a row; None where Slicer marks the point as not placed.

        Raises:
            PromptError: the position, the frame or the label cannot be read.
        """
        where = self._table.where(row)
        if row.cells.get("defined") == "0":
            return None
        position = as_position([row.cells[name] for name in self._names], where)
        frame = as_frame(row.cells["frame"], where) if self._frame_column else self._frame
        return Click(position, self._positive(row, where), frame)

    def _positive(self, row: Row, where: str) -> bool:
        if "positive" in row.cells:
            return as_positive(row.cells["positive"], where)
        if "label" not in row.cells:
            return True
        if self._labels_are_names:
            return positive_by_name(row.cells["label"]) is not False
        return as_positive(row.cells["label"], where)


def _filled_lines(lines: list[str], delimiter: str, file_name: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of every row that is not blank, with the number of its line."""
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise PromptError(f"{file_name}, line {reader.line_num}: the row cannot be read ({error}).") from error
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _check_header(columns: tuple[str, ...], known: tuple[str, ...], where: str) -> None:
    for name in columns:
        if columns.count(name) > 1:
            raise PromptError(f"{where}: the column {name!r} is there twice.")
        meant = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if name not in known and meant:
            raise PromptError(f"{where}: the column {name!r} is not known. If {meant[0]!r} is meant, rename it.")
