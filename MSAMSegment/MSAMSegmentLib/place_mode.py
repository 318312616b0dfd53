"""Placing points with the mouse: the scene's place mode, as Slicer's tool bar and views understand it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.observers import Observers
from MSAMSegmentLib.prompts import Prompts
from MSAMSegmentLib.translation import tr as _

CLASS_NAME = "vtkMRMLMarkupsFiducialNode"


class PlaceMode:
    """Switches persistent placing of positive or negative points on and off, and knows when someone else did.

    Attributes:
        onChanged: called with `active` after it changed by anything other than `start` and `stop`: a right click,
            Escape, the mouse mode tool bar, another module, or closing the scene.
    """

    def __init__(
        self, scene: slicer.vtkMRMLScene, prompts: Prompts, onChanged: Callable[[bool | None], None] | None = None
    ) -> None:
        self.onChanged = onChanged
        self._scene = scene
        self._prompts = prompts
        self._told: bool | None = None
        self._starting = False
        self._observers = Observers()
        self._observers.add(scene, slicer.vtkMRMLScene.EndCloseEvent, self._onModified)
        prompts.onNodesMade = self._onNodesMade

    @property
    def active(self) -> bool | None:
        """True or False while positive or negative points are placed, else None."""
        interaction, selection = self._singletons()
        if interaction is None or selection is None or interaction.GetCurrentInteractionMode() != interaction.Place:
            return None
        if selection.GetActivePlaceNodeClassName() != CLASS_NAME:
            return None
        place = selection.GetActivePlaceNodeID()
        for positive, node in self._prompts.existingNodes().items():
            if node.GetID() == place:
                return positive
        return None

    def start(self, positive: bool) -> None:
        """From now on every click in a view places a point, until `stop` or the user ends it.

        Raises:
            SceneError: the scene has no nodes for the mouse's mode.
        """
        interaction, selection = self._singletons()
        if interaction is None or selection is None:
            raise SceneError(
                _("Points cannot be placed with the mouse: this scene has no mouse modes. Add them by call.")
            )
        self._observe(interaction, selection)
        node = self._prompts.nodes()[0 if positive else 1]
        self._starting = True
        try:
            selection.SetReferenceActivePlaceNodeClassName(CLASS_NAME)
            selection.SetReferenceActivePlaceNodeID(node.GetID())
            interaction.SwitchToPersistentPlaceMode()
        finally:
            self._starting = False
        self._told = self.active

    def stop(self) -> None:
        """Ends placing; does nothing when someone else places something else."""
        if self.active is None:
            return
        self._told = None
        self._singletons()[0].SwitchToViewTransformMode()

    def close(self) -> None:
        """Ends placing and stops observing."""
        self.stop()
        self.onChanged = None
        self._prompts.onNodesMade = None
        self._observers.clear()

    def _singletons(self) -> tuple[Any, Any]:
        """Looked up each time: a scene that is emptied altogether gets new ones."""
        return (
            self._scene.GetNodeByID("vtkMRMLInteractionNodeSingleton"),
            self._scene.GetNodeByID("vtkMRMLSelectionNodeSingleton"),
        )

    def _observe(self, interaction: slicer.vtkMRMLInteractionNode, selection: slicer.vtkMRMLSelectionNode) -> None:
        self._observers.removeFrom(interaction, selection)
        self._observers.add(interaction, interaction.InteractionModeChangedEvent, self._onModified)
        self._observers.add(selection, selection.ActivePlaceNodeIDChangedEvent, self._onModified)
        self._observers.add(selection, selection.ActivePlaceNodeClassNameChangedEvent, self._onModified)

    def _onModified(self) -> None:
        now = self.active
        if self._starting or now == self._told:
            return
        self._told = now
        if self.onChanged is not None:
            self.onChanged(now)

    def _onNodesMade(self) -> None:
        """The node that was placed into is a new one: placing goes on there."""
        if self._told is not None:
            self.start(self._told)
