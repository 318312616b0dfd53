"""What PythonQt exposes in Slicer, from the lists beside the project; without them nothing is held against anything."""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path

FOLDER = Path(os.environ.get("MSAM_SHARED", Path(__file__).parents[3] / "shared")) / "slicer-api"


@functools.cache
def declared() -> dict[str, dict] | None:
    """The classes of Slicer and CTK as their headers have them; None where the list is not at hand."""
    path = FOLDER / "slicer-api.json"
    return json.loads(path.read_text())["classes"] if path.is_file() else None


@functools.cache
def live() -> dict[str, dict] | None:
    """The members that the classes have in a running Slicer, Qt's included; None where the list is not at hand."""
    path = FOLDER / "runtime-members.json"
    return json.loads(path.read_text()) if path.is_file() else None


def live_members(name: str) -> dict | None:
    """The members of a class, whichever Python module it comes from; None for one that is not listed."""
    lists = live() or {}
    return next((lists[key] for key in (f"qt.{name}", f"ctk.{name}", f"slicer.{name}") if key in lists), None)


def bases(name: str) -> list[str]:
    """A class of Slicer or CTK and those that it derives from, Qt's own last."""
    known = declared() or {}
    found, waiting = [], [name]
    while waiting:
        each = waiting.pop(0)
        found.append(each)
        waiting += known.get(each, {}).get("bases", [])
    return found


def plain(signature: str) -> str:
    """`name(type,type)` of a declaration such as `void name(const type& argument, type other)`."""
    name, arguments = re.fullmatch(r"(?:.*[\s*&])?(\w+)\((.*)\)", signature.strip()).groups()
    types = []
    for each in filter(None, (part.strip() for part in arguments.split(","))):
        each = each.split("=")[0].replace("const ", "").replace("&", "").strip()
        found = re.fullmatch(r"([\w:]+(?:\s*\*)?)\s*(\w+)?", each)
        types.append(found[1].replace(" ", "") if found else each)
    return f"{name}({','.join(types)})"


def declared_signals(name: str) -> set[str]:
    """The signals of a class of Slicer or CTK and of its bases there, as `plain` writes them."""
    known = declared() or {}
    return {plain(signal) for each in bases(name) for signal in known.get(each, {}).get("signals", ())}


def declared_properties(name: str) -> dict[str, str]:
    """The properties of a class of Slicer or CTK and of its bases there, with their types."""
    known = declared() or {}
    return {
        key: kind
        for each in reversed(bases(name))
        for key, kind in known.get(each, {}).get("properties_types", {}).items()
    }
