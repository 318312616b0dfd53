"""The records of segments, through the files that people save them in."""

from __future__ import annotations

import base64
import json
import math
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st

from msam.protocol.masks import EMPTY, Mask
from MSAMSegmentLib import record_text
from MSAMSegmentLib.errors import SceneError
from MSAMSegmentLib.points import Point
from MSAMSegmentLib.records import POINTS_TAG, STATE_TAG, readRecord, writeRecord
from MSAMSegmentLib.segment_record import Base, SegmentRecord

RANDOM = np.random.default_rng(5)
LARGE_STATE = RANDOM.bytes(200_000)
POINTS = (Point(1, (30.0, 25.5, 20.0), True), Point(3, (0.1, 1 / 3, -0.5), False))
RECORD = SegmentRecord(
    points=(*POINTS, Point(7, (1.0, 2.0, 3.0), True)),
    state=LARGE_STATE,
    quality=0.8125,
    base=Base(Mask(((3, 40), (4, 35), (0, 30)), RANDOM.random((30, 31, 37)) > 0.5), POINTS[:1], LARGE_STATE[::-1]),
    answered=POINTS,
    volumeIdentity="ab" * 32,
    lastIdentifier=9,
)


def segmentation_of(scene, names):
    """A segmentation of 20 × 20 × 20 voxels with one small box for each name, written in layers by Slicer's logic."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lesions")
    node.CreateDefaultDisplayNodes()
    for number, name in enumerate(names):
        segment = node.GetSegmentation().AddEmptySegment("", name)
        image = slicer.vtkOrientedImageData()
        image.SetExtent(2, 8, 3, 9, number, number + 4)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
        image.GetPointData().GetScalars().Fill(1)
        slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(image, node, segment)
    return node


@pytest.fixture
def node(scene):
    return segmentation_of(scene, ["Tumour", 'Ödem | links: "a"'])


def segment_ids(node):
    return list(node.GetSegmentation().GetSegmentIDs())


def saved_and_loaded(scene, node, path: Path):
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Loaded")
    reader = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    reader.SetFileName(str(path))
    assert reader.ReadData(loaded)
    return loaded


def test_a_segment_without_record_reads_as_an_empty_one(node):
    record = readRecord(node, segment_ids(node)[0])
    assert record == SegmentRecord()
    assert record.warning == ""


def test_a_segment_that_is_not_there_is_told_of(node):
    with pytest.raises(SceneError, match="not there any more"):
        readRecord(node, "nowhere")
    with pytest.raises(SceneError, match="not there any more"):
        writeRecord(node, "nowhere", RECORD)


def test_seg_nrrd_keeps_large_records_of_every_segment(scene, node, tmp_path):
    first, second = segment_ids(node)
    other = SegmentRecord(points=(Point(2, (1.0, 2.0, 3.0), False),), lastIdentifier=2)
    writeRecord(node, first, RECORD)
    writeRecord(node, second, other)
    loaded = saved_and_loaded(scene, node, tmp_path / "a.seg.nrrd")
    first, second = segment_ids(loaded)
    assert readRecord(loaded, first) == RECORD
    assert readRecord(loaded, second) == other
    assert SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "a.seg.nrrd"))).any()


def test_a_segment_with_points_and_without_voxels_is_saved(scene, tmp_path):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lesions")
    segment = node.GetSegmentation().AddEmptySegment("", "Tumour")
    waiting = SegmentRecord().withPoints(POINTS)
    writeRecord(node, segment, waiting)
    loaded = saved_and_loaded(scene, node, tmp_path / "a.seg.nrrd")
    assert readRecord(loaded, segment_ids(loaded)[0]) == waiting


def test_large_records_cost_little_time(scene, node, tmp_path):
    started = time.process_time()
    writeRecord(node, segment_ids(node)[0], RECORD)
    loaded = saved_and_loaded(scene, node, tmp_path / "a.seg.nrrd")
    readRecord(loaded, segment_ids(loaded)[0])
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("suffix", ["mrb", "mrml"])
def test_a_saved_scene_keeps_the_record(scene, node, tmp_path, suffix):
    writeRecord(node, segment_ids(node)[0], RECORD)
    path = tmp_path / f"scene.{suffix}"
    if suffix == "mrb":
        assert scene.WriteToMRB(str(path), None)
        scene.Clear(0)
        assert scene.ReadFromMRB(str(path), True, None)
    else:
        storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
        node.SetAndObserveStorageNodeID(storage.GetID())
        storage.SetFileName(str(tmp_path / "Lesions.seg.nrrd"))
        assert storage.WriteData(node)
        scene.SetURL(str(path))
        assert scene.Commit()
        scene.Clear(0)
        scene.SetURL(str(path))
        assert scene.Connect()
    loaded = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert readRecord(loaded, segment_ids(loaded)[0]) == RECORD
    assert readRecord(loaded, segment_ids(loaded)[1]) == SegmentRecord()


def test_a_copied_segment_brings_its_record(scene, node):
    first, _ = segment_ids(node)
    writeRecord(node, first, RECORD)
    other = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Copy")
    other.GetSegmentation().CopySegmentFromSegmentation(node.GetSegmentation(), first)
    assert readRecord(other, first) == RECORD


def test_the_points_can_be_read_by_people(node):
    first, _ = segment_ids(node)
    writeRecord(node, first, SegmentRecord(points=POINTS[:1], lastIdentifier=1))
    assert tag(node, first, POINTS_TAG) == '[{"id":1,"ijk":[30.0,25.5,20.0],"positive":true}]'


def test_an_empty_record_leaves_no_tags(node):
    first, _ = segment_ids(node)
    writeRecord(node, first, RECORD)
    writeRecord(node, first, SegmentRecord())
    assert tag(node, first, POINTS_TAG) == tag(node, first, STATE_TAG) == ""
    assert not node.GetSegmentation().GetSegment(first).HasTag(STATE_TAG)


def test_a_record_that_has_not_changed_is_not_written_again(node):
    first, _ = segment_ids(node)
    writeRecord(node, first, RECORD)
    before = node.GetSegmentation().GetSegment(first).GetMTime()
    writeRecord(node, first, RECORD)
    assert node.GetSegmentation().GetSegment(first).GetMTime() == before


def test_identifiers_of_removed_points_are_not_given_again(node):
    first, _ = segment_ids(node)
    record = SegmentRecord().withPoints(POINTS).withPoints(POINTS[:1]).withPoints(())
    assert record.nextIdentifier == 4
    writeRecord(node, first, record)
    assert readRecord(node, first).nextIdentifier == 4


def test_damaged_points_are_taken_from_what_was_answered(node):
    first, _ = segment_ids(node)
    hidden = Point(0, (1.0, 1.0, 1.0), True)
    writeRecord(node, first, replace(RECORD, answered=(hidden, *POINTS[::-1])))
    node.GetSegmentation().GetSegment(first).SetTag(POINTS_TAG, '[{"id":1,"ijk":[30')
    record = readRecord(node, first)
    assert record.points == POINTS
    assert record.state == LARGE_STATE
    assert "the clicks could not be read" in record.warning


def test_a_damaged_state_leaves_the_points(node):
    first, _ = segment_ids(node)
    writeRecord(node, first, RECORD)
    node.GetSegmentation().GetSegment(first).SetTag(STATE_TAG, "another program's")
    record = readRecord(node, first)
    assert record.points == RECORD.points
    assert (record.state, record.answered, record.base) == (b"", (), None)
    assert "what the engine had answered so far could not be read" in record.warning


STRANGE = [
    "null",
    "[]",
    "{}",
    "[" * 100_000,
    '{"version":2}',
    '[{"id":1}]',
    '[{"id":1,"ijk":[1,2],"positive":true}]',
    '[{"id":1,"ijk":[1,2,NaN],"positive":true}]',
    '[{"id":1,"ijk":[1,2,1e999],"positive":true}]',
    '[{"id":1,"ijk":[1,2,' + "9" * 400 + '],"positive":true}]',
    '[{"id":1,"ijk":[1,2,3],"positive":1}]',
    '[{"id":true,"ijk":[1,2,3],"positive":true}]',
    '[{"id":0,"ijk":[1,2,3],"positive":true}]',
    '[{"id":1,"ijk":[1,2,3],"positive":true},{"id":1,"ijk":[1,2,3],"positive":true}]',
    '[{"id":' + "9" * 5000 + ',"ijk":[1,2,3],"positive":true}]',
    "\udce4",
]


@pytest.mark.parametrize("text", STRANGE, ids=range(len(STRANGE)))
def test_strange_texts_are_refused(text):
    with pytest.raises(ValueError):
        record_text.readState(text)
    if text != "[]":
        with pytest.raises(ValueError):
            record_text.readPoints(text)


@pytest.mark.parametrize(
    "damage",
    [
        {"box": [[0, 4], [0, 4]]},
        {"box": [[4, 0], [0, 4], [0, 4]]},
        {"box": [[0, 1 << 40], [0, 4], [0, 4]]},
        {"box": [[0, 4], [0, 4], [0, 5]]},
        {"box": [[0, 4], [0, 4], [0, 3]]},
        {"bits": ""},
        {"bits": "AAAA"},
        {"bits": "é"},
        {"bits": base64.b64encode(zlib.compress(bytes(1 << 26))).decode()},
        {"seen": None},
        {"state": 7},
    ],
    ids=str,
)
def test_a_damaged_base_is_refused(damage):
    record = SegmentRecord(base=Base(Mask(((0, 4),) * 3, np.ones((4, 4, 4), np.bool_))))
    values = json.loads(record_text.stateText(record))
    assert record_text.readState(json.dumps(values)) == record
    values["base"].update(damage)
    with pytest.raises(ValueError):
        record_text.readState(json.dumps(values))


@st.composite
def records(draw):
    points = st.lists(st.builds(Point, st.integers(1, 10**6), st.tuples(*[st.floats(-1e6, 1e6)] * 3), st.booleans()))
    points = points.map(lambda some: tuple({point.identifier: point for point in some}.values()))
    box = tuple((start, start + draw(st.integers(1, 4))) for start in draw(st.tuples(*[st.integers(-9, 99)] * 3)))
    shape = tuple(stop - start for start, stop in box[::-1])
    voxels = np.array(draw(st.lists(st.booleans(), min_size=64, max_size=64)))[: math.prod(shape)].reshape(shape)
    base = draw(
        st.none() | st.builds(Base, st.sampled_from([EMPTY, Mask(box, voxels)]), points, st.binary(max_size=20))
    )
    return SegmentRecord(
        points=draw(points),
        state=draw(st.binary(max_size=20)),
        quality=draw(st.none() | st.floats(0, 1)),
        base=base,
        answered=draw(points),
        volumeIdentity=draw(st.text(max_size=8)),
        lastIdentifier=draw(st.integers(10**6, 10**7)),
    )


@given(records())
@settings(max_examples=150, deadline=None)
def test_any_record_comes_back_from_its_text(record):
    points, state = record_text.pointsText(record.points), record_text.stateText(record)
    assert (points + state).isascii()
    assert (points + state).isprintable()
    assert "|" not in points + state
    assert record_text.readState(state).withPoints(record_text.readPoints(points)) == record


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_anywhere_is_an_error_of_value_or_none(data):
    text = record_text.stateText(
        SegmentRecord(POINTS, b"state", 0.5, Base(Mask(((0, 2),) * 3, np.eye(8)[:1].reshape(2, 2, 2) > 0), POINTS))
    )
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + data.draw(st.integers(0, 5)) :]
    try:
        record_text.readState(damaged)
    except ValueError:
        return


def tag(node, segment, name):
    value = vtk.reference("")
    node.GetSegmentation().GetSegment(segment).GetTag(name, value)
    return value.get()
