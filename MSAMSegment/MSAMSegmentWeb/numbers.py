"""Measurements as rows of text."""

from __future__ import annotations

import math

from MSAMSegmentLib.measurement_table import SegmentMeasurements


def measurement_rows(measured: SegmentMeasurements) -> list[dict[str, str]]:
    """Name, value and unit of what a tumour board asks for; nothing for an empty segment."""
    if not measured.voxels:
        return []
    axial = f"{measured.axialDiameterMm:.1f} × {measured.axialPerpendicularMm:.1f}"
    rows = [
        ("Volume", _number(measured.volumeMl, _decimals(measured.volumeMl)), "mL", "All voxels of the segment"),
        ("Longest diameter", f"{measured.longestDiameterMm:.1f}", "mm", "In any direction"),
        ("Axial", axial, "mm", "Longest diameter in one axial slice, and the width across it (RECIST)"),
    ]
    if not math.isnan(measured.mean):
        decimals = _decimals(max(abs(measured.mean), measured.standardDeviation))
        spread = f"{_number(measured.mean, decimals)} ± {_number(measured.standardDeviation, decimals)}"
        rows.append(("Intensity", spread, measured.unit, "Mean and standard deviation inside the segment"))
    return [{"name": name, "value": value, "unit": unit, "help": text} for name, value, unit, text in rows]


def _decimals(value: float) -> int:
    """So many that about three digits count."""
    return 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2


def _number(value: float, decimals: int) -> str:
    """Never with an exponent, and with the sign that is as wide as a digit."""
    return f"{value:.{decimals}f}".replace("-", "−")
