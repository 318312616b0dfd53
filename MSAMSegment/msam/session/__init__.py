"""Interactive sessions: from clicks to masks, with a way back."""

from msam.session.prompts import Point
from msam.session.result import Result
from msam.session.session import Session

__all__ = ["Point", "Result", "Session"]
