"""What is seen while a model is trained: one live line on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest
from rich.console import Console

from msam.cli.train_display import LINES, Display

FIGURES = {"loss": 0.7355, "dice_first": 0.61, "dice_last": 0.84}


class Terminal(io.StringIO):
    """Takes down what is shown, as a terminal."""

    def isatty(self) -> bool:
        return True

    def frames(self) -> list[str]:
        """What was drawn, one state of the live line after another, without control sequences."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


Shown = tuple[Display, Terminal]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shown]:
    def on_a_terminal(steps: int, *, silent: bool = False) -> Shown:
        display, terminal = Display(steps, silent=silent), Terminal()
        display._console = Console(file=terminal, force_terminal=True, width=140, quiet=silent, highlight=False)
        monkeypatch.setattr(sys, "stderr", terminal)  # here, because pytest sets it anew for each part of a test
        return display, terminal

    return on_a_terminal


def test_the_live_line_tells_progress_loss_dice_and_validation(shown: Callable[..., Shown]) -> None:
    display, terminal = shown(12)
    with display.watching(lambda: False, 4):
        display.stepped(5, FIGURES)
        display.validated(5, 0.79, 0.81)
        display.stepped(6, FIGURES)
    frames = terminal.frames()
    assert "4/12" in frames[0]
    last = frames[-1]
    assert "6/12" in last
    assert "loss 0.736  Dice 0.61 → 0.84  validation 0.790 (best 0.810)" in last
    assert "stopping" not in last
    assert any(line.startswith("step 5 of 12  validation Dice 0.790, best 0.810") for line in frames), "it stays"


def test_a_wish_to_stop_is_acknowledged_before_the_step_is_over(shown: Callable[..., Shown]) -> None:
    asked = False
    display, terminal = shown(12)
    with display.watching(lambda: asked, 0):
        display.stepped(1, FIGURES)
        asked = True
    assert "1/12" in terminal.frames()[-1]
    assert "stopping after this step" in terminal.frames()[-1]


def test_without_a_terminal_there_are_about_twenty_lines(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(400, silent=False)
    with display.watching(lambda: False, 0):
        for step in range(1, 401):
            display.stepped(step, FIGURES)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == LINES
    assert lines[-1] == "step 400 of 400  loss 0.736  Dice 0.61 → 0.84"


def test_all_processes_but_the_first_are_silent(shown: Callable[..., Shown]) -> None:
    display, terminal = shown(12, silent=True)
    with display.watching(lambda: False, 0):
        display.say("a line")
        display.stepped(1, FIGURES)
        display.validated(1, 0.5, 0.5)
    assert terminal.getvalue() == ""
