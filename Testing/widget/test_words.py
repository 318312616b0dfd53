"""What the module says: every sentence can be translated, and no key is taken that Segment Editor has."""

from __future__ import annotations

import ast
import importlib
import re
import string
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from source_reading import MODULE
from stand_in_engine import StandInTransport

from msam.engine_process.endpoint import Endpoint
from msam.errors import MsamError
from msam.protocol.masks import EMPTY, cropped

SOURCES = (
    MODULE / "MSAMSegment.py",
    *sorted((MODULE / "MSAMSegmentWidgets").glob("*.py")),
    *sorted((MODULE / "MSAMSegmentLib").glob("*.py")),
)
# Calls whose texts are for translation, for a log, or for Qt; and errors that no user meets: those are `MsamError`s.
FITTING = ("_", "translate", "connect", "warning", "info", "exception", "log", "ValueError", "AttributeError")
# Two words, one of which may be the value {} of an f-string.
WORDS = re.compile(r"[^\W\d_]{2,} (?:[^\W\d_]|\{\})|\{\} [^\W\d_]{2,}")
# What looks like words for people, and is the same in every language.
NEUTRAL = {
    "MSAMSegment team",
    # units
    "{} mL",
    "{} mm",
    # typed into a terminal
    '"{}" -m pip install {}',
    # by which Slicer finds the representations of a segmentation
    "Binary labelmap",
    "Closed surface",
    # meanings of DICOM codes, as DICOM has them
    "Attenuation Coefficient",
    "Hounsfield unit",
    # types of NRRD
    "unsigned char",
    "unsigned int",
    "unsigned short",
    # a kind of step, which is compared and never shown
    "hand edit",
}
# What Segment Editor installs, by its source; Escape apart, which the panel has while points are placed only.
SEGMENT_EDITOR = {*"0123456789ZYQWI/*,.<>", "Space", "Ctrl+Z", "Ctrl+Y", "Ctrl+Shift+Z"} | {
    f"Shift+{digit}" for digit in "0123456789"
}

everywhere = pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")


def name_of(call: ast.Call) -> str:
    """What is called: `name` of `name()` and of `any.thing.name()`."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def text_of(node: ast.AST) -> str:
    """The text of a literal, with {} for each value of an f-string; "" for anything else."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def untranslated(tree: ast.Module) -> Iterator[str]:
    """Sentences in the source that no call of `_` surrounds; the self-test's own are for developers."""
    tree.body = [each for each in tree.body if not getattr(each, "name", "").endswith("Test")]
    fitting: set[int] = set()
    for node in ast.walk(tree):
        if (isinstance(node, ast.Call) and name_of(node) in FITTING) or isinstance(node, ast.Assert):
            fitting |= {id(each) for each in ast.walk(node)}
        elif isinstance(node, ast.Expr):  # documentation of what stands above it
            fitting.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):  # looked at as a whole
            fitting |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        text = text_of(node)
        if id(node) not in fitting and WORDS.search(text) and text not in NEUTRAL:
            yield f"line {node.lineno}: {text!r}"


def translations(tree: ast.AST) -> Iterator[ast.Call]:
    """All calls of `_`."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node) == "_")


def filled_in(tree: ast.Module) -> Iterator[tuple[ast.Call, set[str | None]]]:
    """All calls of `_`, each with the names of the values that `format` puts into its text; none without `format`.

    It is called on the text itself, or next on the variable that the text is put into.
    """
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    formats = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node) == "format"]
    formats.sort(key=lambda call: call.lineno)
    for call in translations(tree):
        holder = parents[call]
        while isinstance(holder, ast.IfExp | ast.Tuple):
            holder = parents[holder]
        names = {
            target.id
            for each in (holder.targets if isinstance(holder, ast.Assign) else ())
            for target in ast.walk(each)
            if isinstance(target, ast.Name)
        }
        following = (
            each
            for each in formats
            if parents[call] is each.func
            or (each.lineno >= call.lineno and getattr(each.func.value, "id", None) in names)
        )
        found = next(following, None)
        yield call, {keyword.arg for keyword in found.keywords} if found is not None else set()


@everywhere
def test_every_sentence_can_be_translated(path) -> None:
    assert not list(untranslated(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "source",
    (
        'raise SceneError("Nothing can be done.")',
        'status = f"Nothing can be done about {what}."',
        'name = f"Lesion {number}"',
        'step = f"{count} points"',
        "words = f'{_(\"There is one.\")} Choose another.'",
    ),
)
def test_a_sentence_that_was_forgotten_is_found(source: str) -> None:
    assert len(list(untranslated(ast.parse(source)))) == 1


@everywhere
def test_no_sentence_is_put_together_before_it_is_translated(path) -> None:
    """`_(f"…")` and `_(a + b)` look up a text that no catalogue has; a text within an f-string is not collected."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for call in translations(tree):
        assert [type(each) for each in call.args] == [ast.Constant], f"line {call.lineno}"
    within = [call for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for call in translations(node)]
    assert not within, f"line {within[0].lineno}"


