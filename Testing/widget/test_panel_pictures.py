"""Pictures of the panel in its states, light and dark, to be looked at; and that it fits where it has to.

The picture in the README is one of them; `make pictures` puts it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opened_panel import CENTRE, HEIGHT, WIDTH, Opened
from PySide6 import QtGui, QtWidgets

# What one round of click, look, click needs. All of it has to be seen at once.
ROUND = (
    "inputVolumeSelector",
    "segmentsTable",
    "positiveButton",
    "negativeButton",
    "refineButton",
    "iterationsSpinBox",
    "undoButton",
    "redoButton",
    "clearButton",
    "statusLabel",
    "volumeValue",
    "diameterValue",
    "qualityValue",
    "timeValue",
    "exportButton",
)
# What is left for a module of a window of 1280 × 800 when tool bars, Slicer's own headings and its data probe are
# taken off.
VISIBLE_HEIGHT = 560
# Left and right of a module's panel Slicer leaves a margin.
MARGIN = 9

DARK = {
    "Window": "#353535",
    "Base": "#232323",
    "Button": "#2f2f2f",
    "Text": "#f0f0f0",
    "WindowText": "#f0f0f0",
    "ButtonText": "#f0f0f0",
    "Highlight": "#2a82da",
}


def palette_of(theme: str) -> QtGui.QPalette:
    """Colours like those of Slicer's light and dark style."""
    if theme == "light":
        return QtGui.QPalette(QtGui.QColor("#efefef"))
    palette = QtGui.QPalette(QtGui.QColor(DARK["Button"]), QtGui.QColor(DARK["Window"]))
    for role, colour in DARK.items():
        palette.setColor(QtGui.QPalette.ColorRole[role], QtGui.QColor(colour))
    for role in ("Text", "WindowText", "ButtonText"):
        group = QtGui.QPalette.ColorGroup.Disabled
        palette.setColor(group, QtGui.QPalette.ColorRole[role], QtGui.QColor("#808080"))
    return palette


@pytest.fixture(params=("light", "dark"))
def theme(request: pytest.FixtureRequest, application: Any) -> Iterator[str]:
    """The style and the colours of the whole application."""
    app = QtWidgets.QApplication.instance()
    before = app.palette()
    app.setStyle("Fusion")
    app.setPalette(palette_of(request.param))
    yield request.param
    app.setPalette(before)


def test_pictures_of_the_panel_in_its_states(
    theme: str, opened: Opened, pictures: Path, request: pytest.FixtureRequest
) -> None:
    opened.window.layout().setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)

    def take(state: str) -> None:
        opened.picture(pictures / f"panel-{theme}-{state}.png")

    take("1-empty")
    volume = request.getfixturevalue("volumeNode")
    opened.wait(lambda: opened.logic.inputVolume is volume)
    take("2-scan")
    opened.click("positiveButton")
    opened.logic.addPoint(CENTRE)
    opened.wait()
    opened.logic.createSegment("Node, left")
    opened.logic.addPoint((-12.0, 4.0, 8.0))
    opened.settle()
    take("3-clicked")
    opened.transport.delay = 10**6
    opened.logic.refine(2)
    opened.pass_time(0.6)
    assert opened.is_shown("progressBar") and opened.is_shown("cancelButton")
    take("4-busy")
    opened.logic.cancel()
    opened.transport.delay = 0
    opened.wait()
    opened.logic.refine(1, preview=True)
    opened.settle()
    take("5-preview")
    opened.logic.acceptRefinement()
    for section in ("pointsCollapsible", "settingsCollapsible", "engineCollapsible"):
        getattr(opened.ui, section).collapsed = False
    opened.window.resize(WIDTH, 1100)
    take("6-unfolded")
    opened.choose("placeComboBox", 1)
    take("7-another-computer")
    for section in ("pointsCollapsible", "settingsCollapsible", "engineCollapsible"):
        getattr(opened.ui, section).collapsed = True
    opened.window.resize(WIDTH, HEIGHT)
    opened.interpreter = None
    opened.widget.panel.choice.take()
    opened.wait()
    take("8-set-up")


def test_a_panel_of_380_pixels_holds_everything_and_a_round_of_clicks_needs_no_scrolling(
    theme: str, clicked: Opened
) -> None:
    margins = 2 * MARGIN
    assert clicked.window.layout().minimumSize().width() <= WIDTH - margins
    clicked.window.resize(WIDTH - margins, HEIGHT - margins)
    QtWidgets.QApplication.processEvents()
    for name in ROUND:
        widget = getattr(clicked.ui, name).raw
        corner = widget.mapTo(clicked.window, widget.rect().bottomRight())
        assert corner.y() <= VISIBLE_HEIGHT, name
        assert corner.x() <= WIDTH, name


def test_no_button_is_narrower_than_its_text(clicked: Opened) -> None:
    for name, widget in vars(clicked.ui).items():
        if isinstance(widget.raw, QtWidgets.QPushButton | QtWidgets.QToolButton) and clicked.is_shown(name):
            assert widget.raw.width() >= widget.raw.minimumSizeHint().width(), name
