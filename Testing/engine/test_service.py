"""The service, over real connections on loopback, with a stand-in for a model."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace

import httpx
import numpy as np
import pytest
from service_running import (
    INSIDE,
    OUTSIDE,
    TOKEN,
    Slow,
    a_request,
    code_of,
    damaged,
    running,
    volume,
)
from stand_in import StandIn

from msam.clicks import Click
from msam.client import Client, Known
from msam.engine_process import Endpoint
from msam.errors import Cancelled, CheckpointError, PromptError, StateError
from msam.protocol import names, records, volumes
from msam.protocol.masks import cropped
from msam.protocol.messages import UploadStatus
from msam.protocol.names import Code, path
from msam.protocol.problems import ServiceError
from msam.session.prompts import Point
from msam.session.segmenter import Segmenter

# Steps


def test_the_mask_is_that_of_the_engine_in_this_process(client):
    here = Segmenter(StandIn())
    scan, clicks = volume(), [INSIDE, OUTSIDE]
    points = [Point(0, INSIDE.position), Point(1, OUTSIDE.position, positive=False)]
    first, second = client.segment(scan, clicks[:1]), None
    second = client.segment(scan, clicks, state=first.state, iterations=2)
    expected_first = here.step(scan, points[:1])
    expected = here.step(scan, points, expected_first.state, iterations=2)
    assert np.array_equal(first.mask.whole(scan.shape_ijk), expected_first.mask.whole(scan.shape_ijk))
    assert np.array_equal(second.mask.whole(scan.shape_ijk), expected.mask.whole(scan.shape_ijk))
    assert second.state == expected.state.to_bytes()
    assert second.header.quality == pytest.approx(expected.quality)
    assert {"cut", "encode", "decode", "paste", "total", "waiting"} == set(second.header.timings)


def test_a_replica_that_has_seen_nothing_goes_on_with_the_same_mask(client):
    scan = volume(7)
    first = client.segment(scan, [INSIDE])
    expected = client.segment(scan, [INSIDE, OUTSIDE], state=first.state)
    with running() as (elsewhere, _), Client(elsewhere) as other:
        found = other.segment(scan, [INSIDE, OUTSIDE], state=first.state)
    assert np.array_equal(found.mask.voxels, expected.mask.voxels)
    assert found.mask.box == expected.mask.box
    assert found.state == expected.state


def test_an_existing_mask_is_the_prompt(client):
    scan = volume()
    mask = np.zeros(scan.voxels.shape, bool)
    mask[10:18, 14:22, 16:24] = True
    reply = client.segment(scan, [INSIDE], mask=cropped(mask))
    assert reply.mask.voxels.any()


@pytest.mark.parametrize(
    ("clicks", "options", "error"),
    [
        ([Click((20.0, 18.0, 999.0))], {}, PromptError),
        ([], {}, PromptError),
        ([OUTSIDE], {}, PromptError),
        ([INSIDE], {"state": b"damaged"}, StateError),
        ([INSIDE], {"model": "no-such-model"}, ServiceError),
    ],
)
def test_what_cannot_be_segmented_is_refused_in_words(client, clicks, options, error):
    with pytest.raises(error, match=r"\w+ .*\."):
        client.segment(volume(), clicks, **options)


def test_an_unknown_volume_has_a_code_of_its_own(plain):
    assert code_of(plain.post(names.SEGMENT, content=a_request(Known.of(volume(99))))) == Code.VOLUME_UNKNOWN


def test_a_model_is_not_reached_by_a_path(plain):
    for model in ("..%2F..%2Fetc%2Fpasswd", "..", "a" * 99):
        assert code_of(plain.put(names.MODELS + "/" + model)) in (Code.MALFORMED, Code.NOT_FOUND, Code.WRONG_METHOD)


def test_a_damaged_model_is_reported_and_the_service_lives_on():
    with running(damaged()) as (endpoint, _), Client(endpoint) as client:
        with pytest.raises(CheckpointError, match="damaged"):
            client.segment(volume(), [INSIDE])
        assert client.models()[-1].state == "failed"
        assert client.health().protocol == names.VERSION


def test_a_defect_is_answered_without_its_text_and_the_service_lives_on(caplog):
    class Defective(StandIn):
        def encode(self, roi):
            raise ZeroDivisionError("Jane Doe")

    caplog.set_level(logging.INFO)
    with running(Defective()) as (endpoint, _), Client(endpoint) as client:
        with pytest.raises(ServiceError, match="unexpected") as caught:
            client.segment(volume(), [INSIDE])
        assert caught.value.code == Code.INTERNAL
        assert client.health().protocol == names.VERSION
    assert "Jane" not in "".join(str(vars(record)) for record in caplog.records)


def test_out_of_memory_is_a_503_to_come_back_after():
    class Full(StandIn):
        def encode(self, roi):
            raise MemoryError

    known = Known.of(volume())
    with running(Full()) as (endpoint, engine):
        engine.store.adopt(known.identity, known.description, known.data)
        answer = httpx.post(
            endpoint.url + names.SEGMENT, content=a_request(known), headers={"Authorization": f"Bearer {TOKEN}"}
        )
    assert answer.status_code == 503
    assert code_of(answer) == Code.OUT_OF_MEMORY
    assert answer.headers["Retry-After"]


def test_loading_a_model_is_watched():
    with running() as (endpoint, _), Client(endpoint) as client:
        assert client.load("stand-in", lambda done, words: None).state == "loaded"


# Progress and cancel


def test_progress_is_told_while_a_step_runs():
    told = []
    with running(Slow(0.4)) as (endpoint, _), Client(endpoint) as client:
        client.segment(volume(), [INSIDE], progress=lambda done, words: told.append((done, words)))
    assert any(0 < done <= 1 for done, _ in told)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_cancelled_step_ends_within_half_a_second():
    network, known = Slow(1.5), Known.of(volume())
    with running(network) as (endpoint, _), Client(endpoint) as client:
        client.upload(known)
        cancelled_at = []

        def cancelled():
            if network.began.is_set() and not cancelled_at:
                cancelled_at.append(time.perf_counter())
            return bool(cancelled_at)

        with pytest.raises(Cancelled):
            client.segment(known, [INSIDE], cancelled=cancelled)
        assert time.perf_counter() - cancelled_at[0] < 0.5
        network.seconds = 0.0
        assert client.segment(known, [INSIDE]).mask.voxels.any()


def test_a_step_that_nobody_waits_for_is_not_computed():
    network, known = Slow(0.5), Known.of(volume())
    with running(network) as (endpoint, engine):
        engine.store.adopt(known.identity, known.description, known.data)
        token = {"Authorization": f"Bearer {TOKEN}"}
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(
                    endpoint.url + names.SEGMENT,
                    content=a_request(known, run=f"run-{_}"),
                    headers=token,
                    timeout=httpx.Timeout(5, read=0.1),
                )
        time.sleep(0.8)
        assert engine.waiting == 0
        assert network.encoded <= 2


def test_a_step_that_outlasts_the_patience_of_a_stopping_service_is_answered_in_words(monkeypatch):
    monkeypatch.setattr("msam.service.server.GRACE_SECONDS", 0)
    network, known, answers = Slow(3.0), Known.of(volume()), []

    def ask():
        token = {"Authorization": f"Bearer {TOKEN}"}
        answers.append(httpx.post(endpoint.url + names.SEGMENT, content=a_request(known), headers=token, timeout=30))

    with running(network) as (endpoint, engine):
        engine.store.adopt(known.identity, known.description, known.data)
        asking = threading.Thread(target=ask)
        asking.start()
        assert network.began.wait(10)
    asking.join()
    assert code_of(answers[0]) == Code.STOPPING


def test_a_step_asked_for_anew_takes_the_place_of_the_one_whose_connection_broke():
    network, known, codes = Slow(4.0), Known.of(volume()), []

    def ask():
        token = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.post(
            endpoint.url + names.SEGMENT, content=a_request(known), headers=token, timeout=30, verify=False
        )
        codes.append(answer.status_code if answer.is_success else code_of(answer))

    with running(network) as (endpoint, engine):
        engine.store.adopt(known.identity, known.description, known.data)
        first, second = threading.Thread(target=ask), threading.Thread(target=ask)
        first.start()
        assert network.began.wait(10)
        second.start()
        first.join()
        second.join()
    assert codes == [Code.CANCELLED, 200]


def test_a_run_that_does_not_exist_cannot_be_cancelled(plain):
    assert code_of(plain.delete(path(names.RUN, run="nothing"))) == Code.RUN_UNKNOWN


# Volumes


def test_a_broken_upload_is_resumed(client, plain, monkeypatch):
    monkeypatch.setattr(volumes, "PART_BYTES", 10_000)
    monkeypatch.setattr("msam.service.uploads.PART_BYTES", 10_000)
    known = Known.of(volume(3))
    where = path(names.VOLUME, volume=known.identity)
    status = records.decode(UploadStatus, plain.put(where, content=records.encode(known.description)).content)
    assert status.missing == tuple(range(known.description.parts)) and len(status.missing) > 5
    for part in (2, 0, 2):
        plain.put(
            path(names.VOLUME_PART, volume=known.identity, part=part),
            content=volumes.pack_part(known.description, known.data, part),
        )
    status = records.decode(UploadStatus, plain.get(where).content)
    assert not status.complete and 2 not in status.missing and 0 not in status.missing
    told = []
    client.upload(known, lambda done, words: told.append(done))
    assert len(told) == len(status.missing)
    assert records.decode(UploadStatus, plain.get(where).content).complete


def test_a_volume_that_is_not_what_was_announced_is_forgotten(plain):
    known, other = Known.of(volume(4)), Known.of(volume(5))
    where = path(names.VOLUME, volume=known.identity)
    plain.put(where, content=records.encode(known.description))
    answer = plain.put(where + "/parts/0", content=volumes.pack_part(other.description, other.data, 0))
    assert code_of(answer) == Code.MALFORMED
    assert code_of(plain.get(where)) == Code.VOLUME_UNKNOWN


def test_a_wrong_description_does_not_keep_the_right_one_out(client, plain):
    """Neither by mistake nor on purpose: the identity, which both were announced under, tells who was right."""
    known = Known.of(volume(6))
    wrong = replace(known.description, modality="MR")
    where = path(names.VOLUME, volume=known.identity)
    assert plain.put(where, content=records.encode(wrong)).status_code == 200
    client.upload(known)
    assert records.decode(UploadStatus, plain.get(where).content).complete


def test_a_volume_larger_than_the_memory_for_volumes_is_refused_before_memory_is_taken():
    known = Known.of(volume())
    with (
        running(volume_bytes=1000) as (endpoint, _),
        Client(endpoint) as client,
        pytest.raises(ServiceError, match="at most") as caught,
    ):
        client.upload(known)
    assert caught.value.code == Code.TOO_LARGE


def test_the_least_recently_used_volume_makes_room_and_comes_back_when_it_is_asked_for():
    scans = [Known.of(volume(seed)) for seed in range(3)]
    with running(volume_bytes=2 * scans[0].description.nbytes) as (endpoint, engine), Client(endpoint) as client:
        masks = [client.segment(known, [INSIDE]).mask for known in scans]
        assert len(engine.store) == 2
        again = client.segment(scans[0], [INSIDE]).mask
    assert np.array_equal(again.voxels, masks[0].voxels)


def test_idle_volumes_are_dropped():
    with running(idle_seconds=4.0) as (endpoint, engine), Client(endpoint) as client:
        client.upload(Known.of(volume()))
        assert len(engine.store) == 1
        deadline = time.monotonic() + 30
        while len(engine.store) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(engine.store) == 0


def test_a_volume_is_handed_over_in_memory():
    known = Known.of(volume())
    with running(shares_memory=True) as (endpoint, engine), Client(endpoint) as client:
        client.upload(known)
        held = engine.store.get(known.identity)
        assert np.array_equal(held.voxels, volume().voxels)
        assert client.segment(known, [INSIDE]).mask.voxels.any()


def test_a_host_takes_no_memory_over(plain):
    assert code_of(plain.put(path(names.VOLUME_SHARED, volume="0" * 64), content=b"{}")) == Code.NOT_FOUND


# Many clients


def test_clients_take_turns():
    network = Slow(0.1)
    known = [Known.of(volume(seed)) for seed in range(9)]
    done = []
    with running(network, most_waiting=20) as (endpoint, _), Client(endpoint) as busy, Client(endpoint) as other:
        for each in known:
            busy.upload(each)

        def ask(client: Client, number: int, name: str) -> None:
            client.segment(known[number], [INSIDE])
            done.append(name)

        threads = [threading.Thread(target=ask, args=(busy, number, "busy")) for number in range(8)]
        for thread in threads:
            thread.start()
        network.began.wait(5)
        time.sleep(0.05)
        ask(other, 8, "other")
        before = done.count("busy")
        for thread in threads:
            thread.join()
    assert before <= 4


def test_a_service_that_has_too_much_to_do_says_so():
    network = Slow(0.6)
    known = Known.of(volume())
    with running(network, most_waiting_per_client=1) as (endpoint, engine):
        engine.store.adopt(known.identity, known.description, known.data)
        codes = []

        def ask(number: int) -> None:
            answer = httpx.post(
                endpoint.url + names.SEGMENT,
                content=a_request(known, run=f"run-{number}"),
                headers={"Authorization": f"Bearer {TOKEN}"},
                timeout=20,
            )
            codes.append(answer.status_code)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 503 in codes
    assert 200 in codes


def test_an_engine_that_is_not_there_is_reported_in_words():
    with (
        Client(Endpoint("http://127.0.0.1:9", TOKEN)) as client,
        pytest.raises(ServiceError, match="cannot be reached"),
    ):
        client.health()
