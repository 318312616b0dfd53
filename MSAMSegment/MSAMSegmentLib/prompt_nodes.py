"""The two markups nodes that show the points of the selected segment: how they are found and how they look."""

from __future__ import annotations

from dataclasses import dataclass

import slicer

from MSAMSegmentLib.translation import tr as _

ROLE_ATTRIBUTE = "MSAMSegment.Role"


@dataclass(frozen=True)
class Look:
    """What makes one of the two nodes.

    Attributes:
        role: value of the attribute by which it is found again.
        name: shown to the user.
        color: of its points, RGB from 0 to 1.
        activeColor: of the point under the mouse.
        glyph: shape; it differs too, for eyes that do not tell red from green.
    """

    role: str
    name: str
    color: tuple[float, float, float]
    activeColor: tuple[float, float, float]
    glyph: str


LOOKS = {
    True: Look("positive", _("Positive points"), (0.1, 0.8, 0.25), (0.6, 1.0, 0.7), "Circle2D"),
    False: Look("negative", _("Negative points"), (0.95, 0.2, 0.15), (1.0, 0.65, 0.6), "Square2D"),
}

GLYPH_PERCENT = 2.6


def find_nodes(scene: slicer.vtkMRMLScene, positive: bool) -> list[slicer.vtkMRMLMarkupsFiducialNode]:
    """All nodes of the scene that have the role, oldest first; more than one only after an import."""
    nodes = scene.GetNodesByClass("vtkMRMLMarkupsFiducialNode")
    nodes.UnRegister(None)  # the scene hands out a collection that the caller owns
    found = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
    return [node for node in found if node.GetAttribute(ROLE_ATTRIBUTE) == LOOKS[positive].role]


def make_node(scene: slicer.vtkMRMLScene, positive: bool) -> slicer.vtkMRMLMarkupsFiducialNode:
    """Adds the node of a role to the scene. It is not saved: the segments' own records hold the points."""
    look = LOOKS[positive]
    node = slicer.vtkMRMLMarkupsFiducialNode()
    node.SetName(look.name)
    node.SetAttribute(ROLE_ATTRIBUTE, look.role)
    node.SetSaveWithScene(False)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    _dress(node.GetDisplayNode(), look)
    return node


def _dress(display: slicer.vtkMRMLMarkupsDisplayNode, look: Look) -> None:
    """Small marks of one colour each, without text, seen through surfaces, placed exactly where they are clicked."""
    modified = display.StartModify()
    display.SetSaveWithScene(False)
    display.SetColor(look.color)
    display.SetSelectedColor(look.color)
    display.SetActiveColor(look.activeColor)
    display.SetGlyphTypeFromString(look.glyph)
    display.SetUseGlyphScale(True)
    display.SetGlyphScale(GLYPH_PERCENT)
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility(False)
    display.SetSnapMode(slicer.vtkMRMLMarkupsDisplayNode.SnapModeUnconstrained)
    display.SetOccludedVisibility(True)
    display.SetOccludedOpacity(0.4)
    display.EndModify(modified)
