"""The four views: three planes and 3D, drawn by Slicer's own displayable managers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from string import Template

import slicer
from trame.widgets import html
from trame_server import Server
from trame_slicer.core import SlicerApp
from trame_slicer.rca_view import RemoteSliceViewFactory, RemoteThreeDViewFactory
from trame_slicer.views import AbstractView, SliceView, ThreeDView, ViewLayoutDefinition

from MSAMSegmentWeb.fitting import Fitting

OVERLAYS = Path(__file__).parent / "page"
# Frames in a second: in the view under the pointer, and in the others, which have to follow a click at once.
FPS, OTHER_FPS = 30.0, 30.0
BACKGROUND_3D = ("#10151c", "#1d2630")

THREE_D = "ThreeD"
FIRST = 10.0  # of VTK's observers
# Lengths of the bar that shows the scale, in mm.
BARS = (200, 100, 50, 20, 10, 5, 2, 1)


class Plane:
    """A slice view as the page names it: Slicer's own tags, and the directions at its edges."""

    def __init__(self, tag: str, orientation: str, edges: str) -> None:
        self.tag, self.orientation = tag, orientation
        self.left, self.right, self.top, self.bottom = tuple(edges)


PLANES = (Plane("Red", "Axial", "RLAP"), Plane("Green", "Coronal", "RLSI"), Plane("Yellow", "Sagittal", "APSI"))
# Ends of the axes (RAS), and how well a plane has to be across one for its offset to be a coordinate.
ENDS, STRAIGHT = ("RL", "AP", "SI"), 0.9999
COLOURS = {"Red": "#F34A33", "Green": "#6DAD4A", "Yellow": "#EFD64D"}

# Arrangements of all four views; where each of them stands is in the page's style sheet.
LAYOUTS = ("four", "axial", "volume")


