"""The real engine in its own process, with the compact model, on the chest CT: from the click to the exported file."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from logic_fixtures import at, click, voxels
from volume_nodes import volume_from

import msam
from msam.demo import LABELS, SCAN, TUMOUR
from msam.evaluation.deepest import deepest_voxel
from msam.evaluation.overlap import dice
from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.asyncio_transport import AsyncioTransport

SECONDS = 300

log = logging.getLogger(__name__)


def wait(logic: MSAMSegmentLogic) -> None:
    assert logic.waitUntilIdle(SECONDS)
    assert logic.lastError == ""


def test_the_tumour_of_the_chest_ct_from_click_to_export(
    scene: slicer.vtkMRMLScene, shared: Path, tmp_path: Path
) -> None:
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(shared / "data" / LABELS))) == TUMOUR
    source = sitk.ReadImage(str(shared / "data" / SCAN))
    to_lps = np.array(source.GetDirection()).reshape(3, 3) @ np.diag(source.GetSpacing())
    ijk_to_ras = np.eye(4)
    ijk_to_ras[:3] = np.diag([-1, -1, 1]) @ np.column_stack((to_lps, source.GetOrigin()))
    volume = volume_from(scene, sitk.GetArrayFromImage(source), ijk_to_ras)
    volume.SetAttribute("DICOM.Modality", "CT")
    logic = MSAMSegmentLogic(AsyncioTransport())
    try:
        logic.engine.useThisComputer(sys.executable, "compact", "cpu")
        logic.show3D(False)
        logic.setInputVolume(volume)
        deepest = deepest_voxel(truth, np.array(volume.GetSpacing()))
        place = at(logic, *deepest)

        began = time.monotonic()
        logic.addPoint(place)
        log.info("seconds to return: %.2f", time.monotonic() - began)
        wait(logic)
        log.info("seconds of the first click: %.2f", time.monotonic() - began)
        one = voxels(logic)
        log.info("Dice after one click: %.3f", dice(one, truth))
        session = msam.Session(msam.load_model("compact"), msam.Volume.read(shared / "data" / SCAN))
        session.add_point(deepest)
        session.segment()
        assert np.array_equal(one, session.mask)  # what the engine says without any of the scene side
        assert logic.lastResult.modelName == "compact"

        logic.refine(1)
        wait(logic)
        refined = voxels(logic)
        while logic.undoDescription == "refinement":
            logic.undo()
        assert np.array_equal(voxels(logic), one)
        while logic.canRedo:
            logic.redo()
        assert np.array_equal(voxels(logic), refined)

        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        outside = np.argwhere(~truth & refined)
        second = tuple(float(value) for value in outside[len(outside) // 2][::-1])
        began = time.monotonic()
        click(logic, *second, positive=False)
        log.info("seconds of the second click: %.2f", time.monotonic() - began)
        expected = voxels(logic)
        assert not np.array_equal(expected, refined)

        scene.Clear(0)
        assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
        assert np.array_equal(voxels(logic), refined)
        click(logic, *second, positive=False)
        assert logic.lastError == ""
        assert np.array_equal(voxels(logic), expected)

        measured = logic.measurements()
        assert measured.volumeMl == pytest.approx(expected.sum() * np.prod(source.GetSpacing()) / 1000, rel=1e-4)
        (written,) = logic.exportSegments(logic.segmentIds(), tmp_path / "tumour.nii.gz")
        image = sitk.ReadImage(str(written))
        assert np.array_equal(sitk.GetArrayFromImage(image) > 0, expected)
        assert image.GetSize() == source.GetSize()
        assert np.allclose(image.GetOrigin(), source.GetOrigin(), atol=1e-3)
        assert np.allclose(image.GetSpacing(), source.GetSpacing(), atol=1e-5)
        assert np.allclose(image.GetDirection(), source.GetDirection(), atol=1e-6)
    finally:
        logic.close()
