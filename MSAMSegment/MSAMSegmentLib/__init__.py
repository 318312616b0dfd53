"""The scene side of MSAMSegment: everything of the Slicer module that is not Qt. It runs without a screen, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from MSAMSegmentLib.logic import MSAMSegmentLogic
    from MSAMSegmentLib.status import LogicEvent, Result, Status

__all__ = ["LogicEvent", "MSAMSegmentLogic", "Result", "Status"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for: Slicer looks at packages of modules it may never open."""
    if name == "MSAMSegmentLogic":
        from MSAMSegmentLib.logic import MSAMSegmentLogic

        return MSAMSegmentLogic
    if name in __all__:
        from MSAMSegmentLib import status

        return getattr(status, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
