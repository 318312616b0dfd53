"""What the buttons and keys of the page do: each a call of the logic, or of the views."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from trame_server import Server

from msam.errors import MsamError
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.masking import Overwrite
from MSAMSegmentWeb.colours import to_rgb
from MSAMSegmentWeb.exports import Exports
from MSAMSegmentWeb.panel import Panel, is_shown
from MSAMSegmentWeb.views import LAYOUTS, Views
from MSAMSegmentWeb.work import Work

logger = logging.getLogger(__name__)

MOST_ITERATIONS = 20


class Actions:
    """Every public method can be triggered from the browser by its name."""

    def __init__(
        self, server: Server, logic: MSAMSegmentLogic, views: Views, panel: Panel, work: Work, exports: Exports
    ) -> None:
        self._state = server.state
        self._logic, self._views, self._panel, self._work, self._exports = logic, views, panel, work, exports
        self._state.update({"layout": "four", "only": "", "planes_3d": False})
        for name, method in inspect.getmembers(self, inspect.ismethod):
            if not name.startswith("_"):
                server.trigger(name)(self._guarded(method))
        self._views.draw_only("")

    # Points

    def place_positive(self) -> None:
        """Clicks mean lesion from now on; a second time, they mean nothing."""
        self._place(True)

    def place_negative(self) -> None:
        """Clicks mean background from now on; a second time, they mean nothing."""
        self._place(False)

    def remove_point(self, identifier: int) -> None:
        """Takes a point away."""
        self._logic.removePoint(identifier)

    def flip_point(self, identifier: int) -> None:
        """Makes lesion of background, and the other way round."""
        self._logic.flipPoint(identifier)

    def show_point(self, identifier: int) -> None:
        """Brings the planes to a point."""
        for point in self._logic.points():
            if point["identifier"] == identifier:
                self._views.jump(point["positionRas"])

    def enter(self, tag: str) -> None:
        """The mouse is in a view."""
        self._views.enter(tag)

    def leave(self, tag: str) -> None:
        """The mouse has left a view."""
        self._views.leave(tag)

    def clear(self) -> None:
        """Empties the segment: points and mask."""
        self._logic.clearPoints()

    # Steps

    def refine(self) -> None:
        """Feeds the mask back, as often as is set."""
        settings = self._logic.settings
        self._logic.refine(settings.refineIterations, preview=settings.previewRefinement)

    def accept(self) -> None:
        """Keeps the refinement that is shown."""
        self._logic.acceptRefinement()

    def reject(self) -> None:
        """Goes back to before the refinement."""
        self._logic.rejectRefinement()

    def undo(self) -> None:
        """One step back."""
        if self._logic.canUndo:
            self._logic.undo()

    def redo(self) -> None:
        """One step forth."""
        if self._logic.canRedo:
            self._logic.redo()

    def stop(self) -> None:
        """Cancels what is running; with nothing running, ends placing."""
        if self._work.cancel_reading():
            return
        if self._logic.isBusy:
            self._logic.cancel()
        else:
            self._logic.stopPlacing()

    def cancel(self) -> None:
        """Cancels what is running."""
        self._logic.cancel()

    def retry(self) -> None:
        """Asks again after an error."""
        self._state.error = ""
        self._logic.retry()

    # Segments

    def add_segment(self) -> None:
        """A new, empty segment, selected."""
        self._require_scan()
        self._work.add_segment()
        self._logic.startPlacing(True)

    def select_segment(self, identifier: str) -> None:
        """The segment whose points are shown."""
        self._logic.selectSegment(identifier)

    def rename_segment(self, identifier: str, name: str) -> None:
        """Gives a segment another name; an empty one leaves it as it is."""
        if name.strip():
            self._logic.renameSegment(identifier, name.strip())
        self._panel.refresh()

    def colour_segment(self, identifier: str, colour: str) -> None:
        """Sets a colour, as #rrggbb."""
        self._logic.setSegmentColor(identifier, to_rgb(colour))

    def show_segment(self, identifier: str, shown: bool) -> None:
        """Shows or hides a segment."""
        self._logic.setSegmentVisible(identifier, shown)

    def toggle_visible(self) -> None:
        """Shows or hides the selected segment."""
        identifier = self._logic.selectedSegment
        if identifier:
            self._logic.setSegmentVisible(identifier, not is_shown(self._logic.segmentation, identifier))

    def remove_segment(self, identifier: str) -> None:
        """Removes a segment, points and all; after the last one there is an empty one, as for a scan just opened."""
        self._logic.removeSegment(identifier)
        if not self._logic.segmentIds():
            self._work.add_segment()

    # Settings

    def set_iterations(self, count: int) -> None:
        """How often a press of Refine refines."""
        self._logic.settings.refineIterations = min(max(int(count), 1), MOST_ITERATIONS)
        self._panel.refresh()

    def set_preview(self, wanted: bool) -> None:
        """Whether a refinement waits to be kept or rejected."""
        self._logic.settings.previewRefinement = bool(wanted)
        self._panel.refresh()

    def set_overwrite(self, name: str) -> None:
        """What happens where segments meet."""
        self._logic.settings.overwrite = Overwrite[name]
        self._panel.refresh()

    # What is seen

    def set_layout(self, layout: str) -> None:
        """Another arrangement of the views."""
        self._state.layout, self._state.only = layout if layout in LAYOUTS else "four", ""
        self._views.draw_only("")

    def next_layout(self) -> None:
        """The next arrangement of the views."""
        self.set_layout(LAYOUTS[(LAYOUTS.index(self._state.layout) + 1) % len(LAYOUTS)])

    def enlarge(self, tag: str) -> None:
        """One view alone; again, all of them."""
        self._state.only = "" if self._state.only == tag else tag
        self._views.draw_only(self._state.only)

    def next_slice(self) -> None:
        """One slice on, in the plane that the mouse is in."""
        self._views.step(1)

    def previous_slice(self) -> None:
        """One slice back."""
        self._views.step(-1)

    def fit(self) -> None:
        """All of the scan in every view."""
        self._views.fit()

    def show_3d(self, shown: bool) -> None:
        """Whether segments are seen as surfaces."""
        self._logic.show3D(shown)
        self._panel.refresh()

    def show_planes(self, shown: bool) -> None:
        """Whether the slices stand in the 3D view."""
        self._state.planes_3d = shown
        self._views.show_planes_in_3d(shown)

    def set_window(self, preset: str) -> None:
        """A preset of window and level."""
        if self._work.windows is not None:
            self._work.windows.use(preset)
            self._work.show_window(preset)

    def next_window(self) -> None:
        """The next preset of window and level."""
        keys = [preset["key"] for preset in self._state.presets]
        if keys:
            at = keys.index(self._state.preset) if self._state.preset in keys else -1
            self.set_window(keys[(at + 1) % len(keys)])

    def adjust_window(self, width: float, level: float) -> None:
        """Window and level of the user's own."""
        if self._work.windows is not None:
            self._work.windows.set(float(width), float(level))
            self._work.show_window("")

    # Hints, help, files

    def dismiss_hint(self) -> None:
        """No hints any more."""
        self._panel.dismiss_hint()

    def dismiss_error(self) -> None:
        """The error has been read."""
        self._state.error = ""

    async def choose_series(self, identifier: str) -> None:
        """Opens one of several series."""
        await self._work.choose(identifier)

    def cancel_reading(self) -> None:
        """Gives up the scan that is being read."""
        self._work.cancel_reading()

    async def sample(self) -> None:
        """Opens the sample scan."""
        from MSAMSegmentWeb.demo import open_sample

        await open_sample(self._work, self._logic, click=False)

    async def export(self, what: str, ending: str, separate: bool) -> str | None:
        """Writes segments into a file and returns its address; None after an error."""
        return await self._exports.write(what, ending, separate=separate)

    # Inner workings

    def _place(self, positive: bool) -> None:
        self._require_scan()
        if self._logic.placing is positive:
            self._logic.stopPlacing()
        else:
            self._logic.startPlacing(positive)

    def _require_scan(self) -> None:
        if self._logic.inputVolume is None:
            raise MsamError("Open a scan first.")
        if not self._logic.selectedSegment:
            self._work.add_segment()

    def _guarded(self, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Turns what goes wrong into a message on the page."""

        @functools.wraps(method)
        async def call(*arguments: Any) -> Any:
            try:
                result = method(*arguments)
                return await result if inspect.isawaitable(result) else result
            except MsamError as error:
                self._panel.say(str(error))
            except Exception as error:
                logger.error("the action %s failed: %s", method.__name__, type(error).__name__)
                self._panel.say("That did not work, for a reason nobody foresaw. Try it again.")
            return None

        return call
