"""One measurement in a process of its own; prints its figures as a line of JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "MSAMSegment"), str(ROOT / "Testing" / "engine")]


def seconds(work: Callable[[], object], times: int) -> float:
    """The median time of `work` after one run to warm up."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def memory_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_mb() -> float:
    """The most resident memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def network_figures(way: str, name: str) -> dict[str, float]:
    """Encode, step and second click of one model, computed the engine's or the published way."""
    import torch
    from published_way import PublishedWay
    from small_configs import random_network

    from msam.config import COMPACT, VIT_B_MSAM
    from msam.model.model import Model

    # Inference runs on folded weights; the published code carries its LoRA along.
    config = COMPACT if name == "compact" else dataclasses.replace(VIT_B_MSAM, lora_rank=0 if way == "engine" else 4)
    network = random_network(config)
    generator = torch.Generator().manual_seed(0)
    roi = torch.randn(1, 1, *(config.roi_size,) * 3, generator=generator)
    points, labels = torch.full((1, 1, 3), config.roi_size / 2), torch.ones(1, 1)
    mask = torch.zeros(1, 1, *(config.mask_size,) * 3)
    driver = Model(network, torch.device("cpu")) if way == "engine" else PublishedWay(network)
    with torch.inference_mode():
        loaded = memory_mb()
        encoded = driver.encode(roi)
        adds = max(0.0, peak_mb() - loaded)
        slow = way == "published" and name == "vit_b"
        encode = seconds(lambda: driver.encode(roi), 3 if slow else 7)
        step = seconds(lambda: driver.decode(encoded, points, labels, mask), 9)
    # The published way starts from the image again at every click; the engine from what it kept.
    return {
        "encode": encode,
        "step": step,
        "second click": step if way == "engine" else encode + step,
        "encode adds MB": adds,
    }


def first_mask_figures() -> dict[str, float]:
    """From the start of a new process to the written mask: model and scan loading included."""
    import SimpleITK as sitk

    from msam.demo import find_case
    from msam.io.images import to_image

    case = find_case()
    with tempfile.TemporaryDirectory() as folder:
        scan = case.volume.source
        if scan is None:  # the phantom: a user's scan would be a file too
            scan = Path(folder) / "scan.nii.gz"
            sitk.WriteImage(to_image(case.volume.voxels, case.volume.ijk_to_ras), str(scan))
        command = [sys.executable, "-m", "msam", "segment", str(scan), "--json", "--device", "cpu"]
        command += ["--point", ",".join(map(str, case.click)), "-o", str(Path(folder) / "mask.nii.gz")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "MSAMSegment")}
        began = time.perf_counter()
        subprocess.run(command, env=environment, capture_output=True, check=True)
        return {"seconds": time.perf_counter() - began, "megavoxels": case.volume.voxels.size / 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("engine", "published", "first-mask"))
    parser.add_argument("model", choices=("vit_b", "compact"))
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    figures = (
        first_mask_figures() if arguments.what == "first-mask" else network_figures(arguments.what, arguments.model)
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
