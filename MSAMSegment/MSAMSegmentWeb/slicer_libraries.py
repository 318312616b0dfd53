"""Slicer's libraries brought up for a page: the scene, its logics and the makers of views."""

from __future__ import annotations

from types import SimpleNamespace

import slicer
import vtk
from trame_slicer.core import SlicerApp

MODULES = {
    "data": "Data",
    "markups": "Markups",
    "segmentations": "Segmentations",
    "subjecthierarchy": "SubjectHierarchy",
    "volumes": "Volumes",
}


def bring_up() -> SlicerApp:
    """The libraries with an empty scene, which is `slicer.mrmlScene` from now on.

    VTK's own messages are kept off the terminal: they can hold names of files and patients.
    """
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    libraries = SlicerApp()
    vtk.vtkOutputWindow.GetInstance().SetDisplayModeToNever()
    slicer.mrmlScene = libraries.scene
    logics = {name: libraries.app_logic.GetModuleLogic(module) for name, module in MODULES.items()}
    slicer.modules = SimpleNamespace(
        **{name: SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in logics.items()}
    )
    return libraries
