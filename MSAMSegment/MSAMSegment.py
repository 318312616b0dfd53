"""The Slicer module MSAMSegment: click on a lesion in a CT or MR scan and see it segmented in 3D.

This file only wires things together: what the module does is in `MSAMSegmentLib`, what its panel shows in
`MSAMSegmentWidgets`, and the engine, which runs in a process of its own, in `msam`.
"""

# No postponed annotations here: the parameter node's wrapper looks at the types themselves.
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Annotated, Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

import MSAMSegmentLib
from MSAMSegmentLib.installation import findInterpreter
from MSAMSegmentLib.interpreters import PYTHON_VARIABLE
from MSAMSegmentLib.masking import Overwrite
from MSAMSegmentLib.observers import LAST
from MSAMSegmentLib.qt_transport import QtTransport
from MSAMSegmentLib.sample_phantom import LESIONS, addPhantom
from MSAMSegmentWidgets.engine_choice import BUNDLED_MODEL
from MSAMSegmentWidgets.engine_settings import EngineSettings
from MSAMSegmentWidgets.panel import Panel

# Scans that are added are taken up this long after, when they have their voxels.
SETTLE_MS = 300
# The property by which a widget in the .ui file names its parameter.
PARAMETER = "SlicerParameterName"
# For the self-test: all Pythons there are may have to be asked, and none may answer.
LOOKING_SECONDS = 120


