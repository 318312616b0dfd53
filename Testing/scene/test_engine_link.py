"""The link to the engine: its life on this computer, hosts, and every way in which it cannot be reached."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
from stand_in_engine import StandInTransport

from msam.engine_process.command import command
from msam.engine_process.machine import MOST_RESTARTS, START_SECONDS, STOP_SECONDS
from msam.protocol.names import VERSION
from MSAMSegmentLib import engine_environment, failures
from MSAMSegmentLib.engine_link import EngineLink
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.failures import Failure

HOST, KEY = "https://gpu.example.org:8421", "a-key-of-enough-characters"


@pytest.fixture
def transport() -> StandInTransport:
    return StandInTransport()


@pytest.fixture
def here(transport: StandInTransport) -> EngineLink:
    """An engine on this computer that has not been started."""
    link = EngineLink(transport)
    link.useThisComputer("python3")
    return link


@pytest.fixture
def there(transport: StandInTransport) -> EngineLink:
    """An engine on a host that nobody has asked yet."""
    transport.hosts[HOST] = KEY
    link = EngineLink(transport)
    link.useHost(HOST, KEY)
    return link


def examined(link: EngineLink, transport: StandInTransport) -> tuple[bool, str]:
    """What the test of a link says."""
    said: list[tuple[bool, str]] = []
    link.test(lambda well, words: said.append((well, words)))
    assert not said
    assert transport.runUntil(lambda: bool(said), 300)
    assert len(said) == 1
    return said[0]


def ready(link: EngineLink, transport: StandInTransport) -> bool:
    link.start()
    return transport.runUntil(lambda: link.state == "ready" and link.health is not None, 300)


# This computer


def test_nothing_runs_before_it_is_needed(here: EngineLink, transport: StandInTransport):
    assert (here.state, here.isRemote, transport.processes) == ("stopped", False, [])
    assert "first click" in here.words


def test_a_start_is_told_in_words_and_ends_with_model_and_device(transport: StandInTransport):
    told: list[tuple[str, str]] = []
    link = EngineLink(transport, lambda: told.append((link.state, link.words)))
    transport.startDelay = 5
    link.useThisComputer("python3", "compact")
    assert ready(link, transport)
    assert ("starting", "Starting the engine: Reading the model (50%)") in told
    assert (link.modelName, link.deviceName) == ("stand-in", "cpu")
    assert told[-1] == ("ready", "Ready: stand-in on cpu, this computer.")
    assert len(told) == len(set(told)), "it was told the same twice"


def test_a_stopped_engine_ends_and_can_be_started_again(here: EngineLink, transport: StandInTransport):
    assert ready(here, transport)
    here.stop()
    assert (here.state, here.endpoint, here.health) == ("stopped", None, None)
    assert transport.runUntil(lambda: not transport.processes[0].alive, 10)
    assert ready(here, transport)
    assert len(transport.processes) == 2


def test_a_start_right_after_a_stop_is_not_lost(here: EngineLink, transport: StandInTransport):
    assert ready(here, transport)
    here.stop()
    assert ready(here, transport)


def test_a_crash_is_followed_by_a_restart_with_another_token(here: EngineLink, transport: StandInTransport):
    assert ready(here, transport)
    before = here.endpoint
    transport.crash()
    assert here.state == "starting"
    assert here.endpoint is None
    assert ready(here, transport)
    assert here.endpoint.token != before.token
    assert any("ended unexpectedly" in line for line in here.logLines)


def test_an_engine_that_ends_again_and_again_is_given_up_until_somebody_asks(
    here: EngineLink, transport: StandInTransport
):
    for _ in range(MOST_RESTARTS + 1):
        assert ready(here, transport)
        transport.crash()
    assert here.state == "failed"
    assert "again and again" in here.words
    assert ready(here, transport)


def test_an_engine_that_cannot_be_started_says_why(here: EngineLink, transport: StandInTransport):
    transport.noInterpreter = True
    well, words = examined(here, transport)
    assert not well
    assert "cannot be started: there is no such file." in words
    assert here.state == "failed"


def test_an_engine_that_fails_while_it_starts_says_why(here: EngineLink, transport: StandInTransport):
    transport.startFailure = "The model is damaged. Install it again."
    assert examined(here, transport) == (False, "The model is damaged. Install it again.")


def test_an_engine_that_is_never_ready_is_ended(here: EngineLink, transport: StandInTransport):
    transport.startDelay = 10**6
    well, words = examined(here, transport)
    assert not well
    assert f"{START_SECONDS:.0f} seconds" in words
    assert not transport.processes[0].alive


def test_an_engine_that_does_not_stop_is_ended(here: EngineLink, transport: StandInTransport):
    assert ready(here, transport)
    process = transport.processes[0]
    process.closeInput = lambda: None
    here.stop()
    assert transport.runUntil(lambda: not process.alive, STOP_SECONDS + 1)


def test_a_restart_puts_another_process_in_its_place(here: EngineLink, transport: StandInTransport):
    assert ready(here, transport)
    here.restart()
    assert here.state == "starting", "nobody may be sent to the old one"
    assert ready(here, transport)
    assert [process.alive for process in transport.processes] == [False, True]


def test_another_choice_ends_the_process_before(here: EngineLink, transport: StandInTransport):
    assert ready(here, transport)
    here.useThisComputer("python3", "other")
    assert here.state == "stopped"
    assert ready(here, transport)
    assert [process.alive for process in transport.processes] == [False, True]
    assert "other" in transport.commands[1]


def test_closing_ends_the_process_and_tells_nobody(transport: StandInTransport):
    told: list[str] = []
    link = EngineLink(transport, lambda: told.append(link.state))
    link.useThisComputer("python3")
    assert ready(link, transport)
    told.clear()
    link.close()
    assert transport.runUntil(lambda: not transport.processes[0].alive, 10)
    assert not told


# Environments


def test_another_interpreter_gets_nothing_of_the_applications_python(transport, monkeypatch):
    monkeypatch.setattr(slicer, "app", SimpleNamespace(startupEnvironment=dict), raising=False)
    start = {"PATH": "/usr/bin", "PYTHONHOME": "/slicer", "PYTHONPATH": "/slicer/lib"}
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: start, raising=False)
    link = EngineLink(transport)
    link.useThisComputer("python3")
    assert ready(link, transport)
    (environment,) = transport.environments
    assert environment["PATH"] == "/usr/bin"
    assert "PYTHONHOME" not in environment
    assert environment["PYTHONPATH"].endswith("MSAMSegment")


def test_another_interpreter_gets_no_libraries_of_an_application_without_a_launcher(monkeypatch):
    """As on macOS, where the environment at the start is the one that the application has changed."""
    home = "/Applications/Slicer.app/Contents"
    start = {
        "PATH": os.pathsep.join([f"{home}/bin", "/usr/bin", home, f"{home}-tools"]),
        "LD_LIBRARY_PATH": f"{home}/lib",
        "LD_PRELOAD": "/opt/own.so",
        "DYLD_LIBRARY_PATH": "/opt/lib",
        "DYLD_FRAMEWORK_PATH": f"{home}/Frameworks",
        "QT_PLUGIN_PATH": os.pathsep.join([f"{home}/lib/QtPlugins", "/opt/plugins"]),
        "SSL_CERT_FILE": f"{home}/share/Slicer.crt",
        "HOME": f"{home}/home",
    }
    monkeypatch.setattr(slicer, "app", SimpleNamespace(startupEnvironment=dict, slicerHome=home), raising=False)
    monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: start, raising=False)
    assert engine_environment.startupEnvironment() == {
        "PATH": os.pathsep.join(["/usr/bin", f"{home}-tools"]),
        "LD_PRELOAD": "/opt/own.so",
        "DYLD_LIBRARY_PATH": "/opt/lib",
        "QT_PLUGIN_PATH": "/opt/plugins",
        "HOME": f"{home}/home",
    }


def test_the_applications_own_interpreter_takes_the_engine_from_the_application(transport):
    link = EngineLink(transport)
    for isOwn in (True, False):
        link.useThisComputer("python", device="cpu", isOwnInterpreter=isOwn)
        assert ready(link, transport)
    assert transport.commands == [command("python", "compact", "cpu", own=isOwn) for isOwn in (True, False)]
    assert ["-m" in each for each in transport.commands] == [False, True]


def test_the_applications_own_interpreter_keeps_what_its_launcher_set(transport, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/slicer")
    monkeypatch.setenv("PYTHONPATH", "/slicer/lib")
    link = EngineLink(transport)
    link.useThisComputer("PythonSlicer", isOwnInterpreter=True)
    assert ready(link, transport)
    (environment,) = transport.environments
    first, second = environment["PYTHONPATH"].split(os.pathsep)
    assert (first.endswith("MSAMSegment"), second, environment["PYTHONHOME"]) == (True, "/slicer/lib", "/slicer")
    assert {name: value for name, value in environment.items() if name != "PYTHONPATH"} == {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }


def test_outside_of_the_application_its_own_environment_is_that_of_the_process():
    assert engine_environment.startupEnvironment() == dict(os.environ)


# Hosts


def test_a_host_is_asked_how_it_is_before_it_counts_as_ready(there: EngineLink, transport: StandInTransport):
    assert there.isRemote
    assert not transport.service.asked
    assert ready(there, transport)
    assert transport.service.asked == ["GET /v1/health"]
    assert there.words == f"Ready: stand-in on cpu, {HOST}."


def test_all_well_is_told_with_model_device_and_version(there: EngineLink, transport: StandInTransport):
    well, words = examined(there, transport)
    assert well
    assert all(part in words for part in ("stand-in", "cpu", "0.1.0"))


@pytest.mark.parametrize("failure", list(Failure))
def test_every_way_in_which_a_host_cannot_be_reached_has_its_words(there, transport, failure):
    del transport.hosts[HOST]
    transport.unreachable[HOST] = failure
    well, words = examined(there, transport)
    assert not well
    assert words.startswith(f"The engine at {HOST} cannot be reached: {failures.words(failure)}. ")
    assert words.endswith(".")
    assert there.state == "failed"


def test_the_ways_differ_in_their_words(there, transport):
    del transport.hosts[HOST]
    said = set()
    for failure in Failure:
        transport.unreachable[HOST] = failure
        said.add(examined(there, transport)[1])
    assert len(said) == len(Failure)
    assert set(Failure) == set(failures.WORDS) == set(failures.ADVICE)


def test_a_wrong_key_is_told(there: EngineLink, transport: StandInTransport):
    transport.hosts[HOST] = "another-key-of-that-host"
    well, words = examined(there, transport)
    assert not well
    assert "does not accept the key" in words
    assert KEY not in words


def test_a_missing_key_is_told(there: EngineLink, transport: StandInTransport):
    there.useHost(HOST, "")
    assert "asks for a key" in examined(there, transport)[1]


def test_another_version_is_told(there: EngineLink, transport: StandInTransport):
    transport.service.protocol = VERSION + 1
    well, words = examined(there, transport)
    assert not well
    assert "release" in words


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b"nothing here"), (302, b""), (200, b"{}")])
def test_something_that_is_no_engine_is_told(there, transport, monkeypatch, status, body):
    monkeypatch.setattr(transport.service, "answer", lambda *given: given[-1](status, body))
    well, words = examined(there, transport)
    assert not well
    assert "is not an engine" in words


def test_a_host_that_is_well_again_is_found_by_the_next_test(there: EngineLink, transport: StandInTransport):
    del transport.hosts[HOST]
    assert not examined(there, transport)[0]
    transport.hosts[HOST] = KEY
    assert examined(there, transport)[0]
    assert there.state == "ready"


@pytest.mark.parametrize(
    "url",
    ["", "gpu.example.org", "ftp://gpu", "https://", "https://gpu:port", "https://gpu:99999", "https://me@gpu",
     "https://gpu/v1", "https://gpu?key=1", "http://gpu.example.org", "http://10.0.0.1:8421", "https://[::1"],
)  # fmt: skip
def test_what_cannot_be_an_address_is_refused_and_the_engine_before_stays(here: EngineLink, url: str):
    with pytest.raises(SceneError):
        here.useHost(url, KEY)
    assert not here.isRemote


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.0.0.1:8421/", "http://[::1]:80", " https://gpu.example.org "]
)
def test_http_is_for_this_computer_and_https_for_others(transport: StandInTransport, url: str):
    link = EngineLink(transport)
    link.useHost(url, KEY)
    assert link.isRemote


@pytest.mark.parametrize("key", ["short", "with blanks " * 3, "schlüssel" * 3])
def test_what_cannot_be_a_key_is_refused_without_repeating_it(transport: StandInTransport, key: str):
    with pytest.raises(SceneError) as refused:
        EngineLink(transport).useHost(HOST, key)
    assert key not in str(refused.value)


def test_without_a_choice_there_are_words_for_that(transport: StandInTransport):
    assert examined(EngineLink(transport), transport) == (
        False,
        "No engine has been chosen. Choose one in the settings.",
    )


# Models


def test_models_are_listed_and_loaded(here: EngineLink, transport: StandInTransport):
    said: list[Any] = []
    here.models(lambda models, words: said.append(([model.name for model in models], words)))
    assert transport.runUntil(lambda: bool(said), 10)
    assert said == [(["stand-in"], "")]
    transport.service.uploadDelay = 100
    told: list[tuple[float, str]] = []
    here.loadModel(
        "stand-in", lambda fraction, words: told.append((fraction, words)), lambda *given: said.append(given)
    )
    assert transport.runUntil(lambda: len(said) == 2, 10)
    assert said[1] == (True, "The model stand-in is loaded.")
    assert told


def test_a_model_that_is_not_there_is_told(here: EngineLink, transport: StandInTransport):
    said: list[Any] = []
    here.loadModel("other", lambda *given: None, lambda *given: said.append(given))
    assert transport.runUntil(lambda: bool(said), 10)
    assert said == [(False, "There is no model called 'other'.")]
    with pytest.raises(SceneError):
        here.loadModel("../other", lambda *given: None, lambda *given: None)


def test_questions_that_were_taken_back_are_not_answered(here: EngineLink, transport: StandInTransport):
    said: list[Any] = []
    for asked in (here.test(lambda *given: said.append(given)), here.models(lambda *given: said.append(given))):
        asked.cancel()
    assert ready(here, transport)
    transport.pump(10)
    assert not said


def test_who_waits_while_the_engine_is_stopped_is_told(here: EngineLink, transport: StandInTransport):
    transport.startDelay = 100
    said: list[str] = []
    here.whenReady(lambda endpoint: said.append("ready"), lambda error: said.append(str(error)))
    transport.pump(3)
    here.stop()
    transport.pump(1)
    assert said == ["The engine was stopped."]
