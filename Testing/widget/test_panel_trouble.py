"""The panel when the engine crashes, fails, takes long or does not start."""

from __future__ import annotations

from typing import Any

from opened_panel import CENTRE, Opened


def test_an_engine_that_crashes_in_mid_run_is_started_again(clicked: Opened) -> None:
    clicked.transport.failNext("crash")
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.settle()
    assert clicked.logic.lastError == ""
    assert clicked.ui.pointsList.count == 2
    assert len(clicked.transport.processes) == 2


def test_what_fails_is_said_and_can_be_tried_again(clicked: Opened) -> None:
    before = clicked.ui.volumeValue.text
    clicked.transport.failNext("internal")
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    clicked.settle()
    assert clicked.status == clicked.logic.lastError != ""
    assert clicked.ui.pointsList.count == 2
    clicked.click("retryButton")
    clicked.settle()
    assert clicked.logic.lastError == ""
    assert not clicked.is_shown("retryButton")
    assert clicked.ui.volumeValue.text != before


def test_what_takes_long_shows_a_bar_and_can_be_cancelled(clicked: Opened) -> None:
    clicked.transport.delay = 10**6
    clicked.logic.addPoint((10.0, 0.0, 0.0))
    assert not clicked.is_shown("progressBar")
    clicked.pass_time(0.7)
    assert clicked.is_shown("progressBar")
    clicked.click("cancelButton")
    clicked.wait()
    assert not clicked.is_shown("progressBar")
    assert clicked.ui.pointsList.count == 2
    clicked.transport.delay = 0
    clicked.logic.addPoint((-10.0, 0.0, 0.0))
    clicked.settle()
    assert clicked.logic.lastError == ""


def test_an_engine_that_does_not_start_says_why(opened: Opened, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    opened.click("startEngineButton")
    opened.transport.startFailure = "The model file is damaged. Download it again."
    opened.logic.addPoint(CENTRE)
    opened.settle()
    assert "The model file is damaged." in opened.status
    assert opened.is_shown("retryButton")
    assert "The model file is damaged." in opened.ui.engineStateLabel.text
