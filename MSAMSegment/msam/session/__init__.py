"""Interactive sessions: from clicks to masks, with a way back.

The public names are imported when they are first used: whoever needs the boxes of masks only does not wait for PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msam.session.prompts import Point
    from msam.session.result import Result
    from msam.session.session import Session

_HOMES = {"Point": "prompts", "Result": "result", "Session": "session"}

__all__ = ["Point", "Result", "Session"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'msam.session' has no attribute '{name}'")
    return getattr(import_module(f"msam.session.{_HOMES[name]}"), name)
