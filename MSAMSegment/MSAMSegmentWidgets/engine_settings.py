"""Which engine the user chose: kept in the application's settings, never in the scene, which may be given away."""

from __future__ import annotations

from typing import Any

import slicer

PREFIX = "MSAMSegment/"


class TextSetting:
    """A text in the application's settings, "" until it is set."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"{PREFIX}{name[0].upper()}{name[1:]}"

    def __get__(self, settings: EngineSettings | None, owner: type) -> Any:
        if settings is None:
            return self
        return str(slicer.app.userSettings().value(self._key, "") or "")

    def __set__(self, settings: EngineSettings, text: str) -> None:
        slicer.app.userSettings().setValue(self._key, text)


class EngineSettings:
    """The choices about the engine.

    Attributes:
        place: "host" for another computer; anything else for this one.
        python: an interpreter of the user's own; "" for one that is looked for.
        model: "" for the bundled one.
        device: "" for the best there is.
        address, key, certificates: of the engine on another computer.
        agreedAddress: the address that the user allowed scans to be sent to.
    """

    place = TextSetting()
    python = TextSetting()
    model = TextSetting()
    device = TextSetting()
    address = TextSetting()
    key = TextSetting()
    certificates = TextSetting()
    agreedAddress = TextSetting()

    @property
    def isRemote(self) -> bool:
        """Whether the engine is to run on another computer."""
        return self.place == "host"
