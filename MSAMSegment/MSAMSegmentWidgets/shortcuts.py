"""The keys of the module. They are there while it is shown, and none means anything else to Segment Editor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import qt

POSITIVE, NEGATIVE, REFINE, UNDO, REDO = "Shift+P", "Shift+N", "Shift+R", "Shift+Z", "Shift+Y"
# Segment Editor has this one too; here it is only there while points are placed.
END_PLACING = "Escape"


class Shortcuts:
    """Keys that are installed and removed together."""

    def __init__(self, window: Any, actions: Mapping[str, Callable[[], None]]) -> None:
        """Remembers; `install` installs.

        Args:
            window: where the keys count, normally the main window.
            actions: what each key does.
        """
        self._window, self._actions = window, actions
        self._installed: list[Any] = []

    @property
    def areInstalled(self) -> bool:
        """Whether the keys work."""
        return bool(self._installed)

    def install(self) -> None:
        """From now on the keys work."""
        if self._installed or self._window is None:
            return
        for key, action in self._actions.items():
            shortcut = qt.QShortcut(self._window)
            shortcut.setKey(qt.QKeySequence(key))
            shortcut.connect("activated()", action)
            self._installed.append(shortcut)

    def remove(self) -> None:
        """From now on the keys are free again."""
        for shortcut in filter(None, self._installed):  # those of a window that is gone are gone, and count as no
            shortcut.setEnabled(False)
            # It keeps its parent until then: without one it would go at once, maybe from within its own signal.
            shortcut.deleteLater()
        self._installed.clear()
