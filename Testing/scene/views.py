"""Real slice and 3D views without a screen, and a mouse and keyboard for them.

The displayable managers are Slicer's own; only what Slicer does with Qt and CTK is left out: the slice image is drawn
by an image mapper of this file, and events are handed to the interactor instead of coming from a window system.
"""

from __future__ import annotations

from pathlib import Path

import slicer
import vtk
from booted import Booted

SIZE = (400, 400)

SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLThreeDReformatDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


class View:
    """What slice and 3D views share: a window off the screen, a mouse and a keyboard."""

    def __init__(self, booted: Booted, factory: object, managers: tuple[str, ...]) -> None:
        self.scene = booted.scene
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)  # the software renderer is ten times slower with them
        self.window.SetSize(*SIZE)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self.managers = slicer.vtkMRMLDisplayableManagerGroup()
        factory.SetMRMLApplicationLogic(booted.application)
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.managers.Initialize(factory, self.renderer)

    def render(self) -> None:
        """Draws the view."""
        self.window.Render()

    def picture(self, path: Path) -> None:
        """Writes what the view shows as a PNG file."""
        self.render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        writer = vtk.vtkPNGWriter()
        writer.SetInputConnection(grab.GetOutputPort())
        writer.SetFileName(str(path))
        writer.Write()

    def pixels(self, world: tuple[float, float, float]) -> tuple[int, int]:
        """Where a place in the world is in the window (from the lower left)."""
        raise NotImplementedError

    def _send(self, events: str, at: tuple[int, int], key: str = "") -> None:
        for event in events.split():
            code = {"Delete": "\x7f", "BackSpace": "\b", "Escape": "\x1b"}.get(key, key or "\0")
            self.interactor.SetEventInformation(*at, 0, 0, code, 0, key or None)
            self.interactor.InvokeEvent(event)

    def move(self, world: tuple[float, float, float]) -> None:
        """Moves the mouse to a place."""
        self._at = self.pixels(world)
        self._send("EnterEvent MouseMoveEvent", self._at)

    def click(self, world: tuple[float, float, float], button: str = "Left") -> None:
        """Moves the mouse to a place and clicks."""
        self.move(world)
        self._send(f"{button}ButtonPressEvent {button}ButtonReleaseEvent", self._at)

    def drag(self, start: tuple[float, float, float], end: tuple[float, float, float], button: str = "Left") -> None:
        """Presses at one place and lets go at another, in five steps."""
        self.press(start, button)
        first, last = self._at, self.pixels(end)
        for step in range(1, 6):
            self._at = tuple(round(a + (b - a) * step / 5) for a, b in zip(first, last, strict=True))
            self._send("MouseMoveEvent", self._at)
        self.release(button)

    def press(self, world: tuple[float, float, float], button: str = "Left") -> None:
        """Moves the mouse to a place and presses a button there."""
        self.move(world)
        self._send(f"{button}ButtonPressEvent", self._at)

    def release(self, button: str = "Left") -> None:
        """Lets go of a button where the mouse is."""
        self._send(f"{button}ButtonReleaseEvent", self._at)

    def key(self, name: str) -> None:
        """Presses a key where the mouse is."""
        self._send("KeyPressEvent KeyReleaseEvent", self._at, name)

    def leave(self) -> None:
        """Moves the mouse out of the view."""
        self._send("LeaveEvent", (0, 0))

    def close(self) -> None:
        """Takes the view and its nodes out of the scene, so that the next view can have its name."""
        self.style.SetInteractor(None)
        self.managers.SetMRMLDisplayableNode(None)
        self.logics.RemoveItem(self.logic)
        self.logic.SetMRMLScene(None)
        for node in self.ownNodes:
            self.scene.RemoveNode(node)
        self.window.Finalize()


class SliceView(View):
    """A slice view of a volume: "Axial", "Sagittal", "Coronal", or along the volume's own axes with `straighten`."""

    def __init__(self, booted: Booted, name: str = "Red", orientation: str = "Axial") -> None:
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        super().__init__(booted, factory, SLICE_MANAGERS)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(booted.application)
        self.logics = booted.application.GetSliceLogics()
        self.logics.AddItem(self.logic)
        self.logic.SetMRMLScene(self.scene)
        self.node = self.logic.AddSliceNode(name)
        self.ownNodes = (self.node, self.logic.GetSliceCompositeNode())
        self.node.SetOrientation(orientation)
        self.managers.SetMRMLDisplayableNode(self.node)
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.managers)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.style.SetInteractor(self.interactor)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._image = vtk.vtkActor2D()
        self._image.SetMapper(self._mapper)
        self._image.GetProperty().SetDisplayLocationToBackground()

    def show(
        self, volume: slicer.vtkMRMLVolumeNode, world: tuple[float, float, float], straighten: bool = False
    ) -> None:
        """Shows the slice of a volume through a place in the world."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self.logic.ResizeSliceNode(*SIZE)
        if straighten:
            self.node.RotateToVolumePlane(volume)
        self.logic.FitSliceToBackground()
        self.node.JumpSliceByOffsetting(*world)
        self.render()

    def render(self) -> None:
        connection = self.logic.GetImageDataConnection()
        if connection is not None and not self.renderer.HasViewProp(self._image):
            self._mapper.SetInputConnection(connection)
            self.renderer.AddViewProp(self._image)
        super().render()

    def pixels(self, world: tuple[float, float, float]) -> tuple[int, int]:
        matrix = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), matrix)
        x, y, _, _ = matrix.MultiplyPoint((*world, 1.0))
        return round(x), round(y)

    def world(self, pixels: tuple[int, int]) -> tuple[float, float, float]:
        """The place in the world under a pixel."""
        return self.node.GetXYToRAS().MultiplyPoint((*pixels, 0.0, 1.0))[:3]

    @property
    def millimetresPerPixel(self) -> float:
        """Size of a pixel."""
        return self.node.GetFieldOfView()[0] / SIZE[0]


class ThreeDView(View):
    """A 3D view that looks from the front."""

    def __init__(self, booted: Booted, name: str = "1") -> None:
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        super().__init__(booted, factory, THREE_D_MANAGERS)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(booted.application)
        self.logics = booted.application.GetViewLogics()
        self.logics.AddItem(self.logic)
        self.logic.SetMRMLScene(self.scene)
        self.node = self.logic.AddViewNode(name)
        self.ownNodes = (self.node,)
        self.managers.SetMRMLDisplayableNode(self.node)
        self.style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self.style.SetDisplayableManagers(self.managers)
        self.style.SetInteractor(self.interactor)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyle3D())

    def pixels(self, world: tuple[float, float, float]) -> tuple[int, int]:
        self.renderer.SetWorldPoint(*world, 1.0)
        self.renderer.WorldToDisplay()
        x, y, _ = self.renderer.GetDisplayPoint()
        return round(x), round(y)

    def fit(self) -> None:
        """Moves the camera so that all is seen."""
        self.renderer.ResetCamera()
        self.render()
