"""YAML files that a user writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from meseta.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

__all__ = ["read_yaml"]


def read_yaml(path: Path, what: str) -> Any:
    """Return what is in a YAML file.

    Parameters
    ----------
    path
        The file.
    what
        What it is to the user, for messages: ``"configuration"``.

    Raises
    ------
    ArgumentError
        The file cannot be read, is no YAML, or gives a key twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_OneKeyOnce)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArgumentError(f"cannot read the {what} file {path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


class _OneKeyOnce(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would keep the last."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the signature is PyYAML's
    ) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        twice = next((key for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(
                "while reading a mapping", node.start_mark, f"{twice!r} is given twice"
            )
        return super().construct_mapping(node, deep=deep)
