"""Keeps the picture of a plane in its view when the view changes its size."""

from __future__ import annotations

from trame_slicer.views import SliceView

# Of Slicer's own answer to a new size, before and after which one looks.
BEFORE, AFTER = 1.0, -1.0
RESIZED = "WindowResizeEvent"
# Relative difference of fields of view that counts as none.
ROUNDING = 1e-3


class Fitting:
    """One slice view: all of the scan as long as the user has not zoomed, else the part that was zoomed to."""

    def __init__(self, view: SliceView) -> None:
        self._view = view
        self._is_whole = True
        self._is_changing = False
        self._field = self._fields()
        view.interactor().AddObserver(RESIZED, self._before, BEFORE)
        view.interactor().AddObserver(RESIZED, self._after, AFTER)

    def fit(self) -> None:
        """Shows all of the scan, in the slice that is shown."""
        view, self._is_changing = self._view, True
        offset = view.get_slice_value()
        view.fit_view_to_content()
        view.set_slice_value(offset)
        self._is_whole, self._is_changing = True, False
        self._field = self._fields()

    def look(self) -> None:
        """Notes whether the user has zoomed."""
        if self._is_changing:
            return
        field = self._fields()
        if any(abs(new - old) > ROUNDING * old for new, old in zip(field, self._field, strict=True)):
            self._is_whole = False
        self._field = field

    def _fields(self) -> tuple[float, float]:
        width, height, _ = self._view.get_view_node().GetFieldOfView()
        return width, height

    def _before(self, *_: object) -> None:
        self._is_changing = True

    def _after(self, *_: object) -> None:
        if self._is_whole and self._view.get_background_volume_id():
            self.fit()
            return
        node = self._view.get_view_node()
        width, height, depth = node.GetFieldOfView()
        factor = min(self._field) / max(min(width, height), ROUNDING)
        node.SetFieldOfView(width * factor, height * factor, depth)
        self._field, self._is_changing = self._fields(), False
