"""Observers of VTK objects that keep nobody alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import vtk

# After all observers with the usual priority: what is done in answer must not pull a node away under them.
LAST = -1.0


class Observers:
    """The observers that one object has put on others.

    Methods are held weakly: a VTK object that holds its observer, which holds the VTK object, is a ring that Python's
    garbage collector takes apart in an order that crashes.
    """

    def __init__(self) -> None:
        self._tags: list[tuple[vtk.vtkObject, int]] = []

    def add(self, caller: vtk.vtkObject, event: int, method: Callable[..., None], *arguments: object) -> None:
        """Calls a bound method with these arguments whenever the event happens."""
        weak = weakref.WeakMethod(method)

        def call(_caller: Any, _event: str) -> None:
            alive = weak()
            if alive is not None:
                alive(*arguments)

        self._tags.append((caller, caller.AddObserver(event, call, LAST)))

    def addWithObject(self, caller: vtk.vtkObject, event: int, method: Callable[[Any], None]) -> None:
        """Calls a bound method with the VTK object that comes with the event."""
        weak = weakref.WeakMethod(method)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def call(_caller: Any, _event: str, subject: Any) -> None:
            alive = weak()
            if alive is not None:
                alive(subject)

        self._tags.append((caller, caller.AddObserver(event, call, LAST)))

    def removeFrom(self, *callers: vtk.vtkObject | None) -> None:
        """Stops observing these objects."""
        for entry in [entry for entry in self._tags if entry[0] in callers]:
            entry[0].RemoveObserver(entry[1])
            self._tags.remove(entry)

    def clear(self) -> None:
        """Stops observing."""
        for caller, tag in self._tags:
            caller.RemoveObserver(tag)
        self._tags.clear()
