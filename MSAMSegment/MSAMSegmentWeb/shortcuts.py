"""The keys that do what buttons do. The page's script takes them from here, and its help lists them."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Shortcut:
    """A key and what it does.

    Attributes:
        keys: as the browser names them (`KeyboardEvent.key`), lower case, with "ctrl+" and "shift+" in front; the
            command key of a Mac counts as Ctrl.
        action: the name of the page's action, or of one that the browser does by itself (`ofTheBrowser` in page.js).
        shown: as people read it.
        help: what it does.
        repeats: whether it goes on while the key is held.
    """

    keys: tuple[str, ...]
    action: str
    shown: str
    help: str
    repeats: bool = False


SHORTCUTS = (
    Shortcut(("a",), "place_positive", "A", "Click on the lesion"),
    Shortcut(("s",), "place_negative", "S", "Click on background"),
    Shortcut(("escape",), "stop", "Esc", "Close a message, cancel a step, or stop placing points"),
    Shortcut(("r",), "refine", "R", "Refine without a new click"),
    Shortcut(("ctrl+z",), "undo", "Ctrl+Z", "Undo"),
    Shortcut(("ctrl+shift+z", "ctrl+y"), "redo", "Ctrl+Shift+Z", "Redo"),
    Shortcut(("arrowup", "arrowright"), "next_slice", "↑ →", "Next slice of the plane under the mouse", repeats=True),
    Shortcut(("arrowdown", "arrowleft"), "previous_slice", "↓ ←", "Previous slice", repeats=True),
    Shortcut(("n",), "add_segment", "N", "New segment"),
    Shortcut(("v",), "toggle_visible", "V", "Show or hide the segment"),
    Shortcut(("l",), "next_layout", "L", "Next layout"),
    Shortcut(("w",), "next_window", "W", "Next window"),
    Shortcut(("f",), "fit", "F", "Show the whole scan"),
    Shortcut(("?",), "help", "?", "Show or hide this list"),
)

# What the mouse does in the views; Slicer's own, but for window and level.
MOUSE = (
    ("Wheel", "Next or previous slice"),
    ("Ctrl + left drag", "Window (sideways) and level (up and down)"),
    ("Right drag", "Zoom"),
    ("Middle drag", "Move the picture"),
    ("Shift + move", "The other planes follow the mouse"),
    ("Left drag on a point", "Move the point"),
    ("Left drag in 3D", "Turn"),
)


def as_state() -> dict[str, object]:
    """For the page's state."""
    return {
        "shortcuts": [{**asdict(shortcut), "keys": list(shortcut.keys)} for shortcut in SHORTCUTS],
        "mouse": [{"shown": shown, "help": text} for shown, text in MOUSE],
    }
