"""Which device a model runs on, and in which precision."""

from __future__ import annotations

import torch

from msam.errors import DeviceError


def choose_device(asked: str | None = None) -> torch.device:
    """The device that was asked for, or the best there is: CUDA, then MPS, then the CPU.

    Args:
        asked: "cuda", "cuda:1", "mps", "cpu"; None or "auto" to choose.

    Raises:
        DeviceError: the device that was asked for is not there.
    """
    if asked is None or asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError:
        raise DeviceError(f"'{asked}' is not a device. Use auto, cpu, cuda, cuda:N or mps.") from None
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        raise DeviceError(f"This computer has no device '{asked}' that PyTorch can use. Use auto or cpu.")
    return device


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where it is the faster one (CUDA); float32 elsewhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def free_memory(device: torch.device) -> None:
    """Gives back what PyTorch's allocator holds without using it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
