"""Slicer's libraries brought up without the application, as the notes of `slicer-core` users do it."""

from __future__ import annotations

import types
from pathlib import Path

import slicer
import vtk

MODULES = {
    "Markups": "vtkSlicerMarkupsLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    # Removes display and storage nodes together with their node; without it every removed volume leaks its voxels.
    "Data": "vtkSlicerDataModuleLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Sequences": "vtkSlicerSequencesLogic",
}


class Booted:
    """A scene with Slicer's logics around it, which `slicer.mrmlScene` and `slicer.modules` lead to."""

    def __init__(self, cache: Path) -> None:
        vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
        self.scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.application.GetColorLogic().SetMRMLScene(self.scene)
        self.application.GetColorLogic().AddDefaultColorNodes()
        self.application.SetSliceLogics(vtk.vtkCollection())
        self.application.SetViewLogics(vtk.vtkCollection())
        for factory in (
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
            slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        ):
            factory.GetInstance().SetMRMLApplicationLogic(self.application)
        self.logics = {}
        modules = types.SimpleNamespace()
        for name, kind in MODULES.items():
            logic = getattr(slicer, kind)()
            logic.SetMRMLScene(self.scene)
            logic.SetMRMLApplicationLogic(self.application)
            self.application.SetModuleLogic(name, logic)
            self.logics[name] = logic
            setattr(modules, name.lower(), types.SimpleNamespace(logic=lambda logic=logic: logic))
        self._prepare_files(cache)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        slicer.mrmlScene = self.scene
        slicer.modules = modules

    def _prepare_files(self, cache: Path) -> None:
        """Reading .mrb needs a cache folder, and writing volumes a manager of remote data."""
        self.remote = slicer.vtkMRMLRemoteIOLogic()
        self.remote.GetCacheManager().SetRemoteCacheDirectory(str(cache))
        self.remote.SetMRMLScene(self.scene)
        self.data_io = slicer.vtkDataIOManagerLogic()
        self.data_io.SetMRMLApplicationLogic(self.application)
        self.data_io.SetAndObserveDataIOManager(self.remote.GetDataIOManager())
        self.remote.AddDataIOToScene()

    def close(self) -> None:
        """Empties the scene and lets go of it."""
        self.scene.Clear(1)
        for logic in self.logics.values():
            logic.SetMRMLScene(None)
        self.application.SetMRMLScene(None)
        slicer.mrmlScene = None
