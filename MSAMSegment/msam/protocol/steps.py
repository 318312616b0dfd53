"""A step: clicks and the last state there, a mask and the next state back.

Both messages are envelopes (`envelope`) with a header in JSON and two binary parts:

    request  part 0: the state of the step before, as it came; empty at the first step
             part 1: the packed mask (`masks`) to go on from; empty without one
    reply    part 0: the new state
             part 1: the packed mask of the whole lesion
"""

from __future__ import annotations

from dataclasses import dataclass

from msam.protocol import envelope, masks, records
from msam.protocol.masks import Box, Mask
from msam.protocol.names import LARGEST_STATE, MOST_ITERATIONS, MOST_POINTS, NAME, VOLUME_ID
from msam.protocol.problems import ProtocolError

PARTS = 2


@dataclass(frozen=True)
class ClickRecord:
    """A click in voxels (i, j, k) of the volume, inside the lesion or outside of it."""

    position_ijk: tuple[float, float, float]
    positive: bool = True


@dataclass(frozen=True)
class MaskRecord:
    """Where a mask prompt lies, and how many of the clicks, from the first on, it takes into account already."""

    box: Box
    seen: int = 0


@dataclass(frozen=True)
class StepHeader:
    """The header of a request.

    Attributes:
        volume: what the volume is known by (`volumes.identity`).
        run: a name for this step, unique, under which its progress is asked for and by which it is cancelled.
        clicks: all clicks in the order of their placement.
        iterations: times the mask is fed back without a new click, after the clicks that are new.
        model: None for the one that the service was started with.
        mask: of a mask prompt; None without one.
    """

    volume: str
    run: str
    clicks: tuple[ClickRecord, ...]
    iterations: int = 0
    model: str | None = None
    mask: MaskRecord | None = None


@dataclass(frozen=True)
class StepRequest:
    """A request: its header, the state of the step before, and the packed bits of a mask prompt."""

    header: StepHeader
    state: bytes = b""
    packed_mask: bytes = b""


@dataclass(frozen=True)
class ReplyHeader:
    """The header of a reply.

    Attributes:
        box: of the mask, which is empty outside of it; all zero for an empty mask.
        quality: predicted intersection over union, 0 to 1.
        iterations: decoding steps that really ran.
        message: the outcome in words.
        model: the model that made the mask.
        device: where it ran.
        timings: seconds: "cut", "encode", "decode", "paste", "total", and "waiting" for a device.
    """

    box: Box
    quality: float
    iterations: int
    message: str
    model: str
    device: str
    timings: dict[str, float]


@dataclass(frozen=True, eq=False)
class StepReply:
    """A reply: its header, the new state, and the mask of the whole lesion."""

    header: ReplyHeader
    state: bytes
    mask: Mask


def encode_request(request: StepRequest) -> bytes:
    """A request as it travels."""
    return envelope.close(records.encode(request.header), (request.state, request.packed_mask))


def decode_request(message: bytes) -> StepRequest:
    """Reads a request. The bits of a mask prompt stay packed until the volume's size is known (`masks.unpack`).

    Raises:
        ProtocolError: it is damaged, or asks for what no service does.
    """
    opened = envelope.open_(message, PARTS)
    header = records.decode(StepHeader, opened.header)
    _check_header(header)
    state, packed = opened.parts
    if len(state) > LARGEST_STATE:
        raise ProtocolError(f"The state has {len(state)} bytes; at most {LARGEST_STATE} are read.")
    masks.check_packed(packed)
    if (header.mask is None) != (len(packed) == 0):
        raise ProtocolError("A mask prompt needs a box and bits; one of them is missing.")
    return StepRequest(header, bytes(state), bytes(packed))


def encode_reply(reply: StepReply) -> bytes:
    """A reply as it travels."""
    return envelope.close(records.encode(reply.header), (reply.state, masks.pack(reply.mask)))


def decode_reply(message: bytes, shape_ijk: tuple[int, int, int]) -> StepReply:
    """Reads a reply.

    Args:
        message: all of it.
        shape_ijk: of the volume that was segmented.

    Raises:
        ProtocolError: it is damaged, or does not fit the volume.
    """
    opened = envelope.open_(message, PARTS)
    header = records.decode(ReplyHeader, opened.header)
    state, packed = opened.parts
    masks.check_packed(packed)
    return StepReply(header, bytes(state), masks.unpack(header.box, packed, shape_ijk))


def _check_header(header: StepHeader) -> None:
    for condition, complaint in (
        (VOLUME_ID.fullmatch(header.volume), "a volume is known by 64 lower-case hexadecimal digits"),
        (NAME.fullmatch(header.run), "a run is named by 1 to 64 letters, digits, dots, dashes and underscores"),
        (header.model is None or NAME.fullmatch(header.model), "that cannot be the name of a model"),
        (len(header.clicks) <= MOST_POINTS, f"there are {len(header.clicks)} clicks, more than {MOST_POINTS}"),
        (
            0 <= header.iterations <= MOST_ITERATIONS,
            f"{header.iterations} iterations are asked for; 0 to {MOST_ITERATIONS} are possible",
        ),
        (
            header.mask is None or 0 <= header.mask.seen <= len(header.clicks),
            "the mask prompt counts more clicks as seen than there are",
        ),
    ):
        if not condition:
            raise ProtocolError(f"The request cannot be fulfilled: {complaint}.")
    if header.mask is not None:
        masks.check_box(header.mask.box)
