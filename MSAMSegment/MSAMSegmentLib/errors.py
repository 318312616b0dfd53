"""What goes wrong on the scene side."""

from __future__ import annotations

from msam.errors import MsamError


class SceneError(MsamError):
    """Something in the scene does not allow what was asked for; the message says what, and what to do."""
