"""Which parameters the good trials of a study have in common."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from meseta.bayes._frozen import frozen_of, quiet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meseta.bayes._space import Space
    from meseta.bayes._trial import Trial

__all__ = ["importance"]

_LEAST = 10  # trials with a score; the best tenth is compared with all
_BEST = 0.1


def importance(trials: Iterable[Trial], space: Space) -> dict[str, float]:
    """Return how much each parameter has to do with being among the best tenth (PED-ANOVA).

    Parameters
    ----------
    trials
        Of one study; those with a score count, feasible or not, within the objective's own
        bounds, where fewer are cut off and equal.
    space
        Of that study.

    Returns
    -------
    dict
        By the names of the searched parameters, largest first; the sum is 1. The importance of a
        parameter whose range depends on others is that of its share of the range. Empty with
        fewer than ten scores, or when all are equal.

    Notes
    -----
    Watanabe, Bansal and Hutter, "PED-ANOVA", IJCAI 2023, as Optuna has it.
    """
    import optuna

    scored = [(trial, trial.fixed_score) for trial in trials if trial.fixed_score is not None]
    if len(scored) < _LEAST or len({score for _, score in scored}) == 1:
        return {}
    distributions = space.distributions()
    with quiet(), warnings.catch_warnings():
        # Optuna warns where so many are equal that the best tenth is all of them.
        warnings.simplefilter("ignore", UserWarning)
        study = optuna.create_study(direction="maximize")
        study.add_trials(frozen_of(each, distributions, (score,), {}) for each, score in scored)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_BEST)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    named = {space.sets[name]: float(value) for name, value in found.items()}
    return dict(sorted(named.items(), key=lambda each: -each[1]))
