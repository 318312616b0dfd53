"""Too little memory, as it shows itself in the libraries in use."""

from __future__ import annotations

from msam.protocol.names import Code
from msam.protocol.problems import ServiceError

# What PyTorch says of the memory of the processor, for which it has no class of error.
OF_THE_PROCESSOR = "DefaultCPUAllocator"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that; told by its name, since PyTorch need not be here."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and OF_THE_PROCESSOR in str(error))
    )


def translated(error: Exception) -> Exception:
    """An error as a client may meet it: too little memory is nothing unforeseen, and passes."""
    if is_out_of_memory(error):
        return ServiceError("The engine has too little memory at the moment; try again later.", Code.OUT_OF_MEMORY)
    return error
