"""Clicks read from the files that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msam.clicks import Click, positive_by_name
from msam.errors import PromptError
from msam.points_file import read_points


def written(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def point_list(*points: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A file as Slicer writes it, with one point list."""
    schema = "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "coordinateUnits": "mm", "controlPoints": list(points)}
    return {"@schema": schema + "markups-schema-v1.0.3.json#", "markups": [markup | properties]}


def placed(position: list[float], **properties: Any) -> dict[str, Any]:
    return {
        "id": "1",
        "label": "F-1",
        "position": position,
        "positionStatus": "defined",
        "visibility": True,
    } | properties


class TestPointListsOfSlicer:
    @pytest.mark.parametrize(
        ("stated", "frame"), [("LPS", "lps"), ("RAS", "ras"), (1, "lps"), (0, "ras"), ("1", "lps"), ("0", "ras")]
    )
    def test_positions_are_in_the_stated_frame(self, tmp_path: Path, stated: object, frame: str) -> None:
        file = written(tmp_path, "F.mrk.json", point_list(placed([1.5, -2, 30]), coordinateSystem=stated))
        assert read_points(file, frame="ijk") == [Click((1.5, -2, 30), True, frame)]  # type: ignore[arg-type]

    def test_positions_are_in_lps_where_no_frame_is_stated(self, tmp_path: Path) -> None:
        content = point_list(placed([1, 2, 3]))
        del content["markups"][0]["coordinateSystem"]
        assert read_points(written(tmp_path, "F.mrk.json", content))[0].frame == "lps"

    @pytest.mark.parametrize("status", ["undefined", "preview", "missing"])
    def test_points_that_are_not_placed_are_passed_over(self, tmp_path: Path, status: str) -> None:
        file = written(tmp_path, "F.mrk.json", point_list(placed([9, 9, 9], positionStatus=status), placed([1, 2, 3])))
        assert [click.position for click in read_points(file)] == [(1, 2, 3)]

    @pytest.mark.parametrize(
        ("list_name", "label", "description", "positive"),
        [
            ("F", "F-1", "", True),
            ("Negative", "F-1", "", False),
            ("Lesion negative clicks", "Lesion-1", "", False),
            ("Positive", "neg-1", "", False),
            ("Negative", "positive-1", "", True),
            ("F", "-1", "", False),
            ("F", "F-1", "negative", False),
            ("F", "F-1", "0", False),
            ("Negative", "F-1", "a note on a positive finding", False),
        ],
    )
    def test_the_label_decides_before_the_description_and_the_list(
        self, tmp_path: Path, list_name: str, label: str, description: str, positive: bool
    ) -> None:
        point = placed([1, 2, 3], label=label, description=description)
        assert read_points(written(tmp_path, "F.mrk.json", point_list(point, name=list_name)))[0].positive is positive

    def test_all_lists_of_a_file_are_read_in_order(self, tmp_path: Path) -> None:
        content = point_list(placed([1, 2, 3]), name="Positive")
        content["markups"] += point_list(placed([4, 5, 6]), name="Negative", coordinateSystem="RAS")["markups"]
        clicks = read_points(written(tmp_path, "F.mrk.json", content))
        assert clicks == [Click((1, 2, 3), True, "lps"), Click((4, 5, 6), False, "ras")]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (point_list(placed([1, 2, 3]), type="Line"), "type 'Line'"),
            (point_list(placed([1, 2, 3]), coordinateSystem="IJK"), "frame 'IJK'"),
            (point_list(placed([1, 2, 3]), coordinateUnits="um"), "in 'um'"),
            (point_list(placed([1, 2])), "point 1: a position needs three numbers"),
            (point_list(placed([1, 2, 3]), name="positive and negative"), "both positive and negative"),
            (point_list(), "no placed point"),
            ({"markups": 3}, "damaged"),
            (point_list() | {"markups": [{"type": "Fiducial", "controlPoints": [7]}]}, "damaged"),
        ],
    )
    def test_what_holds_no_clicks_is_refused_in_words(self, tmp_path: Path, content: object, words: str) -> None:
        with pytest.raises(PromptError, match=words):
            read_points(written(tmp_path, "F.mrk.json", content))


class TestNames:
    @pytest.mark.parametrize("name", ["Negative", "neg", "neg-1", "NEG 2", "lesionNegative", "neg1", "- vessel", "−3"])
    def test_names_that_say_negative(self, name: str) -> None:
        assert positive_by_name(name) is False

    @pytest.mark.parametrize("name", ["Positive", "pos_4", "tumourPos", "+2"])
    def test_names_that_say_positive(self, name: str) -> None:
        assert positive_by_name(name) is True

    @pytest.mark.parametrize("name", ["", "F", "negligible", "Position", "renegade", "tumour-1", "Montenegro"])
    def test_names_that_say_nothing(self, name: str) -> None:
        assert positive_by_name(name) is None


