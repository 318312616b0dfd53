"""The other end of `msam.evaluation.baselines.program`: answers requests for masks until there are no more."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

# Voxels (K, J, I) and the whole request, to a mask (K, J, I).
Method = Callable[[np.ndarray, dict[str, Any]], np.ndarray]


def answer(wants: str, method: Method, note: str = "") -> None:
    """Greets, and answers line by line.

    Args:
        wants: "clicks" or "boxes".
        method: makes the mask.
        note: what it knows beside that, to follow its name in a sentence.
    """
    # Libraries may print what they like; it must not get among the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps({"wants": wants, "note": note}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            np.save(request["mask"], method(np.load(request["voxels"]), request))
            found = {}
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), file=answers, flush=True)
