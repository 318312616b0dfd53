"""M-SAM (arXiv 2403.05912): promptable segmentation of lesions in CT and MR volumes.

    model = msam.load_model("compact")
    session = msam.Session(model, msam.Volume.read("scan.nrrd"))
    session.add_point((254, 301, 44))
    result = session.segment()

The public names are imported when they are first used: whoever needs only the message formats or the points of a file
does not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msam.config import ModelConfig
    from msam.errors import MsamError
    from msam.model.loading import load_model
    from msam.model.model import Model
    from msam.model.network import Encoded
    from msam.session import Point, Result, Session
    from msam.volume import Volume

__version__ = "0.1.0"

_HOMES = {
    "Encoded": "msam.model.network",
    "Model": "msam.model.model",
    "ModelConfig": "msam.config",
    "MsamError": "msam.errors",
    "Point": "msam.session",
    "Result": "msam.session",
    "Session": "msam.session",
    "Volume": "msam.volume",
    "load_model": "msam.model.loading",
}

__all__ = [
    "Encoded",
    "Model",
    "ModelConfig",
    "MsamError",
    "Point",
    "Result",
    "Session",
    "Volume",
    "load_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'msam' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
