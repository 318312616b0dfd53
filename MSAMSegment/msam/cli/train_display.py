"""What a user sees while a model is being trained: one live line, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

# Lines of a whole run where there is no terminal.
LINES = 20


class Display:
    """Shows the course of a run on stderr.

    Args:
        steps: of the whole run.
        silent: shows nothing; for all but the first of several processes.
    """

    def __init__(self, steps: int, *, silent: bool) -> None:
        self.steps = steps
        self.silent = silent
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=silent)
        self._asked: Callable[[], bool] = lambda: False
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._validation = ""

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False)

    @contextmanager
    def watching(self, asked: Callable[[], bool], step: int) -> Iterator[None]:
        """Shows progress for as long as the block runs.

        Args:
            asked: whether the user asked to stop.
            step: where the run goes on from.
        """
        self._asked = asked
        if self.silent or not sys.stderr.isatty():
            yield
            return
        columns = (
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            _Stopping(asked),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console) as self._progress:
            self._task = self._progress.add_task("beginning …", total=self.steps, completed=step)
            yield

    def stepped(self, step: int, figures: dict[str, float]) -> None:
        """After every step."""
        line = f"loss {figures['loss']:.3f}  Dice {figures['dice_first']:.2f} → {figures['dice_last']:.2f}"
        if self._progress is not None:
            self._progress.update(self._task, completed=step, description=f"{line}{self._validation}")
        elif step % max(1, self.steps // LINES) == 0 or step == self.steps:
            self.say(f"step {step} of {self.steps}  {line}")

    def validated(self, step: int, dice: float, best: float) -> None:
        """After every validation."""
        self._validation = f"  validation {dice:.3f} (best {best:.3f})"
        self.say(f"step {step} of {self.steps}  validation Dice {dice:.3f}, best {best:.3f}")

    def wants_to_stop(self) -> bool:
        """Whether the user asked to stop."""
        return self._asked()


class _Stopping(ProgressColumn):
    """Says at once that a wish to stop was understood: the step in hand, or a validation, can take a while longer.

    Args:
        asked: whether the user asked to stop.
    """

    def __init__(self, asked: Callable[[], bool]) -> None:
        super().__init__()
        self._asked = asked

    def render(self, task: Task) -> Text:
        return Text("stopping after this step …" if self._asked() else "")
