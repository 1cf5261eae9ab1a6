"""Draws parameter sets with Optuna, so that a draw is a function of what came before it.

The trials of a study live in an in-memory study of Optuna's. Each batch is drawn by a new sampler
whose seed is made of the study's seed and the batch's first number, which has no memory but those
trials. A batch is therefore drawn alike whether its study ran through or was resumed, and
whatever ran the trials before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from meseta.bayes._frozen import GENERATION, finish_of, frozen_of, quiet
from meseta.bayes._ranking import AIMS, aims_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import optuna

    from meseta.bayes._constraints import Constraints
    from meseta.bayes._options import StudyOptions
    from meseta.bayes._problem import Params
    from meseta.bayes._space import Space
    from meseta.bayes._trial import Trial

__all__ = ["Draw", "Running", "Sampling", "directions_of", "told_of", "values_of"]

_PRUNER_STARTUP = 5  # complete trials before the median says anything
_PRUNER_WARMUP = 1  # segments that are never the last
# More than the deficits of any complete trial together.
_UNFINISHED = 1000.0


@dataclass(frozen=True, slots=True)
class Draw:
    """A parameter set that is to be run."""

    number: int
    drawn: Mapping[str, float]
    params: Params
    generation: int | None


@dataclass(frozen=True, slots=True)
class Running:
    """A trial that another process runs."""

    drawn: Mapping[str, float]
    generation: int | None


class Sampling:
    """The in-memory study that draws.

    Parameters
    ----------
    space, constraints, options
        Of the study.
    first
        Parameter sets of its first trials.
    """

    def __init__(
        self,
        space: Space,
        constraints: Constraints,
        options: StudyOptions,
        first: Sequence[Params] = (),
    ) -> None:
        self._space, self._constraints, self._options = space, constraints, options
        self._first = [space.drawn(params) for params in first]
        self._distributions = space.distributions()
        self._asked: dict[int, optuna.Trial] = {}
        self._reported: set[tuple[int, int]] = set()
        self._study = self._begun()

    def start(self, trials: Iterable[Trial], running: Mapping[int, Running] | None = None) -> None:
        """Forget everything; know these trials, whose numbers with those running are 0, 1, ..."""
        self._study, self._asked = self._begun(), {}
        finished = {trial.number: self._frozen(trial) for trial in trials}
        others = {number: self._running(each) for number, each in (running or {}).items()}
        self._study.add_trials(each for _, each in sorted((finished | others).items()))

    def draw(self, count: int) -> list[Draw]:
        """Return the next parameter sets, in ignorance of each other's results."""
        self._asked, self._reported = {}, set()
        first = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = _sampler(self._options, first)
        for number in range(first, first + count):
            self._ask(number)
        return [self._drawn(trial) for trial in self._study.get_trials(deepcopy=False)[first:]]

    def prunes(self, number: int, segment: int, score: float | None) -> bool:
        """Take a drawn trial's score after a segment; tell whether it should end.

        One that was not drawn here, but taken over from another process, never should.
        """
        trial = self._asked.get(number)
        if trial is None or score is None:
            return False
        self._report(trial, segment, score)
        return bool(trial.should_prune())

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take the results of all that was drawn last."""
        for trial in sorted(trials, key=lambda each: each.number):
            asked = self._asked[trial.number]
            for segment, score in enumerate(trial.segment_scores):
                self._report(asked, segment, score)
            for name, lack in told_of(trial, self._constraints).items():
                asked.set_constraint(name, lack)
            values = values_of(trial, self._options)
            self._study.tell(asked, values, state=finish_of(trial, values))

    def _report(self, trial: optuna.Trial, segment: int, score: float | None) -> None:
        if score is not None and (trial.number, segment) not in self._reported:
            trial.report(score, segment)
            self._reported.add((trial.number, segment))

    def _ask(self, number: int) -> None:
        if number < len(self._first):
            self._study.enqueue_trial(self._first[number])
        self._asked[number] = self._study.ask(self._distributions)

    def _drawn(self, trial: optuna.trial.FrozenTrial) -> Draw:
        drawn = dict(trial.params)
        params = self._space.params(drawn)
        return Draw(trial.number, drawn, params, trial.system_attrs.get(GENERATION))

    def _begun(self) -> optuna.Study:
        import optuna

        pruner = optuna.pruners.MedianPruner(_PRUNER_STARTUP, _PRUNER_WARMUP)
        with quiet():
            return optuna.create_study(directions=directions_of(self._options), pruner=pruner)

    def _frozen(self, trial: Trial) -> optuna.trial.FrozenTrial:
        values = values_of(trial, self._options)
        return frozen_of(trial, self._distributions, values, told_of(trial, self._constraints))

    def _running(self, running: Running) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState, create_trial

        kept = {} if running.generation is None else {GENERATION: running.generation}
        return create_trial(
            state=TrialState.RUNNING,
            params=dict(running.drawn),
            distributions=self._distributions,
            system_attrs=kept,
        )


def directions_of(options: StudyOptions) -> list[Literal["minimize", "maximize"]]:
    """Return what Optuna calls the aims."""
    if options.multi:
        return ["maximize" if more else "minimize" for _, more in AIMS]
    return ["maximize"]


def values_of(trial: Trial, options: StudyOptions) -> tuple[float, ...] | None:
    """Return what a sampler is told to improve; None where a trial says nothing of it."""
    score = trial.score if options.adaptive == "rebuild" else trial.fixed_score
    if trial.metrics is None or score is None:
        return None
    return aims_of(trial.metrics) if options.multi else (score,)


def told_of(trial: Trial, constraints: Constraints) -> dict[str, float]:
    """Return what a sampler is told of the constraints.

    A trial that gives no score is never taken for feasible. Nor is a pruned one, of which nobody
    knows: TPE would take it for better than all that violate a constraint. It comes after them,
    and one that got farther before one that did not.
    """
    if trial.state == "pruned":
        return {"unfinished": _UNFINISHED - len(trial.segment_scores)}
    if trial.metrics is None:
        return {}
    told = constraints.told(trial.metrics)
    return told | {"usable": 1.0} if trial.fixed_score is None else told


def _sampler(options: StudyOptions, number: int) -> Any:
    import numpy as np
    import optuna

    seed = int(np.random.SeedSequence((options.seed, number)).generate_state(1)[0])
    if options.sampler == "random":
        return optuna.samplers.RandomSampler(seed)
    if options.sampler == "nsga2":
        return optuna.samplers.NSGAIISampler(population_size=options.population, seed=seed)
    # The liar keeps the draws of a batch apart, which know nothing of each other's results.
    return optuna.samplers.TPESampler(
        n_startup_trials=options.startup_trials, multivariate=True, constant_liar=True, seed=seed
    )
