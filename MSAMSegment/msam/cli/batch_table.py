"""The table of a batch: which clicks belong to which lesion, and where its mask goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from msam.clicks import Click
from msam.errors import PromptError
from msam.points_table import PointColumns, Row, read_table
from msam.volume import Frame

COLUMNS = ("scan", "name", "output")


@dataclass(frozen=True)
class Task:
    """One lesion of one scan.

    Attributes:
        scan: the scan as the table has it.
        scan_path: where it is; relative paths are taken from the folder of the table.
        name: what the table calls the lesion, or nothing.
        output: file name of its mask.
        clicks: in the order of the rows.
    """

    scan: str
    scan_path: Path
    name: str
    output: str
    clicks: list[Click] = field(default_factory=list)


def read_tasks(path: Path, frame: Frame) -> list[Task]:
    """Reads the table of a batch: one row per click, rows with the same scan and name being clicks on one lesion.

    Columns are `scan`, those of a click (`msam.points_table.PointColumns`), and where wanted `name`, for several
    lesions of one scan, and `output`, the file name of the mask. Without `output` a mask is called after the scan
    and the lesion, `chest_tumour.nii.gz`, or `chest_mask.nii.gz` where the lesion has no name.

    Raises:
        PromptError: the table cannot be read, or two lesions would have the same mask; the text names the line.
    """
    table = read_table(path, COLUMNS)
    if "scan" not in table.columns:
        raise PromptError(f"{table.file_name} has no column 'scan'; it tells which scan each click belongs to.")
    columns = PointColumns(table, frame)
    tasks: dict[str, Task] = {}
    for row in table.rows:
        where = table.where(row)
        task = _task(row, path.parent, where)
        known = tasks.setdefault(task.output.lower(), task)
        if (known.scan, known.name) != (task.scan, task.name):
            raise PromptError(
                f"{where}: the mask {task.output} is already that of another lesion. Tell them apart by a column "
                "'name' or 'output'."
            )
        click = columns.click(row)
        if click is not None:
            known.clicks.append(click)
    if not tasks:
        raise PromptError(f"{table.file_name} has a header but no rows.")
    return list(tasks.values())


def _task(row: Row, folder: Path, where: str) -> Task:
    from msam.io.writer import ENDINGS

    scan, name = row.cells["scan"], row.cells.get("name", "")
    if not scan:
        raise PromptError(f"{where}: the column 'scan' is empty.")
    output = row.cells.get("output", "") or f"{_stem(scan)}_{name or 'mask'}.nii.gz"
    if Path(output).name != output or "\\" in output:
        raise PromptError(f"{where}: {output!r} cannot be the name of a file; use no slashes in 'name' and 'output'.")
    if not output.lower().endswith(ENDINGS):
        raise PromptError(f"{where}: the mask {output!r} has no ending that can be written; use {', '.join(ENDINGS)}.")
    return Task(scan, folder / scan, name, output)


def _stem(scan: str) -> str:
    """A scan's name without folders and ending; a folder keeps its whole name."""
    name = Path(scan.replace("\\", "/")).name
    for ending in (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name
