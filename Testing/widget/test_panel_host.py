"""An engine on another computer: nothing goes there without a yes, and the key stays on this one."""

from __future__ import annotations

from typing import Any

import pytest
from opened_panel import CENTRE, Opened

from MSAMSegmentLib.failures import Failure

HOST, KEY = "https://gpu.example.org:8421", "0123456789abcdef0123456789abcdef"


def words(opened: Opened) -> str:
    """What the section says of the engine."""
    return opened.ui.engineStateLabel.text


def use_host(opened: Opened, address: str = HOST, key: str = KEY) -> None:
    """Types where the engine is, and presses the button."""
    opened.choose("placeComboBox", 1)
    opened.type("addressEdit", address)
    opened.type("keyEdit", key)
    opened.click("applyHostButton")


def test_nothing_leaves_this_computer_without_a_yes(opened: Opened, volumeNode: Any) -> None:
    opened.wait(lambda: opened.logic.inputVolume is volumeNode)
    opened.transport.hosts[HOST] = KEY
    opened.dialogs.answer = False
    use_host(opened)
    assert HOST in opened.dialogs.questions[0]
    assert not opened.logic.engine.isRemote
    assert opened.widget.panel.choice.settings.place == ""
    opened.dialogs.answer = True
    opened.click("applyHostButton")
    assert opened.logic.engine.isRemote
    opened.logic.addPoint(CENTRE)
    opened.settle()
    assert opened.logic.lastError == ""
    opened.choose("placeComboBox", 0)
    opened.wait()
    assert not opened.logic.engine.isRemote


def test_a_no_keeps_the_host_that_was_agreed_to(opened: Opened) -> None:
    opened.transport.hosts[HOST] = KEY
    use_host(opened)
    opened.dialogs.answer = False
    use_host(opened, "https://elsewhere.example.org")
    settings = opened.widget.panel.choice.settings
    assert settings.address == settings.agreedAddress == HOST
    assert opened.logic.engine.isRemote


def test_the_key_is_in_the_settings_of_the_application_and_never_in_the_scene(clicked: Opened) -> None:
    clicked.transport.hosts[HOST] = KEY
    use_host(clicked)
    clicked.settle()
    assert clicked.app.userSettings().value("MSAMSegment/Key", "") == KEY
    clicked.logic.scene.SetSaveToXMLString(1)
    clicked.logic.scene.Commit()
    text = clicked.logic.scene.GetSceneXMLString()
    clicked.logic.scene.SetSaveToXMLString(0)
    assert "MSAMSegment" in text
    assert KEY not in text
    assert "gpu.example.org" not in text
    assert KEY not in "".join(clicked.logic.engine.logLines)


@pytest.mark.parametrize(
    ("address", "key", "part"),
    [
        ("gpu.example.org", KEY, "is not an address"),
        ("http://gpu.example.org", KEY, "in the clear"),
        (HOST, "short", "is not the key"),
    ],
)
def test_an_address_that_cannot_be_one_is_explained_before_anything_is_asked(
    opened: Opened, address: str, key: str, part: str
) -> None:
    use_host(opened, address, key)
    assert part in opened.status
    assert not opened.dialogs.questions
    assert not opened.logic.engine.isRemote


def test_a_host_in_the_settings_without_an_agreement_is_not_used(opened: Opened) -> None:
    settings = opened.widget.panel.choice.settings
    settings.place, settings.address = "host", HOST
    opened.widget.panel.choice.take()
    assert opened.status == "Allow scans to be sent to the other computer first: Engine, Use this engine."
    assert not opened.logic.engine.isRemote


def test_the_test_tells_the_cases_apart(opened: Opened) -> None:
    opened.wait(lambda: opened.logic.engine.state == "ready")
    opened.click("testEngineButton")
    opened.wait(lambda: "Asking" not in words(opened))
    well = words(opened)
    opened.transport.hosts[HOST] = "f" * 32
    use_host(opened)
    answers = [well]
    for unreachable in (None, Failure.NOTHING_LISTENS, Failure.NO_SUCH_ADDRESS, Failure.NOT_TRUSTED):
        if unreachable is not None:
            opened.transport.hosts.clear()
            opened.transport.unreachable[HOST] = unreachable
        opened.click("testEngineButton")
        opened.wait(lambda: "Asking" not in words(opened))
        opened.pass_time(0.1)
        answers.append(words(opened))
    assert len(set(answers)) == 5, answers
    assert all(answer.endswith(".") for answer in answers), answers
