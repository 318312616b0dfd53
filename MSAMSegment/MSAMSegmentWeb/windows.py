"""Window and level: which intensities are black and which are white."""

from __future__ import annotations

import slicer

from msam.display_window import display_window
from msam.volume import Volume

AUTOMATIC = "auto"

# In Hounsfield units: window width and level, as radiologists set them.
CT_PRESETS = {
    "soft": ("Soft tissue", 400.0, 40.0),
    "lung": ("Lung", 1500.0, -600.0),
    "mediastinum": ("Mediastinum", 350.0, 50.0),
    "liver": ("Liver", 150.0, 90.0),
    "brain": ("Brain", 80.0, 40.0),
    "bone": ("Bone", 1800.0, 400.0),
}
# Shares of the automatic window, for scans whose numbers mean nothing by themselves: width, and how far the level
# lies from the darkest shown intensity.
RELATIVE_PRESETS = {
    "contrast": ("More contrast", 0.55, 0.45),
    "dark": ("Darker", 1.5, 0.75),
    "bright": ("Brighter", 0.6, 0.3),
}
# How far around the middle of a CT one looks for lung, in mm.
RADIUS = 100.0


class Windows:
    """The window and level of one scan, and the presets that fit it."""

    def __init__(self, volume: Volume, node: slicer.vtkMRMLScalarVolumeNode) -> None:
        self._display = node.GetDisplayNode()
        middle = [(length - 1) / 2 for length in volume.shape_ijk]
        low, high = display_window(volume, middle, RADIUS)
        self._automatic = (high - low, (high + low) / 2)
        self._is_ct = volume.is_ct
        first, last = node.GetImageData().GetScalarRange()
        self.range = (float(first), float(last))
        self.use(AUTOMATIC)

    @property
    def presets(self) -> list[dict[str, str]]:
        """Keys and titles, the automatic one first."""
        named = CT_PRESETS if self._is_ct else RELATIVE_PRESETS
        return [{"key": AUTOMATIC, "title": "Automatic"}] + [
            {"key": key, "title": title} for key, (title, _, _) in named.items()
        ]

    @property
    def window(self) -> float:
        """Width of the shown range."""
        return float(self._display.GetWindow())

    @property
    def level(self) -> float:
        """Middle of the shown range."""
        return float(self._display.GetLevel())

    def use(self, key: str) -> None:
        """Sets a preset; an unknown key means the automatic one."""
        width, level = self._automatic
        if self._is_ct and key in CT_PRESETS:
            _, width, level = CT_PRESETS[key]
        elif not self._is_ct and key in RELATIVE_PRESETS:
            _, share, place = RELATIVE_PRESETS[key]
            darkest = level - width / 2
            level = darkest + place * width
            width = share * width
        self.set(width, level)

    def set(self, width: float, level: float) -> None:
        """Sets both; the width stays above nothing."""
        was_modifying = self._display.StartModify()
        self._display.SetAutoWindowLevel(0)
        self._display.SetWindowLevel(max(width, 1e-6), level)
        self._display.EndModify(was_modifying)
