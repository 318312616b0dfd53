"""What an evaluation has found out, object by object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from msam.clicks import Click
from msam.evaluation.metrics import Scores
from msam.evaluation.protocol import Course
from msam.evaluation.target import Target
from msam.manifest import Case
from msam.session.masks import CroppedMask

# Of each data set so many of the worst objects are kept with their masks, to be shown; more where more of them failed,
# which is to say, where Dice is still below this after the last click.
WORST, MOST = 3, 12
FAILED_BELOW = 0.5


@dataclass(frozen=True)
class TargetResult:
    """The scores of one object; see `Course` for the names that are not explained here.

    Attributes:
        case: the labelled scan.
        name: what the object is.
        volume_ml: how large it truly is.
    """

    case: Case
    name: str
    volume_ml: float
    clicks: tuple[Click, ...]
    dice: tuple[float, ...]
    scores: dict[int, Scores]
    refined_dice: tuple[float, ...]
    refined: dict[int, Scores]
    baselines: dict[str, dict[int, Scores]]
    seconds: float

    @classmethod
    def of(cls, target: Target, course: Course) -> TargetResult:
        """The scores of a course, without its masks."""
        voxel_ml = abs(float(np.linalg.det(target.volume.ijk_to_ras[:3, :3]))) / 1000
        return cls(
            case=target.case,
            name=target.name,
            volume_ml=voxel_ml * np.count_nonzero(target.truth),
            clicks=course.clicks,
            dice=course.dice,
            scores=course.scores,
            refined_dice=tuple(course.refined_dice),
            refined=course.refined,
            baselines=course.baselines,
            seconds=course.seconds,
        )

    @property
    def has_failed(self) -> bool:
        """Whether all clicks together did not find the object."""
        return self.dice[-1] < FAILED_BELOW

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values; clicks are (i, j, k)."""
        return {
            "dataset": self.case.dataset,
            "case": self.case.case,
            "target": self.name,
            "volume_ml": round(self.volume_ml, 3),
            "clicks": [
                {"ijk": [round(x) for x in click.position], "positive": click.positive} for click in self.clicks
            ],
            "dice_per_click": [round(value, 4) for value in self.dice],
            "dice_per_refinement": [round(value, 4) for value in self.refined_dice],
            "scores": _plain(self.scores),
            "refined": _plain(self.refined),
            "baselines": {name: _plain(scores) for name, scores in self.baselines.items()},
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Failure:
    """What could not be evaluated: a scan, one of its objects, or a baseline on an object."""

    case: Case
    what: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"dataset": self.case.dataset, "case": self.case.case, "what": self.what, "message": self.message}


@dataclass
class Evaluation:
    """All results, all failures, and the masks of the worst objects.

    Attributes:
        notes: what a baseline knows beside the clicks, by its name; only of those that do.
    """

    results: list[TargetResult] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    _worst: dict[str, list[tuple[TargetResult, CroppedMask]]] = field(default_factory=dict)

    def add(self, result: TargetResult, mask: npt.NDArray[np.bool_]) -> None:
        """Takes in the scores of an object and its final mask (K, J, I), which is kept only among the worst."""
        self.results.append(result)
        depth, height, width = mask.shape
        cropped = CroppedMask.cropped(((0, width), (0, height), (0, depth)), mask)
        worst = self._worst.setdefault(result.case.dataset, [])
        worst.append((result, cropped))
        worst.sort(key=lambda entry: entry[0].dice[-1])
        failed = sum(entry[0].has_failed for entry in worst)
        del worst[min(max(WORST, failed), MOST) :]

    def worst(self, dataset: str) -> list[tuple[TargetResult, CroppedMask]]:
        """The objects of a data set with the lowest Dice after the last click, the lowest first, and their masks.

        At least the worst three of them, and all that have failed, but no more than twelve.
        """
        return self._worst.get(dataset, [])


def _plain(scores: dict[int, Scores]) -> dict[str, dict[str, float]]:
    return {
        str(count): {metric: round(value, 4) for metric, value in asdict(found).items()}
        for count, found in scores.items()
    }
