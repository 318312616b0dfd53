"""What can go wrong, in words that a user can act on.

Every error that a caller is expected to meet derives from `MsamError`; its text says what is wrong, where, and what
to do. Interfaces show that text as it stands. Anything else that escapes the package is a defect.
"""


class MsamError(Exception):
    """Base of all errors that the engine raises on purpose."""


class ConfigError(MsamError):
    """A model configuration that no network can be built from."""


class CheckpointError(MsamError):
    """A checkpoint that is missing, damaged, incomplete or not to be trusted."""


class DownloadError(MsamError):
    """A model that could not be fetched, or did not arrive as it was announced."""


class VolumeError(MsamError):
    """A scan that cannot be read or segmented: its file, its voxels or its geometry."""


class PromptError(MsamError):
    """A click or a mask prompt that does not fit the scan."""


class StateError(MsamError):
    """A state of an earlier step that is damaged or belongs to another model."""


class DeviceError(MsamError):
    """A device that was asked for and is not there."""


class Cancelled(MsamError):
    """The run was cancelled by its caller; everything before it is unchanged."""
