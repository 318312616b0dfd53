"""Too little memory, and devices that fail: what can be freed is freed, what cannot be done is said, nothing hangs."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
import torch
from service_running import INSIDE, code_of, running, volume
from small_configs import TINY, random_network
from stand_in import StandIn

from msam.client import Client, Known
from msam.errors import DeviceError
from msam.exit_codes import ExitCode
from msam.model.model import Model
from msam.protocol import names, records
from msam.protocol.names import Code, path
from msam.protocol.problems import ServiceError
from msam.service.bench import Bench, Catalogue
from msam.service.engine import Engine
from msam.service.fair_queue import Caller, FairQueue
from msam.service.inference_thread import InferenceThread
from msam.service.memory import is_out_of_memory
from msam.service.metrics import Metrics
from msam.service.runs import Run
from msam.service.served_model import ServedModel
from msam.service.settings import Settings
from msam.session.prompts import Point
from msam.session.segmenter import Segmenter

CALLER = Caller("here", "client")
FULL = torch.OutOfMemoryError("CUDA out of memory")


class Cramped(StandIn):
    """Finds its device full the first few times that it encodes."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def encode(self, roi):
        if self.times:
            self.times -= 1
            raise FULL
        return super().encode(roi)


class Card(Bench):
    """A graphics card that may break, as far as the inference thread can tell."""

    def __init__(self, preparing: Exception | None = None, well: bool = True) -> None:
        super().__init__("cpu", Catalogue(None), 1 << 20, 2, lambda *_: StandIn())
        self.preparing, self.well, self.freed = preparing, well, 0

    def prepare(self) -> None:
        if self.preparing is not None:
            raise self.preparing
        super().prepare()

    def take_stock(self) -> bool:
        return self.well

    def free(self) -> None:
        self.freed += 1


def outcomes(bench: Bench, *works) -> tuple[list[object], int]:
    """What comes of these pieces of work, one after the other, and how often the device was given up."""
    lost = []
    thread = InferenceThread(bench, FairQueue(10, 10, 10), Metrics(), lambda: lost.append(bench))
    thread.start()

    async def ask() -> list[object]:
        found = []
        for work in works:
            run = Run("run", CALLER, work)
            thread.queue.put(CALLER, run)
            found.append((await asyncio.gather(asyncio.wait_for(run.outcome, 30), return_exceptions=True))[0])
        return found

    try:
        return asyncio.run(ask()), len(lost)
    finally:
        thread.stop(10)


def fails(error: Exception):
    def work(bench, run):
        raise error

    return work


def served(monkeypatch, times: int) -> tuple[ServedModel, list[str]]:
    """A model whose device is full so many times, and what was freed."""
    freed: list[str] = []
    model = ServedModel(Model(random_network(TINY), torch.device("cpu")), lambda: freed.append("embeddings"))
    infer, left = model._infer, [times]

    def crowded(work):
        if left[0]:
            left[0] -= 1
            raise FULL
        return infer(work)

    monkeypatch.setattr(model, "_infer", crowded)
    return model, freed


def test_a_full_graphics_card_is_emptied_and_asked_once_more(monkeypatch):
    model, freed = served(monkeypatch, 1)
    roi = torch.zeros(1, 1, *(TINY.roi_size,) * 3)
    encoded = model.encode(roi)
    assert torch.equal(encoded.embedding, model.encode(roi).embedding)
    assert freed == ["embeddings"]


def test_a_card_that_stays_full_is_said_and_the_model_stays_there(monkeypatch):
    model, _ = served(monkeypatch, 2)
    with pytest.raises(ServiceError, match="does not suffice") as caught:
        model.encode(torch.zeros(1, 1, *(TINY.roi_size,) * 3))
    assert caught.value.code == Code.OUT_OF_MEMORY
    assert model.notice is None, "a host that moved to the processor would be slow for everybody, for ever"


