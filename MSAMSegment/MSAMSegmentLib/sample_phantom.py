"""A made-up scan to try the module on: a CT-like thorax with lesions at known places, without anything to download."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from MSAMSegmentLib.translation import tr as _

Point = tuple[float, float, float]
Voxels = npt.NDArray[np.float32]

NAME = _("MSAMSegment phantom")
SHAPE = (80, 128, 128)  # voxels along k, j, i
SPACING = 2.5  # mm
SEED = 20

# Of a soft tissue window, in which nodules stand out from the lung and metastases from the liver.
WINDOW, LEVEL = 400.0, 40.0

# Hounsfield units, as some time after contrast medium was given.
AIR, LUNG, FAT, MUSCLE, BLOOD, LIVER, MARROW, CORTEX = -1000, -850, -100, 55, 150, 115, 200, 600
NODULE, METASTASIS, NODE = 40, 45, 85
NOISE = 13.0  # standard deviation

# Where the lesions are, centre in mm in RAS and radius in mm; all of them are balls.
LESIONS: list[tuple[Point, float]] = [
    ((72.0, 18.0, 30.0), 11.0),  # right lung
    ((-78.0, -22.0, 48.0), 8.0),  # left lung
    ((-95.0, 6.0, -14.0), 14.0),  # left lung, the largest
    ((62.0, 12.0, -72.0), 15.0),  # liver
    ((80.0, -32.0, -80.0), 10.0),  # liver
    ((10.0, -2.0, 52.0), 8.0),  # lymph node of the mediastinum
]
_INTENSITIES = (NODULE, NODULE, NODULE, METASTASIS, METASTASIS, NODE)


def addPhantom(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode:
    """Adds the phantom to a scene: a volume node of 128 × 128 × 80 voxels of 2.5 mm, the same one each time."""
    image = vtk.vtkImageData()
    image.SetDimensions(SHAPE[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(phantomVoxels().ravel(), deep=True))
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", NAME)
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(ijkToRas().ravel())
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    node.SetVoxelValueQuantity(_code("112031", "DCM", "Attenuation Coefficient"))
    node.SetVoxelValueUnits(_code("[hnsf'U]", "UCUM", "Hounsfield unit"))
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(WINDOW, LEVEL)
    return node


def ijkToRas() -> npt.NDArray[np.float64]:
    """(4, 4), from voxels (i, j, k) to mm in RAS: axial slices of a patient on the back, around the origin."""
    diagonal = np.array([-SPACING, -SPACING, SPACING])
    out = np.diag([*diagonal, 1.0])
    out[:3, 3] = -diagonal * (np.array(SHAPE[::-1]) - 1) / 2
    return out


def phantomVoxels() -> npt.NDArray[np.int16]:
    """The phantom's voxels [k, j, i] in Hounsfield units."""
    voxels = np.full(SHAPE, AIR, np.float32)
    _paintBody(voxels)
    _paintLungs(voxels)
    _paintAbdomen(voxels)
    _paintMediastinum(voxels)
    for (centre, radius), intensity in zip(LESIONS, _INTENSITIES, strict=True):
        _paint(voxels, centre, (radius, radius, radius), intensity)
    voxels += _noise()
    return np.clip(np.rint(voxels), -1024, 3071).astype(np.int16)


def _paintBody(voxels: Voxels) -> None:
    # Columns reach far beyond both ends of the scan.
    tall = 5000.0
    _paint(voxels, (0, 0, 0), (148, 108, tall), FAT)
    _paint(voxels, (0, 0, 0), (136, 97, tall), MUSCLE)


def _paintLungs(voxels: Voxels) -> None:
    random = np.random.default_rng(SEED)
    for side in (1, -1):
        _paintRibs(voxels, side)
        _paint(voxels, (side * 66, 2, 10), (52, 76, 112), LUNG)
        for _vessel in range(14):
            # Vessels go from the hilum into the lung, and get thinner on their way.
            end = np.array([side * random.uniform(50, 105), random.uniform(-55, 55), random.uniform(-45, 85)])
            start = np.array([side * 28.0, -5.0, 22.0])
            for share in np.linspace(0, 1, 26):
                radius = 4.5 - 3.2 * share
                _paint(voxels, tuple(start + share * (end - start)), (radius, radius, radius), MUSCLE)


def _paintRibs(voxels: Voxels, side: int) -> None:
    for height in np.arange(-90.0, 115.0, 27.0):
        for angle in np.radians(np.arange(-62.0, 66.0, 3.0)):
            # Ribs descend from the spine to the front.
            centre = (side * 124 * np.cos(angle), 87 * np.sin(angle), height - 24 * np.sin(angle))
            _paint(voxels, centre, (5, 5, 5), CORTEX)


def _paintAbdomen(voxels: Voxels) -> None:
    _paint(voxels, (58, 2, -98), (72, 80, 62), LIVER)
    _paint(voxels, (-66, 0, -112), (54, 80, 54), FAT)  # below the left half of the diaphragm
    _paint(voxels, (-84, -30, -98), (36, 40, 42), LIVER - 10)  # spleen
    _paint(voxels, (-62, 34, -108), (40, 36, 40), MUSCLE - 25)  # stomach


def _paintMediastinum(voxels: Voxels) -> None:
    tall = 5000.0
    _paint(voxels, (0, -4, 55), (30, 56, 90), FAT + 40)
    _paint(voxels, (-20, 22, -18), (50, 40, 46), BLOOD - 10)  # heart
    _paint(voxels, (0, 82, 20), (16, 6, 80), CORTEX - 200)  # breastbone
    _paint(voxels, (0, -72, 0), (20, 18, tall), CORTEX)
    _paint(voxels, (0, -72, 0), (17, 15, tall), MARROW)
    _paint(voxels, (0, -94, 0), (5, 14, tall), CORTEX - 150)
    _paint(voxels, (-22, -48, 0), (12, 12, tall), BLOOD)  # descending aorta
    _paint(voxels, (10, 24, 58), (14, 14, 48), BLOOD)  # ascending aorta
    _paint(voxels, (0, -20, 100), (9, 9, 70), AIR)  # windpipe


def _paint(voxels: Voxels, centre: Point, radii: Point, intensity: float) -> None:
    """Puts an ellipsoid along the axes of the patient into the voxels; those at its surface get some of both."""
    to_ras = ijkToRas()
    middle = (np.array(centre) - to_ras[:3, 3]) / np.diag(to_ras)[:3]
    reach = np.array(radii) / SPACING
    low = np.maximum(np.floor(middle - reach - 1), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach + 1) + 1, SHAPE[::-1]).astype(int)
    if np.any(low >= high):
        return
    i, j, k = (
        ((np.arange(*between) - at) / size).astype(np.float32)
        for between, at, size in zip(zip(low, high, strict=True), middle, reach, strict=True)
    )
    distance = np.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2)
    # In voxels beyond the surface, along the shortest axis; exact for a ball.
    share = np.clip(0.5 - (distance - 1) * reach.min(), 0, 1)
    part = voxels[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    part += share * (intensity - part)


def _noise() -> Voxels:
    """Noise that is a little coarser than the voxels within a slice, as scanners make it."""
    white = np.random.default_rng(SEED).standard_normal(SHAPE, dtype=np.float32)
    for axis in (1, 2):
        white = white + 0.5 * (np.roll(white, 1, axis) + np.roll(white, -1, axis))
    noise: Voxels = white * np.float32(NOISE / white.std())
    return noise


def _code(value: str, scheme: str, meaning: str) -> vtk.vtkObject:
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry
