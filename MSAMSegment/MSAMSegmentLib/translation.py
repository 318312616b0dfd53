"""`tr`: a text in the language of the application, or as it stands where there is no application."""

from __future__ import annotations

try:
    from slicer.i18n import tr
except ImportError:  # on Slicer's libraries alone

    def tr(text: str) -> str:
        """The text itself."""
        return text


__all__ = ["tr"]