class Views:
    """Makes the views and keeps the page's sliders in step with them.

    State of the page, for every slice view: `offset_<tag>`, `first_<tag>`, `last_<tag>`, `step_<tag>` (mm),
    `place_<tag>`, the offset as people read it, and `scale_<tag>`, the bar that shows how large things are.
    """

    def __init__(self, server: Server, libraries: SlicerApp) -> None:
        self._state = server.state
        self._manager = libraries.view_manager
        self._fittings: dict[str, Fitting] = {}
        self._left: set[str] = set()
        self._entered = PLANES[0].tag
        options = {"target_fps": FPS, "blur_fps": OTHER_FPS, "interactive_quality": 70}
        self._manager.register_factory(RemoteSliceViewFactory(server, populate_view_ui_f=_plane_overlay, **options))
        self._manager.register_factory(RemoteThreeDViewFactory(server, populate_view_ui_f=_volume_overlay, **options))
        for plane in PLANES:
            self._state.update({f"{name}_{plane.tag}": 0.0 for name in ("offset", "first", "last")})
            self._state.update({f"step_{plane.tag}": 1.0, f"scale_{plane.tag}": _scale(0.0), f"place_{plane.tag}": ""})
            definition = ViewLayoutDefinition.slice_view(plane.orientation, label=plane.tag, color=COLOURS[plane.tag])
            self._adopt(self._manager.create_view(definition), plane.tag)
        volume = ViewLayoutDefinition.threed_view(background_color=BACKGROUND_3D)
        self._adopt(self._manager.create_view(volume), THREE_D)
        for plane in PLANES:
            view = self.plane(plane.tag)
            self._fittings[plane.tag] = Fitting(view)
            view.modified.connect(partial(self._show_offset, plane.tag))
            self._state.change(f"offset_{plane.tag}")(partial(self._move_plane, plane.tag))
        # Surfaces come and go between the movements of the mouse after which Slicer does this.
        renderer = self.volume.renderer()
        renderer.AddObserver("StartEvent", lambda *_: renderer.ResetCameraClippingRange())
        self.volume.set_orientation_marker(
            slicer.vtkMRMLAbstractViewNode.OrientationMarkerTypeCube,
            slicer.vtkMRMLAbstractViewNode.OrientationMarkerSizeSmall,
        )

    @property
    def volume(self) -> ThreeDView:
        """The 3D view."""
        return self._manager.get_view(THREE_D)

    def plane(self, tag: str) -> SliceView:
        """A slice view by its tag."""
        return self._manager.get_view(tag)

    def show(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> None:
        """Shows a scan in the planes, all of it. Volume rendering stays off: without a GPU a frame takes seconds."""
        for plane in PLANES:
            view = self.plane(plane.tag)
            view.set_background_volume_id(node.GetID() if node else None)
            if node:
                view.reset_view()
                self._fittings[plane.tag].fit()

    def fit(self) -> None:
        """Shows all of the scan in the planes, and all that is seen in 3D."""
        for fitting in self._fittings.values():
            fitting.fit()
        self.volume.reset_view()

    def draw_only(self, tag: str) -> None:
        """Draws one view and leaves the others, which are not seen, alone; all of them for ""."""
        self._manager.set_current_view_ids([tag] if tag else [THREE_D, *(plane.tag for plane in PLANES)])

    def jump(self, position: Sequence[float]) -> None:
        """Brings all planes to a position (RAS, mm)."""
        for plane in PLANES:
            self.plane(plane.tag).get_view_node().JumpSliceByOffsetting(*position)

    def enter(self, tag: str) -> None:
        """The mouse is in a view."""
        self._left.discard(tag)
        if tag != THREE_D:
            self._entered = tag

    def leave(self, tag: str) -> None:
        """Tells a view that the mouse has left it: the point that a click would place must not stay behind."""
        self._left.add(tag)
        self._manager.get_view(tag).interactor().InvokeEvent("LeaveEvent")

    def step(self, slices: int) -> None:
        """Goes so many slices on, or back, in the plane that the mouse is in or was in last."""
        view = self.plane(self._entered)
        first, last = view.get_slice_range()
        view.set_slice_value(min(max(view.get_slice_value() + slices * view.get_slice_step(), first), last))

    def show_planes_in_3d(self, shown: bool) -> None:
        """Whether the slices stand in the 3D view too."""
        for plane in PLANES:
            self.plane(plane.tag).set_visible_in_3d(shown)

    def look_at(self, bounds: Sequence[float]) -> None:
        """Turns the 3D view to a box (RAS, mm): left, right, back, front, bottom, top."""
        if bounds[0] > bounds[1]:
            return
        self.volume.renderer().ResetCamera(list(bounds))
        self.volume.schedule_render()

    def draw(self) -> None:
        """Draws everything anew: for a browser that has just come."""
        for view in self._all():
            view.schedule_render()

    def _all(self) -> list[AbstractView]:
        return list(self._manager.get_views())

    def _on_movement(self, tag: str) -> None:
        """Movements of the mouse can arrive when it has left already."""
        if tag in self._left:
            asyncio.get_running_loop().call_soon(self.leave, tag)

    def _adopt(self, view: AbstractView, tag: str) -> None:
        # Eight samples for each pixel, as the views come, cost 50 ms a frame without a GPU.
        view.render_window().SetMultiSamples(0)
        # Before Slicer's own observers, which keep to themselves what they made something of.
        view.interactor().AddObserver("MouseMoveEvent", lambda *_: self._on_movement(tag), FIRST)
        view.schedule_render()

    def _show_offset(self, tag: str, view: SliceView) -> None:
        self._fittings[tag].look()
        first, last = view.get_slice_range()
        values = {"first": first, "last": last, "step": view.get_slice_step(), "offset": view.get_slice_value()}
        with self._state:
            for name, value in values.items():
                self._state[f"{name}_{tag}"] = round(float(value), 3)
            matrix = view.get_view_node().GetSliceToRAS()
            normal = [matrix.GetElement(axis, 2) for axis in range(3)]
            self._state[f"place_{tag}"] = place_of(normal, float(values["offset"]))
            self._state[f"scale_{tag}"] = _scale(view.get_view_node().GetFieldOfView()[0])

    def _move_plane(self, tag: str, **state: object) -> None:
        view, value = self.plane(tag), state[f"offset_{tag}"]
        if isinstance(value, int | float) and abs(value - view.get_slice_value()) > 1e-3:
            view.set_slice_value(float(value))


def place_of(normal: Sequence[float], offset: float) -> str:
    """Where a slice lies: by side, as the list of points says it; oblique to all axes, along its own normal (RAS)."""
    axis = max(range(3), key=lambda each: abs(normal[each]))
    if abs(normal[axis]) < STRAIGHT:
        return f"{offset:.1f} mm".replace("-", "−")
    return f"{ENDS[axis][offset * normal[axis] < 0]} {abs(offset):.1f} mm"


def _scale(width: float) -> dict[str, str | float]:
    """The longest bar of a round length that takes at most a quarter of a view `width` mm wide."""
    length = next((length for length in BARS if length <= width / 4), 0)
    text = f"{length / 10:g} cm" if length >= 10 else f"{length:g} mm" if length else ""
    return {"text": text, "percent": round(100 * length / width, 2) if length else 0}


def _plane_overlay(_server: Server, view_id: str, view: SliceView) -> None:
    plane = next(plane for plane in PLANES if plane.tag == view.get_singleton_tag())
    html.Div(
        Template((OVERLAYS / "plane.html").read_text("utf-8")).substitute(
            tag=plane.tag,
            name=plane.orientation,
            left=plane.left,
            right=plane.right,
            top=plane.top,
            bottom=plane.bottom,
        ),
        classes=f"overlay overlay-{plane.tag}",
    )


def _volume_overlay(_server: Server, view_id: str, _view: ThreeDView) -> None:
    html.Div((OVERLAYS / "volume.html").read_text("utf-8"), classes="overlay")
