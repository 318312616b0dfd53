"""A model configuration as the text that a checkpoint's metadata holds, and back with its values checked."""

from __future__ import annotations

import json
import math
from typing import Any, Literal, get_args, get_origin, get_type_hints

from msam.config import ModelConfig
from msam.errors import CheckpointError, ConfigError

# No sensible network exceeds these; they keep a forged configuration from building millions of layers.
_LARGEST_NUMBER = 65_536
_MOST_LAYERS = 256
_COUNTS_OF_LAYERS = ("depth", "decoder_depth", "mask_tokens", "stem_depths", "detail_depths")
_MAY_BE_ZERO = ("lora_rank", "window_size", "global_blocks", "detail_depths")


def config_to_text(config: ModelConfig) -> str:
    """The configuration as one line of JSON."""
    return json.dumps(config.to_dict(), separators=(",", ":"))


def config_from_text(text: str) -> ModelConfig:
    """The configuration that `config_to_text` gave.

    Raises:
        CheckpointError: the text is no configuration, or one that no network can be built from.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise CheckpointError("The checkpoint's configuration is not valid JSON: get the file anew.") from None
    if not isinstance(values, dict):
        raise CheckpointError("The checkpoint's configuration is not a JSON object: get the file anew.")
    hints = get_type_hints(ModelConfig)
    for name, value in values.items():
        # `from_dict` names the fields that it does not know.
        if name in hints and not (_fits(value, hints[name], 0 if name in _MAY_BE_ZERO else 1) and _few(name, value)):
            raise CheckpointError(
                f"The checkpoint's configuration has an impossible value for '{name}': get the file anew."
            )
    try:
        return ModelConfig.from_dict(values)
    except ConfigError as error:
        raise CheckpointError(
            f"The checkpoint's configuration cannot be used. {error} Update this program, or get the file anew."
        ) from error


def _few(name: str, value: Any) -> bool:
    counts = value if isinstance(value, list) else [value]
    return name not in _COUNTS_OF_LAYERS or all(count <= _MOST_LAYERS for count in counts)


def _fits(value: Any, hint: Any, smallest: int) -> bool:
    """Whether a JSON value is of the field's type, and neither negative nor beyond any sensible size."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        item, *rest = get_args(hint)
        wanted = range(_MOST_LAYERS + 1) if rest == [Ellipsis] else (1 + len(rest),)
        return isinstance(value, list) and len(value) in wanted and all(_fits(each, item, smallest) for each in value)
    if hint in (bool, str):
        return type(value) is hint
    if type(value) is int:
        return smallest <= value <= _LARGEST_NUMBER
    return hint is float and type(value) is float and math.isfinite(value) and 0 < value <= _LARGEST_NUMBER
