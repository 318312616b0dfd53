"""What the .ui file asks of Qt and of Slicer."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from functools import cache

from source_reading import MODULE

UI = MODULE / "Resources" / "UI" / "MSAMSegment.ui"


@cache
def tree() -> ElementTree.Element:
    """The file."""
    return ElementTree.parse(UI).getroot()


def widgets() -> dict[str, str]:
    """The class of every widget, by name."""
    return {each.get("name"): each.get("class") for each in tree().iter("widget")}


def properties() -> list[tuple[str, str, str]]:
    """Every property that is set on a widget, without dynamic ones: widget, its class, property."""
    return [
        (widget.get("name"), widget.get("class"), each.get("name"))
        for widget in tree().iter("widget")
        for each in widget.findall("property")
        if each.get("stdset") != "0"
    ]


def parameters() -> dict[str, str]:
    """The name of the widget that each parameter is bound to."""
    return {
        each.findtext("string"): widget.get("name")
        for widget in tree().iter("widget")
        for each in widget.findall("property")
        if each.get("name") == "SlicerParameterName"
    }


def text_of(widget: str, name: str) -> str | None:
    """The text of a property of a widget; None when it is not set."""
    found = tree().find(f".//widget[@name='{widget}']/property[@name='{name}']/string")
    return None if found is None else found.text or ""


def connections() -> list[tuple[str, str, str, str]]:
    """Sender, signal, receiver, slot."""
    return [
        tuple(each.findtext(part) for part in ("sender", "signal", "receiver", "slot"))
        for each in tree().iter("connection")
    ]
