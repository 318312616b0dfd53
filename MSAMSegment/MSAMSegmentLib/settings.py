"""What the scene remembers of the module's choices, with types.

They lie in the scene's parameter node "MSAMSegment", written exactly as Slicer's `parameterNodeWrapper` writes them, so
that a wrapper class with the same fields can be bound to widgets: text for numbers, "True" or "False", the name of a
choice, and a reference for a node. Whatever cannot be read counts as not set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

import slicer

from MSAMSegmentLib.masking import Overwrite, WriteOptions

MODULE_NAME = "MSAMSegment"
NODE_CLASS = "vtkMRMLScriptedModuleNode"

Value = TypeVar("Value")


class Parameter(Generic[Value]):
    """A field that is kept as text under its own name."""

    def __init__(self, default: Value, read: Callable[[str], Value], write: Callable[[Value], str] = str) -> None:
        self.default, self._read, self._write = default, read, write

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, settings: None, owner: type) -> Parameter[Value]: ...
    @overload
    def __get__(self, settings: SceneSettings, owner: type) -> Value: ...
    def __get__(self, settings: SceneSettings | None, owner: type) -> Any:
        if settings is None:
            return self
        if not settings.parameterNode.HasParameter(self.name):
            return self.default
        try:
            return self._read(settings.parameterNode.GetParameter(self.name))
        except (ValueError, KeyError):
            return self.default

    def __set__(self, settings: SceneSettings, value: Value) -> None:
        settings.parameterNode.SetParameter(self.name, self._write(value))


class NodeReference:
    """A field that refers to a node; its own name is the role of the reference."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, settings: SceneSettings | None, owner: type) -> Any:
        return self if settings is None else settings.parameterNode.GetNodeReference(self.name)

    def __set__(self, settings: SceneSettings, node: slicer.vtkMRMLNode | None) -> None:
        wasModifying = settings.parameterNode.StartModify()
        # The wrapper tells from the text, which is always empty, that the reference was set at all.
        settings.parameterNode.SetParameter(self.name, "")
        settings.parameterNode.SetNodeReferenceID(self.name, None if node is None else node.GetID())
        settings.parameterNode.EndModify(wasModifying)


def flag(default: bool) -> Parameter[bool]:
    """A field that is true or false."""
    return Parameter(default, lambda text: text == "True")


class SceneSettings:
    """The settings of one scene, kept in its parameter node.

    Attributes:
        inputVolume: the scan that is clicked on, or None.
        segmentation: the node that the segments lie in, or None.
        selectedSegmentId: whose points are shown and changed; "" for none.
        refineIterations: how many refinements one press of the button means.
        previewRefinement: whether a refinement waits to be accepted or rejected.
        overwrite: what happens where the new mask meets other segments.
        editableArea: where masks may be written when `overwrite` is ONLY_WHERE_ALLOWED: the text of a value of
            `vtkMRMLSegmentationNode` as `ConvertMaskModeToString` has it; "EditAllowedEverywhere" by default.
        maskSegmentId: the segment that `editableArea` speaks of, if it speaks of one.
        useIntensityRange, intensityLow, intensityHigh: whether only voxels within these values are written.
        show3D: whether the segments are shown as surfaces.
    """

    inputVolume = NodeReference()
    segmentation = NodeReference()
    selectedSegmentId = Parameter("", str)
    refineIterations = Parameter(3, int)
    previewRefinement = flag(False)
    overwrite = Parameter(Overwrite.KEEP_OTHERS, lambda name: Overwrite[name], lambda choice: choice.name)
    editableArea = Parameter("EditAllowedEverywhere", str)
    maskSegmentId = Parameter("", str)
    useIntensityRange = flag(False)
    intensityLow = Parameter(0.0, float)
    intensityHigh = Parameter(0.0, float)
    show3D = flag(True)

    def __init__(self, parameterNode: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.parameterNode = parameterNode

    @classmethod
    def of(cls, scene: slicer.vtkMRMLScene) -> SceneSettings:
        """The settings of a scene; their node is made when there is none."""
        node = scene.GetSingletonNode(MODULE_NAME, NODE_CLASS)
        if node is None:
            node = scene.CreateNodeByClass(NODE_CLASS)
            node.UnRegister(None)
            node.SetSingletonTag(MODULE_NAME)
            node.SetName(scene.GenerateUniqueName(MODULE_NAME))
            node = scene.AddNode(node)
        if node.GetAttribute("ModuleName") != MODULE_NAME:  # closing the scene keeps the node, but empties it
            node.SetAttribute("ModuleName", MODULE_NAME)
        return cls(node)

    def writeOptions(self) -> WriteOptions:
        """How masks are to be written."""
        area = slicer.vtkMRMLSegmentationNode.ConvertMaskModeFromString(self.editableArea)
        return WriteOptions(
            overwrite=self.overwrite,
            # Text of another version counts as not set, too.
            editableArea=max(area, slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere),
            maskSegmentId=self.maskSegmentId,
            intensityRange=(self.intensityLow, self.intensityHigh) if self.useIntensityRange else None,
        )