def test_a_client_that_comes_back_finds_room():
    scan, here = volume(), Segmenter(StandIn())
    expected = here.step(scan, [Point(0, INSIDE.position)]).mask.whole(scan.shape_ijk)
    with running(Cramped(2)) as (endpoint, _), Client(endpoint) as client:
        assert np.array_equal(client.segment(Known.of(scan), [INSIDE]).mask.whole(scan.shape_ijk), expected)


def test_other_models_make_room_for_the_one_that_is_asked_for():
    attempts = []

    def load(source, device, free):
        attempts.append(source)
        if len(attempts) == 2:
            raise FULL
        return StandIn()

    bench = Bench("cpu", Catalogue("first"), 1 << 20, 3, load)
    bench.prepare()
    bench.segmenter(None, lambda done, words: None)
    bench.catalogue.source = lambda name: (name, name)  # type: ignore[method-assign]
    assert bench.segmenter("second", lambda done, words: None)[0] == "second"
    assert attempts == ["first", "second", "second"]
    assert list(bench._segmenters) == ["second"]


def test_memory_of_the_processor_that_is_not_there_is_recognised():
    for ask in (lambda: torch.empty(1 << 58, dtype=torch.uint8), lambda: np.empty(1 << 58, np.uint8)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            ask()
        assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("CUDA error: unknown error"))


def test_a_volume_that_there_is_no_memory_for_can_be_sent_again_later(plain, monkeypatch):
    def full(*_):
        raise MemoryError("Unable to allocate 4.00 GiB")

    known = Known.of(volume(77))
    announced = path(names.VOLUME, volume=known.identity), records.encode(known.description)
    with monkeypatch.context() as crowded:
        crowded.setattr("msam.service.uploads.np.empty", full)
        refused = plain.put(announced[0], content=announced[1])
    assert code_of(refused) == Code.OUT_OF_MEMORY
    assert refused.headers[names.RETRY_AFTER]
    assert plain.put(announced[0], content=announced[1]).status_code == 200


def test_what_can_be_computed_again_is_freed_before_the_next_one_comes():
    card = Card()
    found, _ = outcomes(card, fails(FULL), lambda bench, run: "done")
    assert isinstance(found[0], ServiceError) and found[0].code == Code.OUT_OF_MEMORY
    assert found[1] == "done"
    assert card.freed == 1


@pytest.mark.parametrize("error", [ImportError("No module named 'torch'"), OSError("libcudart.so"), DeviceError("no")])
def test_an_engine_whose_device_cannot_be_used_says_so_and_lets_nobody_wait(error):
    found, lost = outcomes(Card(preparing=error), lambda bench, run: "done")
    assert isinstance(found[0], DeviceError)
    assert str(error) in str(found[0])
    assert not lost


def test_a_card_that_does_not_answer_any_more_is_given_up():
    """After a computer slept, say: only another process can use it again."""
    gone = RuntimeError("CUDA error: unknown error")
    found, lost = outcomes(Card(well=False), fails(gone), lambda bench, run: "done")
    assert isinstance(found[1], DeviceError)
    assert lost == 1


def test_the_process_ends_with_the_exit_code_for_a_lost_card(monkeypatch):
    codes = []
    monkeypatch.setattr("msam.service.engine.os._exit", codes.append)
    Engine(Settings(devices=("cpu",))).threads[0]._lost()
    assert codes == [ExitCode.DEVICE_LOST]


def test_whether_a_card_answers_is_asked_after_every_run(monkeypatch):
    def broken(device):
        raise RuntimeError("CUDA error: unspecified launch failure")

    bench = Bench("cpu", Catalogue(None), 1 << 20, 2, lambda *_: StandIn())
    bench.prepare()
    assert bench.take_stock()
    bench.device = "cuda"
    monkeypatch.setattr(torch.cuda, "synchronize", broken)
    assert not bench.take_stock()
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 2))
    assert bench.take_stock() and bench.memory == (1, 2)


def test_no_thread_is_left_behind():
    before = threading.active_count()
    outcomes(Card(), lambda bench, run: "done")
    assert threading.active_count() <= before
