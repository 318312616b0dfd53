"""What is shown while there is no scan: how to open one, and samples to try."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import Any

import slicer
from slicer.i18n import tr as _

from msam.errors import Cancelled
from MSAMSegmentLib import LogicEvent
from MSAMSegmentLib.sample_phantom import addPhantom
from MSAMSegmentWidgets.section import Section

SAMPLES = {"sampleTumorButton": "MRBrainTumor1", "sampleChestButton": "CTChest", "sampleLiverButton": "CTLiver"}
PERCENT = re.compile(r"(\d+)\s*%")
MARKUP = re.compile(r"<[^>]*>")


class EmptySection(Section):
    """Offers scans."""

    def setup(self) -> None:
        self._isCancelled = False
        self.onClick(self.ui.openScanButton, slicer.util.openAddDataDialog)
        self.onClick(self.ui.phantomButton, lambda: self._take(addPhantom(self.logic.scene)))
        known = _sampleNames()
        for button, sample in SAMPLES.items():
            widget = getattr(self.ui, button)
            widget.visible = sample in known
            self.onClick(widget, partial(self._download, sample))

    def show(self, event: LogicEvent | None) -> None:
        if event in (None, LogicEvent.SELECTION, LogicEvent.SETTINGS):
            self.ui.emptyFrame.visible = self.logic.inputVolume is None

    def _download(self, sample: str) -> None:
        """Has Slicer's own module download a sample. It keeps the application waiting, apart from now and then."""
        import SampleData

        self._isCancelled = False
        self.ui.emptyFrame.enabled = False  # it goes on in between
        words = _("Downloading {sample} …").format(sample=sample)
        self._sayer.work(words, None, self._cancel)
        slicer.app.processEvents()
        try:
            loaded = SampleData.SampleDataLogic(self._told).downloadSamples(sample)
            reason = _("There is no network, or its server does not answer.")
        except Cancelled as error:
            loaded, reason = [], str(error)
        except Exception as error:  # of a module that is not ours
            logging.warning("A sample could not be downloaded.", exc_info=True)
            loaded, reason = [], str(error)
        finally:
            self.ui.emptyFrame.enabled = True
            self._sayer.rest()
        # What cannot be loaded is answered with nothing, or with the name of a file.
        volume = next((node for node in loaded if isinstance(node, slicer.vtkMRMLScalarVolumeNode)), None)
        if volume is None:
            self._sayer.say(_("The sample could not be downloaded: {reason}").format(reason=reason))
        else:
            self._take(volume)

    def _told(self, message: str, logLevel: int = logging.DEBUG) -> None:
        """Shows what the other module says, which it does after every tenth of the download."""
        words = MARKUP.sub("", message).strip()
        logging.log(min(logLevel, logging.WARNING), words)
        percent = PERCENT.search(words)
        self._sayer.work(words, int(percent[1]) / 100 if percent else None, self._cancel)
        slicer.app.processEvents()
        if self._isCancelled:
            raise Cancelled(_("It was cancelled."))

    def _cancel(self) -> None:
        self._isCancelled = True

    def _take(self, volume: Any) -> None:
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        self.logic.setInputVolume(volume)


def _sampleNames() -> set[str]:
    """The samples that this version of Slicer has."""
    try:
        import SampleData

        SampleData.SampleDataLogic()  # adds Slicer's own samples, unless they are there already
    except (ImportError, AttributeError):  # not there; or there as a file only, where Slicer was told to leave it out
        return set()
    sources = SampleData.SampleDataLogic.sampleDataSourcesByCategory()
    return {source.sampleName for group in sources.values() for source in group}
