"""What a study is, so that a resume is the same one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from meseta.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._objective import Objective
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._problem import Params, Problem
    from meseta.bayes._space import Space

__all__ = ["Identity", "StudyRecord", "differences", "identity_of"]

# Options that do not change what is drawn.
_FREE = ("trials", "workers", "timeout")


@dataclass(frozen=True, slots=True)
class Identity:
    """What decides a study's trials.

    Parameters
    ----------
    config
        Space, objective, constraints, options and first parameter sets, in JSON's types.
    data_fingerprint
        Of the problem: data, strategy and what is fixed.
    code_version
        Of this package and of Optuna, whose sampler draws.
    """

    config: Mapping[str, Any]
    data_fingerprint: str
    code_version: str

    def require_same(self, old: Identity, name: str) -> None:
        """Refuse to go on with a study of another identity.

        Raises
        ------
        RunError
            It names everything that differs.
        """
        differ = list(differences(old.config, self.config))
        if old.data_fingerprint != self.data_fingerprint:
            differ.insert(0, "the data or what is fixed of the strategy (fingerprint)")
        if old.code_version != self.code_version:
            differ.append(f"the code ({old.code_version}, now {self.code_version})")
        if differ:
            raise RunError(
                f"study `{name}` cannot be resumed, its trials would not be comparable: different "
                f"are {'; '.join(differ)}; use what it began with, or another study name"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """What the results store keeps of a study itself.

    Parameters
    ----------
    identity
        What decides its trials.
    created_at, updated_at
        ISO 8601 in UTC.
    epoch
        ``number``, ``trials`` and ``bounds`` of the epoch that scores belong to.
    """

    name: str
    identity: Identity
    created_at: str
    updated_at: str
    epoch: Mapping[str, Any]


def identity_of(
    problem: Problem,
    space: Space,
    objective: Objective,
    constraints: Constraints,
    options: StudyOptions,
    first: Sequence[Params],
) -> Identity:
    """Return what decides a study's trials."""
    chosen = {name: value for name, value in asdict(options).items() if name not in _FREE}
    config = {
        "space": {"name": space.name, "fingerprint": space.fingerprint},
        "objective": asdict(objective),
        "constraints": asdict(constraints),
        "options": chosen,
        "first": [dict(params) for params in first],
    }
    code = f"meseta {version('meseta')}, optuna {version('optuna')}"
    # As it will be read back.
    return Identity(json.loads(json.dumps(config)), problem.fingerprint, code)


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Return each thing that is not as it was, with both values; `path` leads to `old`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from differences(old.get(key), new.get(key), f"{path}.{key}".lstrip("."))
    elif path == "space.fingerprint" and old != new:
        yield "the space (its bounds, steps or fixed parameters)"
    elif path not in {"space.name", "first"} and old != new:
        yield f"{path} ({old!r}, now {new!r})"
    elif path == "first" and old != new:
        yield "the parameter sets of the first trials"
