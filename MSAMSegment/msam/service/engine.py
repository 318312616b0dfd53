"""The service without its paths: what the handlers of requests share."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from msam import __version__
from msam.exit_codes import ExitCode
from msam.protocol.messages import Health, Memory
from msam.protocol.names import VERSION
from msam.service.bench import Bench, Catalogue, Load, load_served
from msam.service.fair_queue import Caller, FairQueue
from msam.service.inference_thread import InferenceThread
from msam.service.metrics import Metrics
from msam.service.runs import Run, Runs
from msam.service.settings import Settings
from msam.service.volume_store import VolumeStore

JANITOR_SECONDS = 30.0
PATIENCE = 2.0
# Who asks for the model that the service is started with.
ITSELF = Caller("", "start")


class Engine:
    """Volumes, models, devices and runs."""

    def __init__(self, settings: Settings, load: Load = load_served) -> None:
        """Prepares everything; `start` begins the work.

        Args:
            settings: how to run.
            load: gives models; tests put stand-ins here.
        """
        self.settings = settings
        self.store = VolumeStore(settings.volume_bytes, settings.idle_seconds)
        self.metrics = Metrics()
        self.catalogue = Catalogue(settings.model)
        self.threads = [
            InferenceThread(
                Bench(device, self.catalogue, settings.embedding_bytes, settings.most_models, load),
                FairQueue(settings.most_waiting, settings.most_waiting_per_address, settings.most_waiting_per_client),
                self.metrics,
                # Only another process can use it again, which whoever started this one starts; clients ask that one.
                lost=lambda: os._exit(ExitCode.DEVICE_LOST),
            )
            for device in settings.devices
        ]
        self.runs = Runs(
            lambda run: sum(thread.queue.ahead_of(run) for thread in self.threads),
            lambda run: any(thread.queue.remove(run) for thread in self.threads),
        )
        self._janitor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins the work, in the loop that is running."""
        for thread in self.threads:
            thread.start()
        self._janitor = asyncio.create_task(self._clean())

    async def stop(self) -> None:
        """Cancels what is running and lets the threads end."""
        if self._janitor is not None:
            self._janitor.cancel()
        self.runs.cancel_all()
        for thread in self.threads:
            await asyncio.to_thread(thread.stop, PATIENCE)

    def submit(self, run: Run[Any], volume: str = "") -> None:
        """Hands a run to a device: always the same one for a volume, whose embeddings are there.

        Raises:
            ServiceError: too many runs wait.
        """
        number = int(volume[:8], 16) % len(self.threads) if volume else 0
        self.threads[number].queue.put(run.caller, run)

    async def load(self, model: str | None, caller: Caller) -> str:
        """Loads a model on every device.

        Returns:
            Its name.

        Raises:
            MsamError: it cannot be loaded.
        """
        self.catalogue.source(model)

        def work(bench: Bench, run: Run[str]) -> str:
            return bench.segmenter(model, run.report)[0]

        loading = [Run(f"load-{number}", caller, work) for number in range(len(self.threads))]
        for thread, run in zip(self.threads, loading, strict=True):
            thread.queue.put(caller, run)
        names = await asyncio.gather(*(run.outcome for run in loading), return_exceptions=True)
        for name in names:
            if isinstance(name, BaseException):
                raise name
        return str(names[0])

    def health(self) -> Health:
        """How the service is."""
        free, total = next((thread.bench.memory for thread in self.threads if thread.bench.memory), (None, None))
        return Health(
            protocol=VERSION,
            version=__version__,
            model=self.catalogue.default,
            devices=tuple(thread.bench.device for thread in self.threads if thread.prepared.is_set()),
            shared_memory=self.settings.shares_memory,
            waiting=self.waiting,
            volumes=len(self.store),
            memory=Memory(
                process=process_bytes(),
                volumes=self.store.nbytes,
                volumes_limit=self.store.limit_bytes,
                embeddings=self.embedding_bytes,
                embeddings_limit=self.settings.embedding_bytes * len(self.threads),
                device_free=free,
                device_total=total,
            ),
        )

    @property
    def waiting(self) -> int:
        """Runs that wait for a device."""
        return sum(len(thread.queue) for thread in self.threads)

    @property
    def embedding_bytes(self) -> int:
        """Of embeddings, on all devices."""
        return sum(thread.bench.embedding_bytes for thread in self.threads)

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(min(JANITOR_SECONDS, self.settings.idle_seconds))
            self.store.drop_idle()


def process_bytes() -> int | None:
    """Memory of this process; None where the system does not tell without further packages."""
    if sys.platform != "linux":
        return None
    import resource

    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