class MSAMSegment(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("MSAMSegment")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Markups", "Segmentations"]
        self.parent.contributors = ["MSAMSegment team"]
        self.parent.helpText = _(
            "Click on a lesion in a CT or MR scan and see it segmented in 3D. More clicks, on the lesion or beside it, "
            "or the button Refine improve the mask, which is an ordinary segment. Everything is computed on this "
            "computer unless you choose otherwise. Research software, not for diagnosis or treatment."
        )
        self.parent.acknowledgementText = _(
            "The method is M-SAM (Shi et al., MICCAI 2024, arXiv:2403.05912), built on SAM-Med3D (Wang et al., "
            "arXiv:2310.15161). The bundled weights were trained on openly licensed scans; their model card names them."
        )


@parameterNodeWrapper
class MSAMSegmentParameterNode:
    """The choices that the scene remembers; `MSAMSegmentLib.settings` reads the same ones without Qt.

    inputVolume - the scan that is clicked on.
    segmentation - where the segments are kept.
    selectedSegmentId - the segment whose points are shown and changed.
    refineIterations - how many refinements one press of the button makes.
    previewRefinement - whether a refinement waits to be accepted.
    overwrite - what happens where a mask meets other segments.
    editableArea, maskSegmentId - where masks may be written.
    useIntensityRange, intensityLow, intensityHigh - which intensities may be written.
    show3D - whether segments are shown as surfaces.
    """

    inputVolume: slicer.vtkMRMLScalarVolumeNode
    segmentation: slicer.vtkMRMLSegmentationNode
    selectedSegmentId: str = ""
    refineIterations: Annotated[int, WithinRange(1, 10)] = 3
    previewRefinement: bool = False
    overwrite: str = Overwrite.KEEP_OTHERS.name
    editableArea: str = "EditAllowedEverywhere"
    maskSegmentId: str = ""
    useIntensityRange: bool = False
    intensityLow: Annotated[float, WithinRange(-1e6, 1e6)] = 0.0
    intensityHigh: Annotated[float, WithinRange(-1e6, 1e6)] = 0.0
    show3D: bool = True


class MSAMSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel in Slicer's window."""

    def __init__(self, parent: Any = None) -> None:
        self.logic: MSAMSegmentLogic | None = None
        self.panel: Panel | None = None
        self._content: Any = None
        self._parameterNode: Any = None
        self._guiTag: Any = None
        self._isEntered = False
        VTKObservationMixin.__init__(self)
        # Last, because without a parent it calls `setup` at once.
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self) -> None:
        """Makes the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        self._content = slicer.util.loadUI(self.resourcePath("UI/MSAMSegment.ui"))
        self.layout.addWidget(self._content)
        self.ui = slicer.util.childWidgetVariables(self._content)
        self._content.setMRMLScene(slicer.mrmlScene)
        transport = QtTransport()
        self.logic = MSAMSegmentLogic(transport)
        self.panel = Panel(self.ui, self.logic, transport, self.resourcePath)
        scene = slicer.mrmlScene
        for event in (scene.StartCloseEvent, scene.StartImportEvent):
            self.addObserver(scene, event, self.onSceneStartClose)
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            # After the node selectors, which forget what is chosen while they list the nodes of the scene anew.
            self.addObserver(scene, event, self.onSceneEndClose, priority=LAST)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.initializeParameterNode()
        # A reload makes this widget while the user looks at the one before.
        if getattr(self.parent, "isEntered", False):
            self.enter()

    def cleanup(self) -> None:
        """Ends the engine and lets go of the scene; called when the application ends and before a reload."""
        self.exit()
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
        if self.logic is not None:
            self.logic.close()
        if self._content:  # after a reload it is hidden, but still there; at the end it may be gone, which counts as no
            self._content.setMRMLScene(None)
        self.panel = self.logic = self._content = None

    def enter(self) -> None:
        """The user opens the module."""
        if self.panel is not None:
            self._isEntered = True
            self.initializeParameterNode()
            self.panel.enter()

    def exit(self) -> None:
        """The user goes to another module. What is under way goes on."""
        self._isEntered = False
        if self.panel is not None:
            self.panel.exit()
        self.setParameterNode(None)

    def onReload(self) -> None:
        """Reads all of the module's source again, not only this file (developer mode)."""
        for name in [
            each for each in sys.modules if each.split(".")[0] in ("MSAMSegmentLib", "MSAMSegmentWidgets", "msam")
        ]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, _caller: Any, _event: Any) -> None:
        """The parameter node is about to be emptied or read; nothing that is shown meanwhile may be written to it."""
        self.setParameterNode(None)

    def onSceneEndClose(self, _caller: Any, _event: Any) -> None:
        """A scene was closed or read: what it remembers is shown."""
        if self._isEntered:
            self.initializeParameterNode()
        self.panel.onLogic(None)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, _caller: Any, _event: Any, node: Any) -> None:
        """The first scan that is loaded while the module is open is taken up."""
        if self._isEntered and node is not None and node.IsA("vtkMRMLScalarVolumeNode"):
            qt.QTimer.singleShot(SETTLE_MS, self._chooseScan)

    def initializeParameterNode(self) -> None:
        """Binds the widgets to what the scene remembers, and takes up a scan that is there."""
        if self.logic is not None:
            self.setParameterNode(self.logic.getParameterNode())
            self._chooseScan()

    def setParameterNode(self, parameterNode: Any) -> None:
        """Binds the widgets to a parameter node, or to none."""
        if self._parameterNode is not None:
            self._parameterNode.disconnectGui(self._guiTag)
            self._guiTag = None
        self._parameterNode = parameterNode
        if self._parameterNode is not None:
            # `connectGui` does the same, but does not say how to undo it.
            bound = {
                widget.property(PARAMETER): widget for widget in vars(self.ui).values() if widget.property(PARAMETER)
            }
            self._guiTag = self._parameterNode.connectParametersToGui(bound)

    def _chooseScan(self) -> None:
        """Takes the scan that the views show, or the first one, when none is chosen."""
        if self.logic is None or self._parameterNode is None or self.logic.inputVolume is not None:
            return
        if slicer.mrmlScene.IsBatchProcessing():  # only some of it may be there
            qt.QTimer.singleShot(SETTLE_MS, self._chooseScan)
            return
        selection = slicer.mrmlScene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        shown = selection.GetActiveVolumeID() if selection is not None else None
        scans = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            if node.GetClassName() == "vtkMRMLScalarVolumeNode"
            and node.GetImageData() is not None
            and not node.GetHideFromEditors()  # another module's own, which the selector does not offer
        ]
        scans.sort(key=lambda node: node.GetID() != shown)
        if scans:
            self._parameterNode.inputVolume = scans[0]


