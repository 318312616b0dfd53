"""In which precision a device trains fastest without losing the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch


def precision_for(device: torch.device) -> torch.dtype:
    """bfloat16 where the device is faster in it, else float16 on CUDA and float32 on processors and MPS."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _fast_bfloat16() else torch.float32


def _fast_bfloat16() -> bool:
    """Whether a processor multiplies bfloat16 faster than float32.

    Matrix units do. Of the vector instructions for it (AVX-512 BF16), AMD's are several times as fast as float32 and
    Intel's half as fast: measured for convolutions and matrix products on an EPYC and on a Xeon of the fourth kind.
    """
    if torch.cpu._is_amx_tile_supported():
        return True
    # PyTorch tells the name since 2.11; before, the instructions alone have to do.
    capabilities: Mapping[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.cpu._is_avx512_bf16_supported() and "Intel" not in capabilities.get("cpu_name", "")
