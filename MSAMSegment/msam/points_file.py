"""Clicks from a file: a point list of 3D Slicer, plain JSON, or a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msam.clicks import (
    NEGATIVE_WORDS,
    POSITIVE_WORDS,
    Click,
    as_frame,
    as_position,
    as_positive,
    positive_by_name,
)
from msam.errors import PromptError
from msam.points_table import PointColumns, read_table, read_text
from msam.volume import Frame

# How `.mrk.json` names the frame; early versions of Slicer wrote its number.
SLICER_FRAMES: dict[str, Frame] = {"LPS": "lps", "RAS": "ras", "1": "lps", "0": "ras"}


def read_points(path: str | Path, frame: Frame = "ijk") -> list[Click]:
    """Reads clicks.

    **`.mrk.json` of 3D Slicer**: all placed control points of its point lists, in the frame the file states. A point is
    negative when its label says so, else when its description does, else when the name of its list does; it is positive
    when none of them says anything. A label or a name says "negative" by a leading "-" or by the word negative or neg
    (`Negative`, `neg-1`, `TumourNegative`), likewise "+", positive and pos; a description by that word alone.

    **JSON**: `[{"position": [x, y, z], "positive": true}, …]`, or `{"frame": "ras", "points": [ … ]}`. "label" with
    "positive" or "negative", 1 or 0 may stand in place of "positive"; without either the click is positive.

    **CSV** (also separated by semicolons or tabs), with a header: see `msam.points_table.PointColumns`.

    Args:
        path: ends in .json, .csv, .tsv or .txt.
        frame: the frame of positions for which the file states none.

    Raises:
        PromptError: the file cannot be read or holds no click; the text names the line or the point.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".json":
        clicks = _from_json(path, frame)
    elif suffix in (".csv", ".tsv", ".txt"):
        table = read_table(path)
        columns = PointColumns(table, frame)
        clicks = [click for row in table.rows if (click := columns.click(row)) is not None]
    else:
        raise PromptError(f"{path.name} is no file of clicks; they are read from .mrk.json, .json and .csv.")
    if not clicks:
        raise PromptError(f"{path.name} holds no placed point.")
    return clicks


def _from_json(path: Path, frame: Frame) -> list[Click]:
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise PromptError(f"{path.name}, line {error.lineno}: this is not JSON ({error.msg}).") from error
    except RecursionError as error:
        raise PromptError(f"{path.name} is nested too deeply for a list of clicks.") from error
    except ValueError as error:
        # What Python says of a whole number of thousands of digits.
        raise PromptError(f"{path.name} holds a number that is too long to be read.") from error
    if isinstance(content, dict) and "markups" in content:
        return _from_markups(content["markups"], path.name)
    if isinstance(content, dict):
        _check_keys(content, {"frame", "points"}, path.name)
        frame = as_frame(content["frame"], path.name) if "frame" in content else frame
        content = content.get("points")
    if not isinstance(content, list):
        raise PromptError(
            f"{path.name} holds no list of points. Write "
            '[{"position": [x, y, z], "positive": true}] or {"frame": "ras", "points": […]}.'
        )
    return [_plain_click(point, frame, f"{path.name}, point {n}") for n, point in enumerate(content, start=1)]


def _plain_click(point: Any, frame: Frame, where: str) -> Click:
    if not isinstance(point, dict) or "position" not in point:
        raise PromptError(f'{where}: a point is written {{"position": [x, y, z], "positive": true}}.')
    _check_keys(point, {"position", "positive", "label", "frame"}, where)
    if "frame" in point:
        frame = as_frame(point["frame"], where)
    positive = as_positive(point.get("positive", point.get("label", True)), where)
    return Click(as_position(point["position"], where), positive, frame)


def _check_keys(given: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise PromptError(f"{where}: {', '.join(unknown)} is not known here; known are {', '.join(sorted(known))}.")


def _from_markups(lists: Any, file_name: str) -> list[Click]:
    """The placed points of the point lists in a file of Slicer (markups schema 1.0)."""
    if not isinstance(lists, list) or not all(isinstance(item, dict) for item in lists):
        raise PromptError(f"{file_name} is no file of Slicer's markups: its list of markups is damaged.")
    clicks = []
    for markup in lists:
        if markup.get("type") != "Fiducial":
            raise PromptError(
                f"{file_name} holds a markup of the type {markup.get('type')!r}; clicks are read from point lists."
            )
        units = markup.get("coordinateUnits", "mm")
        if (units[:1] if isinstance(units, list) else [units]) != ["mm"]:
            raise PromptError(f"{file_name} has positions in {units!r}; clicks are read in mm.")
        stated = markup.get("coordinateSystem", "LPS")
        frame = SLICER_FRAMES.get(str(stated).upper())
        if frame is None:
            raise PromptError(f"{file_name} has positions in the frame {stated!r}; LPS and RAS are known.")
        points = markup.get("controlPoints", [])
        if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
            raise PromptError(f"{file_name} is no file of Slicer's markups: its list of control points is damaged.")
        by_list = positive_by_name(str(markup.get("name", "")))
        for number, point in enumerate(points, start=1):
            if point.get("positionStatus", "defined") == "defined":
                position = as_position(point.get("position"), f"{file_name}, point {number}")
                clicks.append(Click(position, _is_positive(point, by_list), frame))
    return clicks


def _is_positive(point: dict[str, Any], by_list: bool | None) -> bool:
    by_label = positive_by_name(str(point.get("label", "")))
    if by_label is not None:
        return by_label
    description = str(point.get("description", "")).strip().lower()
    if description in POSITIVE_WORDS | NEGATIVE_WORDS:
        return description in POSITIVE_WORDS
    return by_list is not False