class MSAMSegmentLogic(MSAMSegmentLib.MSAMSegmentLogic, ScriptedLoadableModuleLogic):
    """Everything that the module does, for scripts; see `MSAMSegmentLib.MSAMSegmentLogic` for the calls."""

    def __init__(self, transport: Any = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self._wrapped: MSAMSegmentParameterNode | None = None
        MSAMSegmentLib.MSAMSegmentLogic.__init__(self, transport)

    def getParameterNode(self) -> MSAMSegmentParameterNode:
        """The scene's choices, to be bound to widgets.

        One wrapper for one node: one that has been bound lives as long as its node, and answers every change of it.
        """
        node = ScriptedLoadableModuleLogic.getParameterNode(self)
        if self._wrapped is None or self._wrapped.parameterNode is not node:
            self._wrapped = MSAMSegmentParameterNode(node)
        return self._wrapped


class MSAMSegmentTest(ScriptedLoadableModuleTest):
    """Goes the whole way once: load, click, refine, undo, save, load, export. Needs the engine, but no network."""

    def setUp(self) -> None:
        """Begins with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Runs every test, for Slicer's list of self-tests: one that is left out would count as failed there."""
        self.setUp()
        try:
            self.test_fromClickToFile()
        except unittest.SkipTest as reason:
            self.delayDisplay(_("Test left out: {reason}").format(reason=reason))

    def test_fromClickToFile(self) -> None:
        """A lesion of the phantom, from the first click to the exported file."""
        self.delayDisplay(_("Looking for the engine"))
        transport = QtTransport()
        logic = MSAMSegmentLogic(transport)
        try:
            self._choose(logic, transport)
            volume = addPhantom(slicer.mrmlScene)
            logic.setInputVolume(volume)
            centre, radius = LESIONS[0]
            self.delayDisplay(_("Clicking"))
            logic.addPoint(centre)
            self._wait(logic)
            segmentId, click = logic.selectedSegment, logic.undoDescription
            first = logic.measurements()
            self.assertGreater(first.volumeMl, 0)
            self.assertLess(first.longestDiameterMm, 10 * radius)
            logic.refine(2)
            self._wait(logic)
            while logic.undoDescription != click:
                logic.undo()
            self.assertEqual(logic.measurements().voxels, first.voxels)
            with tempfile.TemporaryDirectory() as folder:
                self._saveAndLoad(logic, Path(folder) / "scene.mrb", segmentId, first.voxels)
                files = logic.exportSegments([segmentId], Path(folder) / "lesion.nii.gz")
                self.assertTrue(files[0].is_file())
        finally:
            logic.close()
        self.delayDisplay(_("Test passed"))

    def _choose(self, logic: MSAMSegmentLogic, transport: Any) -> None:
        found: list[Any] = []
        findInterpreter(transport, EngineSettings().python or None, lambda *told: found.extend(told))
        self.assertTrue(transport.runUntil(lambda: bool(found), LOOKING_SECONDS), "no Python answered in time")
        candidate, probes = found
        if candidate is None:
            lacks = " ".join(probe.words for probe in probes) or "There is none."
            words = f"No Python that this Slicer knows can run the engine. {lacks}"
            if os.environ.get(PYTHON_VARIABLE):  # whoever set it expects the engine to be tested
                self.fail(words)
            raise unittest.SkipTest(words)
        logic.engine.useThisComputer(candidate.python, BUNDLED_MODEL, "cpu", candidate.isOwnInterpreter)

    def _wait(self, logic: MSAMSegmentLogic) -> None:
        began = time.monotonic()
        self.assertTrue(logic.waitUntilIdle(180), "the engine did not answer in time")
        self.assertEqual(logic.lastError, "", f"after {time.monotonic() - began:.0f} s")

    def _saveAndLoad(self, logic: MSAMSegmentLogic, path: Path, segmentId: str, voxels: int) -> None:
        self.assertTrue(slicer.util.saveScene(str(path)))
        slicer.mrmlScene.Clear()
        self.assertEqual(logic.segmentIds(), [])
        slicer.util.loadScene(str(path))
        logic.selectSegment(segmentId)
        self.assertEqual(logic.measurements().voxels, voxels)
        self.assertEqual(len(logic.points()), 1)