@everywhere
def test_what_a_sentence_has_places_for_is_what_is_filled_in(path) -> None:
    for call, given in filled_in(ast.parse(path.read_text(encoding="utf-8"))):
        places = {name for _text, name, *_how in string.Formatter().parse(call.args[0].value) if name is not None}
        assert given == places, f"line {call.lineno}"


@everywhere
def test_nothing_else_is_called_like_the_translation(path) -> None:
    """In a function that gives `_` another meaning, all translations of that function fail."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not any(translations(tree)):
        return
    for node in ast.walk(tree):
        is_bound = isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store)
        assert not is_bound and getattr(node, "arg", None) != "_", f"line {node.lineno}"


@pytest.fixture
def abroad(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The scene side as it is imported where the application has another language.

    What was translated begins with the module that had it translated, which is how the real one finds a text.
    """

    def tr(text: str) -> str:
        return f"{sys._getframe(1).f_globals['__name__'].removeprefix('MSAMSegmentLib.')}~{text}"

    i18n = types.ModuleType("slicer.i18n")
    i18n.tr = tr
    monkeypatch.setitem(sys.modules, i18n.__name__, i18n)
    ours = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "MSAMSegmentLib"}
    for name in ours:
        del sys.modules[name]
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "MSAMSegmentLib"]:
        del sys.modules[name]
    sys.modules.update(ours)


def said_by(module: str, name: str, *arguments: Any) -> str:
    """What a function of the scene side says that refuses to do what it is asked for."""
    with pytest.raises(MsamError) as caught:
        getattr(importlib.import_module(f"MSAMSegmentLib.{module}"), name)(*arguments)
    return str(caught.value)


def test_errors_of_the_scene_side_are_translated_where_they_arise(abroad) -> None:
    assert said_by("segmentation_grid", "checkSource", None) == (
        "segmentation_grid~There is no segmentation. Create one, or choose one."
    )
    typed = "gpu {0} {address} 100 %"  # with what means something to `format`
    assert said_by("engine_exchange", "hostEndpoint", typed, "") == (
        f"engine_exchange~'{typed}' is not an address of an engine. One looks like https://gpu.example.org:8421."
    )


def test_why_an_engine_cannot_be_reached_is_translated_in_all_its_parts(abroad) -> None:
    exchange = importlib.import_module("MSAMSegmentLib.engine_exchange")
    failures = importlib.import_module("MSAMSegmentLib.failures")
    transport = importlib.import_module("MSAMSegmentLib.transport")
    there = Endpoint("https://gpu.example.org:8421", None, False)
    error = exchange.errorIn(transport.Answer(0, failure=failures.Failure.LOST), there)
    assert str(error) == (
        "engine_exchange~The engine at https://gpu.example.org:8421 cannot be reached: failures~the connection broke. "
        "failures~Try again; if it happens again, look at the log of the engine."
    )


def test_what_came_of_a_click_is_told_in_the_language_of_the_application(abroad) -> None:
    wording = importlib.import_module("MSAMSegmentLib.wording")
    assert wording.describeAnswer(cropped(np.ones((30, 5, 10))), 0.834) == (
        "wording~The mask has 1,500 voxels; the model expects it to overlap the truth by 83%."
    )
    assert wording.describeAnswer(EMPTY, 0.0).startswith("wording~The mask is empty: ")


def test_what_the_scene_side_puts_into_the_scene_is_translated_and_found_again(abroad, scene, volumeNode) -> None:
    logic = importlib.import_module("MSAMSegmentLib.logic").MSAMSegmentLogic(StandInTransport(), scene)
    logic.setInputVolume(volumeNode)
    for _number in range(2):
        logic.createSegment()
    segments = logic.segmentation.GetSegmentation()
    names = [segments.GetSegment(each).GetName() for each in logic.segmentIds()]
    table = logic.measurementTable()
    assert logic.measurementTable() is table
    assert logic.segmentation.GetName() == "logic_segments~Segmentation"
    assert names == ["logic_segments~Lesion 1", "logic_segments~Lesion 2"]
    assert table.GetName() == "measurement_table~Lesion measurements"
    assert table.GetColumnName(2) == "measurement_table~Longest diameter (mm)"
    assert table.GetNumberOfColumns() == 10
    logic.close()


def test_the_keys_are_none_of_segment_editors() -> None:
    source = ast.parse((MODULE / "MSAMSegmentWidgets" / "shortcuts.py").read_text(encoding="utf-8"))
    assigned = {
        name.id: value.value
        for node in source.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
        for name, value in zip(node.targets[0].elts, node.value.elts, strict=True)
    }
    assert len(set(assigned.values())) == 5
    assert not set(assigned.values()) & SEGMENT_EDITOR
