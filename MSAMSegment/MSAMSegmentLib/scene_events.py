"""What happens in the scene, told to the logic in its own terms."""

from __future__ import annotations

from typing import Any, Protocol

import slicer
import vtk

from MSAMSegmentLib.observers import Observers

Node = Any


class SceneReceiver(Protocol):
    """Who is told."""

    def onSceneReplaced(self) -> None:
        """The scene was closed, or another one was loaded into it: every node may be another."""

    def onNodeLeaving(self, node: Node) -> None:
        """A node is about to leave the scene."""

    def onSettingsModified(self) -> None:
        """The watched parameter node changed, or a node has left the scene that it may have referred to."""

    def onVolumeModified(self) -> None:
        """The watched volume has other voxels, another geometry or another place in the world."""

    def onSegmentsModified(self, segmentationNode: Node) -> None:
        """Segments were added, removed, renamed, coloured, moved in the list, shown or hidden."""

    def onVoxelsModified(self, segmentationNode: Node) -> None:
        """Voxels of some segment changed."""

    def onGridModified(self, segmentationNode: Node) -> None:
        """The segmentation has got another reference geometry."""


class SceneEvents:
    """Observes the scene, and the nodes in use as long as they are."""

    def __init__(self, scene: slicer.vtkMRMLScene, receiver: SceneReceiver) -> None:
        """Begins with the scene itself; nothing keeps the receiver alive."""
        self._scene = scene
        self._receiver = receiver
        self._observers = Observers()
        self._parameterNode: Node = None
        self._volume: Node = None
        self._segmentations: list[Node] = []
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self._observers.add(scene, event, receiver.onSceneReplaced)
        self._observers.addWithObject(scene, scene.NodeAboutToBeRemovedEvent, receiver.onNodeLeaving)
        self._observers.add(scene, scene.NodeRemovedEvent, self._onSettings)

    def watchSettings(self, parameterNode: Node) -> None:
        """Watches this parameter node, and no other."""
        if parameterNode is not self._parameterNode:
            self._observers.removeFrom(self._parameterNode)
            self._parameterNode = parameterNode
            self._observers.add(parameterNode, vtk.vtkCommand.ModifiedEvent, self._onSettings)

    def watchVolume(self, volumeNode: Node) -> None:
        """Watches this volume, and no other; None for none."""
        if volumeNode is self._volume:
            return
        self._observers.removeFrom(self._volume)
        self._volume = volumeNode
        if volumeNode is not None:
            place = volumeNode.TransformModifiedEvent
            for event in (volumeNode.ImageDataModifiedEvent, place, vtk.vtkCommand.ModifiedEvent):
                self._observers.add(volumeNode, event, self._receiver.onVolumeModified)

    def watchSegmentation(self, segmentationNode: Node) -> None:
        """Watches this segmentation, too."""
        if segmentationNode in self._segmentations:
            return
        self._segmentations.append(segmentationNode)
        kind, receiver = slicer.vtkSegmentation, self._receiver
        for event in (
            kind.SegmentAdded,
            kind.SegmentRemoved,
            kind.SegmentModified,
            kind.SegmentsOrderModified,
            segmentationNode.DisplayModifiedEvent,
        ):
            self._observers.add(segmentationNode, event, receiver.onSegmentsModified, segmentationNode)
        voxels = kind.SourceRepresentationModified
        self._observers.add(segmentationNode, voxels, receiver.onVoxelsModified, segmentationNode)
        grid = segmentationNode.ReferenceImageGeometryChangedEvent
        self._observers.add(segmentationNode, grid, receiver.onGridModified, segmentationNode)

    def leave(self, node: Node) -> None:
        """Watches a node no more."""
        self._observers.removeFrom(node)
        if node is self._volume:
            self._volume = None
        if node is self._parameterNode:
            self._parameterNode = None
        if node in self._segmentations:
            self._segmentations.remove(node)

    def close(self) -> None:
        """Watches nothing any more."""
        self._observers.clear()

    def _onSettings(self) -> None:
        # What they refer to is not all there yet, or not all gone; the end of it is told of, too.
        if not self._scene.IsImporting() and not self._scene.IsClosing():
            self._receiver.onSettingsModified()
