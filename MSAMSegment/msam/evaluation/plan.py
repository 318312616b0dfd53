"""What is measured: how many clicks, how often refined, and after which of them all scores are worked out."""

from __future__ import annotations

from dataclasses import dataclass

REPORTED = (1, 3, 5, 10)


@dataclass(frozen=True)
class Plan:
    """The length of the protocol.

    Attributes:
        clicks: clicks placed on every object, at least one.
        refinements: how often the mask of the first click is refined without another one.
    """

    clicks: int = 10
    refinements: int = 5

    @property
    def reported_clicks(self) -> tuple[int, ...]:
        """1, 3, 5, 10 as far as there are so many clicks, and the last one."""
        return (*(count for count in REPORTED if count < self.clicks), self.clicks)

    @property
    def reported_refinements(self) -> tuple[int, ...]:
        """0 (the click alone), 1, 3, 5, 10 as far as there are so many, and the last one; none without refinements."""
        if not self.refinements:
            return ()
        return (0, *(count for count in REPORTED if count < self.refinements), self.refinements)
