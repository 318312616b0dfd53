"""How long it takes to replace a box of 128³ voxels in a segment, beside another one in the same layer.

    python -m Testing.benchmarks.replacing

Seconds of processor time (of all cores, and nobody else's), the median; the last line is the figure as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "MSAMSegment"), str(ROOT / "Testing" / "scene"), str(ROOT / "Testing")]
os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")

import numpy as np
from booted import Booted
from drawn_segments import segmentation_on
from volume_nodes import volume_from

from msam.protocol.masks import EMPTY, Mask
from MSAMSegmentLib.segments import writeMask

BOX = ((5, 133), (7, 135), (9, 137))
LAYER_KJI = (140, 150, 160)
TURNS = 20


def replace(libraries: Booted) -> float:
    """Seconds for one replacement, the median of some."""
    node = segmentation_on(volume_from(libraries.scene, np.zeros(LAYER_KJI, np.uint8)), 2)
    random = np.random.default_rng(0)
    masks = [Mask(BOX, random.random((128, 128, 128)) < 0.5) for _ in range(2)]
    writeMask(node, "s0", EMPTY, masks[0])
    writeMask(node, "s1", EMPTY, masks[1])
    taken = []
    for turn in range(TURNS):
        began = time.process_time()
        writeMask(node, "s0", masks[turn % 2], masks[1 - turn % 2])
        taken.append(time.process_time() - began)
    return median(taken)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        libraries = Booted(Path(folder))
        figure = replace(libraries)
        libraries.close()
    print(json.dumps({"replace 128³": figure}))


if __name__ == "__main__":
    main()
