"""Asks where segments should go, and writes them there."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MSAMSegmentLib import MSAMSegmentLogic
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentWidgets.section import Sayer

ENDINGS = (".nii.gz", ".seg.nrrd", ".nrrd", ".nii", ".mha")


def askAndExport(logic: MSAMSegmentLogic, sayer: Sayer) -> None:
    """Exports the visible segments, all of them if none is visible, to the file that the user names.

    Raises:
        MsamError: they cannot be written; nothing is there then that was not there before.
    """
    display = logic.segmentation.GetDisplayNode()
    everything = logic.segmentIds()
    visible = [each for each in everything if display is None or display.GetSegmentVisibility(each)] or everything
    kinds = ("NIfTI (*.nii.gz)", "NRRD (*.nrrd)", "MetaImage (*.mha)", _("Slicer segmentation (*.seg.nrrd)"))
    chosen = qt.QFileDialog.getSaveFileName(
        slicer.util.mainWindow(), _("Export segments"), _("segments") + ENDINGS[0], ";;".join(kinds)
    )
    if not chosen:
        return
    path = Path(chosen)
    if not path.name.endswith(ENDINGS):
        raise SceneError(_("Choose a name that ends in .nii.gz, .nrrd, .mha or .seg.nrrd."))
    # The dialog has asked already whether a file that is there may be replaced.
    files = logic.exportSegments(visible, path, overwrite=True)
    names = ", ".join(file.name for file in files)
    sayer.say(_("Saved, read again and compared: {names}").format(names=names))
