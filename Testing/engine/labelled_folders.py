"""Little labelled scans, in every layout that training reads, and a start that is trained in no time."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from checkpoint_files import TINY_MSAM
from small_configs import random_network

from msam.checkpoints.writing import write_checkpoint
from msam.config import COMPACT, ModelConfig

SHAPE_KJI = (14, 22, 24)
TINY_COMPACT = dataclasses.replace(
    COMPACT,
    roi_size=32,
    embed_dim=24,
    depth=1,
    num_heads=2,
    mlp_ratio=1.0,
    out_channels=24,
    stem_channels=(8, 16),
    mask_channels=8,
    adapter_heads=2,
    decoder_heads=2,
    decoder_depth=1,
    decoder_mlp_dim=16,
    upscale_channels=(8, 8),
    quality_hidden_dim=8,
    spacings=(1.5, 3.0),
)
TINY_PUBLISHED = dataclasses.replace(TINY_MSAM, roi_size=64, window_size=6, depth=2, lora_rank=0)


def write(path: Path, voxels: np.ndarray) -> Path:
    """Writes voxels (K, J, I), or (N, K, J, I) as a scan of N frames, of 1 × 1 × 2 mm."""
    frames = voxels if voxels.ndim == 4 else voxels[None]
    images = [sitk.GetImageFromArray(frame) for frame in frames]
    for image in images:
        image.SetSpacing((1.0, 1.0, 2.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(images[0] if voxels.ndim == 3 else sitk.JoinSeries(images), str(path))
    return path


def labelled(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A scan in noise with a bright ball around a brighter core, and its labels: 1 the shell, 2 the core."""
    random = np.random.default_rng(seed)
    k, j, i = np.indices(SHAPE_KJI)
    away = np.sqrt((2 * (k - 7)) ** 2 + (j - 11) ** 2 + (i - 11 - seed % 3) ** 2)
    label = np.where(away < 4, 2, np.where(away < 8, 1, 0))
    return (random.normal(100, 10, SHAPE_KJI) + 80 * label).astype(np.int16), label.astype(np.uint8)


def plain_pair(folder: Path, cases: int = 3) -> Path:
    """`images` and `labels`, with files of the same names."""
    for number in range(cases):
        scan, label = labelled(number)
        write(folder / "images" / f"case{number}.nii.gz", scan)
        write(folder / "labels" / f"case{number}.nii.gz", label)
    return folder


def nnunet(folder: Path, labels: Any, channels: dict[str, str], cases: int = 3) -> Path:
    """`imagesTr/case_0000.nii.gz` and so on for every channel, `labelsTr/case.nii.gz`; channel n is 1000 n brighter."""
    for number in range(cases):
        scan, label = labelled(number)
        for channel in channels:
            write(folder / "imagesTr" / f"case{number}_{int(channel):04d}.nii.gz", scan + 1000 * int(channel))
        write(folder / "labelsTr" / f"case{number}.nii.gz", label)
    described = {"labels": labels, "channel_names": channels, "numTraining": cases, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def decathlon(folder: Path, cases: int = 3) -> Path:
    """`imagesTr/case.nii.gz` with two channels as frames, `labelsTr/case.nii.gz`."""
    for number in range(cases):
        scan, label = labelled(number)
        write(folder / "imagesTr" / f"case{number}.nii.gz", np.stack((scan, scan + 1000)))
        write(folder / "labelsTr" / f"case{number}.nii.gz", label)
    (folder / "imagesTr" / "._case0.nii.gz").write_bytes(b"what a Mac leaves behind")
    (folder / "labelsTr" / "._case0.nii.gz").write_bytes(b"what a Mac leaves behind")
    described = {"labels": {"0": "background", "1": "shell", "2": "core"}, "modality": {"0": "FLAIR", "1": "T1w"}}
    (folder / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def tiny_model(path: Path, config: ModelConfig = TINY_COMPACT) -> Path:
    """A checkpoint to start from."""
    texts = {"attribution": "Somebody's scans", "licence": "CC BY 4.0"}
    torch.manual_seed(0)  # of the frequencies, which are no parameters
    write_checkpoint(path, random_network(config).state_dict(), config, texts)
    return path


@contextmanager
def one_thread() -> Iterator[None]:
    """Networks this small are trained by one thread: two wait for each other longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
