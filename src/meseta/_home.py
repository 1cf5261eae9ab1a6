"""Where meseta keeps what belongs to the user and not to a run."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["home"]


def home() -> Path:
    """Return the folder that `MESETA_HOME` names, else the system's place for user data."""
    import platformdirs

    named = os.environ.get("MESETA_HOME")
    return Path(named).expanduser() if named else Path(platformdirs.user_data_dir("meseta"))
