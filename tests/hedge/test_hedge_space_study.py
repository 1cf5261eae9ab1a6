"""What a study of the grid records is what was run, in every one of 200 trials."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from meseta.bayes import (
    Constraints,
    Metrics,
    Objective,
    Params,
    StudyOptions,
    Trial,
    read_results,
    run_study,
)
from meseta.hedge import BASELINE, GridParameters, GridSettings, hedge_space

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from meseta._types import FloatArray, TimeArray


@dataclass
class Recording:
    """A problem that notes what it is given, and whose best grid is known."""

    ran: list[dict[str, int | float]] = field(default_factory=list)
    name = "recording"
    fingerprint = "recording"
    span = (0, 10)

    @property
    def time(self) -> TimeArray:
        return np.arange(10).astype("datetime64[us]")

    def over(self, start: int, stop: int, capital: float | None = None) -> Self:
        return self

    def shuffled(self, seed: int) -> Self:
        return self

    def evaluator(self) -> Self:
        return self

    def metrics(self, params: Params, stop: int | None = None) -> Metrics:
        self.ran.append(dict(params))
        p = GridParameters.from_params(params)  # refuses what breaks a rule
        good = 2 - abs(p.ema_slow - 40) / 20 - abs(p.tp_steps - 6) / 5 - p.base_qty * 100
        return Metrics(
            sharpe=good, total_return=good / 10, profit_factor=1.5, calmar=good,
            max_drawdown=0.1, trades=80, win_rate=0.6, final_equity=10_000.0,
        )  # fmt: skip

    def curve(self, params: Params) -> FloatArray:
        return np.ones(10)


SPACE = hedge_space("wide", price=109_000.0, settings=GridSettings(atr_gate_mult=1.0))
KINDS = {name: type(value) for name, value in BASELINE.items()}


def agree(ran: list[dict[str, int | float]], trials: Sequence[Trial]) -> None:
    for given, trial in zip(ran, trials, strict=True):
        assert trial.params == given
        assert {name: type(value) for name, value in trial.params.items()} == KINDS
        assert SPACE.params(trial.drawn) == given
        assert SPACE.params(SPACE.drawn(given)) == given


def test_every_trial_records_what_was_run() -> None:
    problem = Recording()
    options = StudyOptions(trials=200, seed=1, workers=1)
    study = run_study(
        problem, SPACE, Objective(), Constraints(), options, name="grid", first=(BASELINE,)
    )
    assert len(problem.ran) == 200
    agree(problem.ran, study.trials)
    assert problem.ran[0] == BASELINE
    assert study.best is not None
    assert study.best.metrics == Recording().metrics(study.best.params)


def test_the_store_has_what_was_run(tmp_path: Path) -> None:
    problem = Recording()
    options = StudyOptions(trials=24, seed=1, workers=1, timeout=None)
    run_study(problem, SPACE, Objective(), Constraints(), options, name="grid", folder=tmp_path)
    _, stored = read_results(tmp_path / "results.db", "grid")
    agree(problem.ran, stored)