class TestPlainJson:
    def test_a_list_of_points_in_the_frame_of_the_caller(self, tmp_path: Path) -> None:
        file = written(tmp_path, "c.json", [{"position": [1, 2.5, 3]}, {"position": [4, 5, 6], "positive": False}])
        assert read_points(file, "ras") == [Click((1, 2.5, 3), True, "ras"), Click((4, 5, 6), False, "ras")]

    def test_the_frame_of_the_file_goes_before_that_of_the_caller(self, tmp_path: Path) -> None:
        content = {"frame": "RAS", "points": [{"position": [1, 2, 3], "label": "negative"}]}
        assert read_points(written(tmp_path, "c.json", content), "ijk") == [Click((1, 2, 3), False, "ras")]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ('[\n{"position": [1, 2, 3]},\n{"position": [4, 5 6]}\n]', "line 3: this is not JSON"),
            ([{"position": [1, 2, 3]}, {"position": [1, "b", 3]}], "point 2: a position needs three numbers"),
            ([{"position": [1, float("nan"), 3]}], "point 1: a position needs"),
            ([{"position": [True, 1, 2]}], "point 1: a position needs"),
            ([{"position": [1, 2, 3], "postive": False}], "point 1: postive is not known"),
            ([{"position": [1, 2, 3], "positive": "perhaps"}], "point 1: the label 'perhaps'"),
            ({"frame": "world", "points": []}, "frame 'world'"),
            ([[1, 2, 3]], "point 1: a point is written"),
            ({"points": "none"}, "no list of points"),
            ([], "no placed point"),
            ("[" * 100_000, "nested too deeply"),
        ],
    )
    def test_mistakes_are_named_with_their_place(self, tmp_path: Path, content: object, words: str) -> None:
        with pytest.raises(PromptError, match=words):
            read_points(written(tmp_path, "clicks.json", content))


class TestTables:
    def test_voxels_with_labels(self, tmp_path: Path) -> None:
        file = written(tmp_path, "c.csv", "i,j,k,label\n1,2,3,positive\n\n4,5.5,6,0\n")
        assert read_points(file) == [Click((1, 2, 3), True, "ijk"), Click((4, 5.5, 6), False, "ijk")]

    def test_mm_with_a_frame_in_each_row(self, tmp_path: Path) -> None:
        file = written(tmp_path, "c.csv", "x;y;z;frame\n-1;2;3;ras\n4;5;6;LPS\n")
        assert read_points(file) == [Click((-1, 2, 3), True, "ras"), Click((4, 5, 6), True, "lps")]

    def test_mm_in_the_frame_of_the_caller(self, tmp_path: Path) -> None:
        assert read_points(written(tmp_path, "c.tsv", "x\ty\tz\n1\t2\t3\n"), "lps") == [Click((1, 2, 3), True, "lps")]

    def test_a_table_exported_by_slicer(self, tmp_path: Path) -> None:
        file = written(
            tmp_path,
            "F.csv",
            "label,l,p,s,defined,selected,visible,locked,description\n"
            "F-1,-19.9,13.9,29.4,1,1,1,0,\nneg-2,-7,-76,17,1,1,1,0,\nF-3,0,0,0,0,1,1,0,\n",
        )
        assert read_points(file) == [Click((-19.9, 13.9, 29.4), True, "lps"), Click((-7, -76, 17), False, "lps")]

    def test_a_byte_order_mark_and_foreign_columns_do_no_harm(self, tmp_path: Path) -> None:
        assert read_points(written(tmp_path, "c.csv", "\ufeffI, J, K, reader\n1, 2, 3, A\n")) == [Click((1, 2, 3))]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("i,j,k\n1,2,3\n4,five,6\n", "line 3: a position needs three numbers"),
            ("i,j,k,label\n1,2,3,maybe\n", "line 2: the label 'maybe'"),
            ("i,j,k,lable\n1,2,3,0\n", "line 1: the column 'lable' is not known. If 'label' is meant"),
            ("i,j,k\n1,2\n", "line 2: 2 cells where the header has 3"),
            ("x,y,z,frame\n1,2,3,abc\n", "line 2: the frame 'abc'"),
            ("i,j,k,i\n1,2,3,4\n", "'i' is there twice"),
            ("1,2,3\n", "is there twice|no columns for the position"),
            ("i,j,k,x,y,z\n1,2,3,4,5,6\n", "several sets of columns"),
            ('i,j,k\n1,2,"3\n', "line 2: the row cannot be read"),
            ("", "no columns for the position"),
            ("i,j,k\n", "no placed point"),
        ],
    )
    def test_mistakes_are_named_with_their_line(self, tmp_path: Path, content: str, words: str) -> None:
        with pytest.raises(PromptError, match=words):
            read_points(written(tmp_path, "clicks.csv", content))


@given(st.lists(st.tuples(*[st.floats(-1e4, 1e4)] * 3, st.booleans()), min_size=1, max_size=8))
def test_json_and_csv_hold_the_same_clicks(
    tmp_path_factory: pytest.TempPathFactory, clicks: list[tuple[float, float, float, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("clicks")
    expected = [Click((x, y, z), positive, "ras") for x, y, z, positive in clicks]
    plain = [{"position": [x, y, z], "positive": positive} for x, y, z, positive in clicks]
    rows = "".join(f"{x!r},{y!r},{z!r},{int(positive)}\n" for x, y, z, positive in clicks)
    assert read_points(written(folder, "c.json", plain), "ras") == expected
    assert read_points(written(folder, "c.csv", "x,y,z,positive\n" + rows), "ras") == expected


def test_files_that_are_not_there_or_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\xff\xfe\x00\x9f")
    for name, words in (("none.csv", "cannot be read"), ("image.csv", "UTF-8"), ("scan.nii", "no file of clicks")):
        with pytest.raises(PromptError, match=words):
            read_points(tmp_path / name)


def test_a_number_that_python_does_not_read_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text('[{"position": [1' + "0" * 5000 + ", 2, 3]}]")
    with pytest.raises(PromptError, match="too long"):
        read_points(tmp_path / "long.json")


def test_a_file_far_too_large_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.json"
    with huge.open("wb") as file:
        file.truncate(21_000_000)
    with pytest.raises(PromptError, match="larger than 20 MB"):
        read_points(huge)
