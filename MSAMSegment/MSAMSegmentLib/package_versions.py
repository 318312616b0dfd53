"""Which packages a Python has. The text of this module is also what another interpreter is given to run.

It therefore takes nothing but the standard library, and old Pythons must understand it too.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import sys

# By which the line that answers is told from whatever else an interpreter says while it starts.
MARK = "msam-packages"


def installed_versions(names: list[str]) -> dict[str, str]:
    """The versions of those of the packages that are there, without importing any of them."""
    importlib.invalidate_caches()
    versions = {}
    for name in names:
        try:
            version = importlib.metadata.version(name)
        except (importlib.metadata.PackageNotFoundError, KeyError):
            continue
        # An interrupted removal can leave the description of a package without the package.
        if version and importlib.util.find_spec(name) is not None:
            versions[name] = version
    return versions


if __name__ == "__main__":
    # Nothing counts that merely lies in the folder that the process happens to be in.
    sys.path[:] = [folder for folder in sys.path if folder]
    answer = {MARK: installed_versions(sys.argv[1:]), "python": ".".join(map(str, sys.version_info[:3]))}
    sys.stdout.write(json.dumps(answer) + "\n")
