"""Where the work is done: the models of one device, and the embeddings made with them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msam.checkpoints.catalogue import is_model_name, list_models
from msam.errors import MsamError
from msam.protocol.messages import ModelStatus
from msam.protocol.names import Code
from msam.protocol.problems import ServiceError
from msam.service.memory import is_out_of_memory

if TYPE_CHECKING:
    from msam.session.looking import Network
    from msam.session.segmenter import Segmenter

Report = Callable[[float, str], None]
# From a model's name or file and a device to the model; `free` gives back what else is held there.
Load = Callable[[str | Path, str, Callable[[], None]], "Network"]


def load_served(source: str | Path, device: str, free: Callable[[], None]) -> Network:
    """A model of the engine's own.

    Raises:
        CheckpointError: there is no such model, or it is unusable.
        DeviceError: there is no such device.
    """
    from msam.model.loading import load_model
    from msam.service.served_model import ServedModel

    return ServedModel(load_model(source, device), free)


@dataclass(frozen=True)
class Loading:
    """How the loading of a model stands: "loading", "loaded" or "failed"."""

    state: str
    fraction: float
    words: str


class Catalogue:
    """The models that clients may name, and how their loading stands. Any thread may use it."""

    def __init__(self, default: str | None) -> None:
        """Knows the bundled and the installed models, and the one the service was started with, which may be a file."""
        self.default = None if default is None else default if is_model_name(default) else Path(default).stem
        self._file = None if default is None or is_model_name(default) else Path(default)
        self._loading: dict[str, Loading] = {}
        self._lock = threading.Lock()

    def source(self, name: str | None) -> tuple[str, str | Path]:
        """The name of a model, and where it is.

        Args:
            name: what a client asked for; None for the model that the service was started with.

        Raises:
            ServiceError: there is no such model.
        """
        if name is None or name == self.default:
            if self.default is None:
                raise ServiceError("The engine was started without a model; name one.", Code.MODEL_UNKNOWN)
            return self.default, self._file or self.default
        # A client names models; it never reaches a file of this machine by its path.
        if not any(entry.name == name and entry.origin != "known" for entry in list_models()):
            raise ServiceError(f"There is no model called '{name}' here.", Code.MODEL_UNKNOWN)
        return name, name

    def note(self, name: str, loading: Loading | None) -> None:
        """Remembers how the loading of a model stands; None when it is no longer loaded."""
        with self._lock:
            if loading is None:
                self._loading.pop(name, None)
            else:
                self._loading[name] = loading

    def statuses(self) -> tuple[ModelStatus, ...]:
        """Every model that can be named."""
        with self._lock:
            loading = dict(self._loading)
        available = Loading("available", 0.0, "")
        known = {
            entry.name: (entry.description, entry.licence, entry.size)
            for entry in list_models()
            if entry.origin != "known"
        }
        if self.default is not None:
            known.setdefault(self.default, ("", "", 0))
        return tuple(ModelStatus(name, *about, **vars(loading.get(name, available))) for name, about in known.items())

    def status(self, name: str) -> ModelStatus:
        """One model.

        Raises:
            ServiceError: there is no such model.
        """
        for status in self.statuses():
            if status.name == name:
                return status
        raise ServiceError(f"There is no model called '{name}' here.", Code.MODEL_UNKNOWN)


class Bench:
    """One device. Only its inference thread works here: a GPU library's plans belong to the thread that made them."""

    def __init__(self, device: str, catalogue: Catalogue, embedding_bytes: int, most_models: int, load: Load) -> None:
        self.device = device
        self.catalogue = catalogue
        self.embedding_bytes = 0
        self.memory: tuple[int, int] | None = None
        self._limit = embedding_bytes
        self._most_models = most_models
        self._load = load
        self._segmenters: OrderedDict[str, Segmenter] = OrderedDict()

    def prepare(self) -> None:
        """Imports PyTorch and finds the device.

        Raises:
            DeviceError: it is not there.
        """
        from msam.model.device import choose_device
        from msam.session.cache import EmbeddingCache

        self.device = str(choose_device(self.device))
        self._cache = EmbeddingCache(self._limit)

    def segmenter(self, name: str | None, report: Report) -> tuple[str, Segmenter]:
        """A model by its name, loaded if it is not, and its name.

        Args:
            name: None for the model that the service was started with.
            report: called while it is being loaded.

        Raises:
            ServiceError: there is no such model.
            CheckpointError: it is unusable.
        """
        known, source = self.catalogue.source(name)
        if known not in self._segmenters:
            while len(self._segmenters) >= self._most_models:
                dropped, _ = self._segmenters.popitem(last=False)
                self.catalogue.note(dropped, None)
            self._segmenters[known] = self._loaded(known, source, report)
        self._segmenters.move_to_end(known)
        return known, self._segmenters[known]

    def take_stock(self) -> bool:
        """Looks at how much memory is in use, and whether the device still answers.

        After some faults (the computer slept, the driver was reset) a process cannot use a graphics card any more.
        """
        self.embedding_bytes = self._cache.nbytes
        if self.device.startswith("cuda"):
            import torch

            try:
                torch.cuda.synchronize(self.device)
                free, total = torch.cuda.mem_get_info(self.device)
            except RuntimeError:
                return False
            self.memory = free, total
        return True

    def free(self) -> None:
        """Gives back what can be computed again."""
        self._cache.clear()

    def _loaded(self, name: str, source: str | Path, report: Report) -> Segmenter:
        from msam.session.segmenter import Segmenter

        def tell(fraction: float, words: str) -> None:
            self.catalogue.note(name, Loading("loading", fraction, words))
            report(fraction, words)

        try:
            tell(0.1, "Reading the weights")
            network = self._fitted(source)
            if not self.device.startswith("cpu"):
                tell(0.6, "Warming up")
                _warm_up(network)
        except Exception as error:
            words = str(error) if isinstance(error, MsamError) else "The model cannot be loaded."
            self.catalogue.note(name, Loading("failed", 0.0, words))
            raise
        self.catalogue.note(name, Loading("loaded", 1.0, ""))
        return Segmenter(network, self._cache)

    def _fitted(self, source: str | Path) -> Network:
        """A model on the device. Where there is too little room for it, all that can be had again makes some."""
        try:
            return self._load(source, self.device, self.free)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        self.free()
        for dropped in list(self._segmenters):
            del self._segmenters[dropped]
            self.catalogue.note(dropped, None)
        return self._load(source, self.device, self.free)


def _warm_up(network: Network) -> None:
    """Makes the plans of the GPU's libraries, so that the first click need not wait for them."""
    import torch

    size = network.config.roi_size
    encoded = network.encode(torch.zeros(1, 1, size, size, size))
    network.decode(encoded, torch.full((1, 1, 3), size / 2), torch.ones(1, 1, dtype=torch.int64))
