"""The record of a run: one line of JSON a step and a validation, curves, and TensorBoard for those who want it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msam.checkpoints.atomic import replacing
from msam.errors import MsamError
from msam.training.curves import draw_curves

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOG, CURVES = "log.jsonl", "curves.png"


class Journal:
    """The record of one run.

    Args:
        folder: of the run.
        step: what the run goes on from; what an earlier part wrote beyond it is done again.
        tensorboard: whether TensorBoard is written too, into `tensorboard`.

    Raises:
        MsamError: TensorBoard is wanted and missing, or the folder cannot be written to.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool) -> None:
        self.folder = folder
        self.records = [record for record in read_log(folder) if step and record["step"] <= step]
        try:
            with replacing(folder / LOG) as unfinished:
                unfinished.write_text("".join(map(_line, self.records)), encoding="utf-8")
        except OSError as error:
            raise MsamError(f"The record cannot be written into '{folder}': {error.strerror}.") from error
        self._writer = _tensorboard_writer(folder / "tensorboard", step) if tensorboard else None

    def add(self, record: dict[str, Any]) -> None:
        """Takes a record in: `step`, and figures by name."""
        self.records.append(record)
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            log.write(_line(record))
        if self._writer is not None:
            for name, value in record.items():
                if name != "step":
                    self._writer.add_scalar(name, value, record["step"])

    def draw(self) -> None:
        """Draws the curves of all that is recorded."""
        draw_curves(self.folder / CURVES, self.records)
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Ends the record of TensorBoard."""
        if self._writer is not None:
            self._writer.close()


def read_log(folder: Path) -> list[dict[str, Any]]:
    """The records of a run; none where there is no log. A last line that was cut off is left out."""
    path = folder / LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def check_tensorboard() -> None:
    """Makes sure that TensorBoard can be written.

    Raises:
        MsamError: it is not installed.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise MsamError(
            'TensorBoard is not installed; install it with: pip install "msam-segment[train]", or leave --tensorboard '
            "out. The curves are drawn as a picture in any case."
        ) from error


def _tensorboard_writer(folder: Path, step: int) -> SummaryWriter:
    check_tensorboard()
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record) + "\n"
