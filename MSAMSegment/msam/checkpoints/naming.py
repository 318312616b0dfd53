"""From the names of published checkpoints to the names of our network.

Published M-SAM training checkpoints hold `CombinedModel.state_dict()`: the LoRA-wrapped SAM-Med3D under
`lora_sam.sam.` and the Mask-Enhanced Adapter under `bidatt.` (parity facts 5 and 6). Training on several GPUs adds a
`module.` wherever a part was wrapped. SAM-Med3D's own names are ours already.
"""

from __future__ import annotations

from collections.abc import Iterable

from msam.checkpoints.wording import first_few
from msam.errors import CheckpointError

_RENAMED_PREFIXES = (
    ("lora_sam.sam.", ""),
    ("bidatt.bidirectional_attentions.0.", "adapter.mutual_enhancement."),
    ("bidatt.", "adapter."),
)
# Stored by the published code but never used in its forward pass (parity fact 6).
_UNUSED_PREFIX = "bidatt.add_norm4."


def rename_published(names: Iterable[str]) -> dict[str, str]:
    """Published name -> our name, for every tensor that the network uses.

    Raises:
        CheckpointError: two tensors of the file stand for the same tensor of the network.
    """
    renamed: dict[str, str] = {}
    for name in names:
        bare = _without_wrappers(name)
        if not bare.startswith(_UNUSED_PREFIX):
            renamed[name] = _our_name(bare)
    taken: dict[str, str] = {}
    doubles = [name for name, ours in renamed.items() if taken.setdefault(ours, name) != name]
    if doubles:
        raise CheckpointError(
            f"The checkpoint holds some tensors twice under different names: {first_few(doubles)}. "
            "Save the model once, without its wrappers, and load that file."
        )
    return renamed


def is_msam_training(names: Iterable[str]) -> bool:
    """Whether the names are those of an M-SAM training checkpoint."""
    return any(_without_wrappers(name).startswith(("lora_sam.", "bidatt.")) for name in names)


def _without_wrappers(name: str) -> str:
    """The name without the `module` that DDP puts in, at whatever level a part was wrapped."""
    return ".".join(part for part in name.split(".") if part != "module")


def _our_name(bare: str) -> str:
    for published, ours in _RENAMED_PREFIXES:
        if bare.startswith(published):
            bare = ours + bare.removeprefix(published)
            break
    return bare.replace(".attn.qkv.qkv.", ".attn.qkv.")
