"""Lines out of the pieces that a pipe delivers."""

from __future__ import annotations

from msam.protocol.events import LONGEST_LINE


class Lines:
    """Puts pieces together and takes them apart at line breaks. A line without an end comes in parts."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that a piece completes, without their breaks."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        while len(self._rest) > LONGEST_LINE:
            lines.append(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        return [line.rstrip(b"\r") for line in lines]

    def end(self) -> list[bytes]:
        """What is left when nothing more comes."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
