"""What came of a Bayesian study: key figures, sentences, and what to doubt."""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Any

from meseta.report._format import MISSING, count, ratio, share
from meseta.report._optimize_run import IN_SAMPLE, OUT_OF_SAMPLE
from meseta.report._optimize_words import figure, many, span_text
from meseta.report._walkforward_verdict import Caution, Verdict

if TYPE_CHECKING:
    from meseta.report._optimize_run import Best, Null, Study

__all__ = ["known_scores", "study_tiles", "study_verdict"]

_FEW = 30  # trades below which a handful of them decides the result
_LOOKS = 5  # openings from which a vault is no longer a test
_CHANCE = 0.05  # share of null markets that do as well, above which the search shows nothing


def study_verdict(study: Study) -> Verdict:
    """Judge a study by what its folder says."""
    sentences = [
        _in_sample_sentence(study),
        _vault_sentence(study),
        _noise_sentence(study),
        _null_sentence(study),
    ]
    luck = [_noise(study), _null(study), _walked(study)]
    doubts = [_infeasible(study), *luck, *_vault_doubts(study)]
    return Verdict([text for text in sentences if text], [doubt for doubt in doubts if doubt])


def study_tiles(study: Study) -> list[tuple[str, str, str]]:
    """List the key figures of the first page: label, value, remark."""
    summary, luck = study.summary, study.summary.luck
    inside = None if summary.best is None else summary.best.in_sample.get("sharpe")
    return [
        ("Feasible trials", count(summary.feasible), _counts(study)),
        ("Sharpe in-sample", ratio(inside), _chosen(study)),
        ("Sharpe of noise", ratio(luck.sharpe_expected_of_noise), _noise_remark(study)),
        ("Score on null markets", *_null_tile(study)),
        ("Sharpe in the vault", *_vault_tile(study, "sharpe")),
        ("Return in the vault", *_vault_tile(study, "total_return")),
    ]


def known_scores(null: Null) -> list[float]:
    """Best scores of the null markets that had one."""
    return [score for score in null.best_scores if score is not None and math.isfinite(score)]


# Tiles


def _counts(study: Study) -> str:
    summary = study.summary
    others = [("pruned", summary.pruned), ("failed", summary.failed)]
    lost = [f"{count(number)} {name}" for name, number in others if number]
    return ", ".join([f"of {count(summary.complete)} complete", *lost])


def _chosen(study: Study) -> str:
    best = study.summary.best
    if best is None:
        return "no trial is feasible"
    return f"of trial {count(best.trial)}, the best of {count(study.summary.trials)} by score"


def _noise_remark(study: Study) -> str:
    luck = study.summary.luck
    if luck.sharpe_expected_of_noise is None:
        return "not recorded"
    return f"expected of the best of {many(luck.trials, 'trial')} without an edge"


def _null_tile(study: Study) -> tuple[str, str]:
    null = study.summary.null
    if null is None or not known_scores(null):
        return MISSING, "not tried: --null 20 does"
    real = "" if null.score is None else f"; {ratio(null.score)} on the real one"
    return (
        ratio(median(known_scores(null))),
        f"median best of {many(null.runs, 'shuffled market')}{real}",
    )


def _vault_tile(study: Study, name: str) -> tuple[str, str]:
    best = study.summary.best
    if study.manifest.vault is None and (best is None or best.out_of_sample is None):
        return "none", "no span was kept unseen"
    if best is None:
        return MISSING, "no feasible trial to try there"
    if best.out_of_sample is None:
        return MISSING, "not opened"
    fall = figure("max_drawdown", _beyond(best, "max_drawdown"))
    remarks = {
        "sharpe": f"of the same trial {count(best.trial)}, on unseen bars",
        "total_return": f"with a drawdown of {fall}",
    }
    return figure(name, _beyond(best, name)), remarks[name]


def _beyond(best: Best, name: str) -> Any:
    return None if best.out_of_sample is None else best.out_of_sample.get(name)


# Sentences


def _in_sample_sentence(study: Study) -> str | None:
    best = study.summary.best
    if best is None:
        return None
    when = _when("In-sample", study, IN_SAMPLE)
    return (
        f"{when} trial {count(best.trial)} {_made(best.in_sample)}. It is the best of "
        f"{many(study.summary.trials, 'trial')} on the bars that chose it."
    )


def _vault_sentence(study: Study) -> str | None:
    best = study.summary.best
    if best is None or best.out_of_sample is None:
        return None
    when = _when("In the vault", study, OUT_OF_SAMPLE)
    return (
        f"{when} the same trial {_made(best.out_of_sample)}. No trial of this study has read "
        "these bars."
    )


def _when(side: str, study: Study, part: str) -> str:
    dates = span_text(study.manifest, part)
    return f"{side}, {dates}," if dates else f"{side},"


def _made(metrics: dict[str, Any]) -> str:
    total = metrics.get("total_return")
    verb = "returned" if total is None or total >= 0 else "lost"
    size = None if total is None else abs(total)
    return (
        f"{verb} {figure('total_return', size)} with a Sharpe ratio of "
        f"{figure('sharpe', metrics.get('sharpe'))}, a drawdown of "
        f"{figure('max_drawdown', metrics.get('max_drawdown'))} and "
        f"{many(metrics.get('trades'), 'trade')}"
    )


def _noise_sentence(study: Study) -> str | None:
    luck = study.summary.luck
    if luck.sharpe_expected_of_noise is None or luck.sharpe_best is None:
        return None
    if study.summary.best is None:
        return (
            f"Of {many(luck.trials, 'independent trial')} without any edge the best would be "
            f"expected to show a Sharpe ratio of {ratio(luck.sharpe_expected_of_noise)}."
        )
    deflated = (
        ""
        if luck.deflated_sharpe is None
        else f" The deflated Sharpe ratio, how sure it is that its true one is above that, is "
        f"{share(luck.deflated_sharpe)}."
    )
    return (
        f"Its Sharpe ratio in-sample is {ratio(luck.sharpe_best)}; of "
        f"{many(luck.trials, 'independent trial')} without any edge the best would be expected "
        f"to show {ratio(luck.sharpe_expected_of_noise)}.{deflated}"
    )


def _null_sentence(study: Study) -> str | None:
    null = study.summary.null
    if null is None or not known_scores(null):
        return None
    scores, own = known_scores(null), null.score
    chance = "" if null.p_score is None else f" (p = {ratio(null.p_score)})"
    real = "no trial had a score" if own is None else f"it found {ratio(own)}{chance}"
    passed, empty = sum(bool(number) for number in null.feasible), null.runs - len(scores)
    none = f" On {empty} no trial had a score." if empty else ""
    return (
        f"On {many(null.runs, 'shuffled market')}, where there is nothing to find, the same "
        f"search found best scores of {ratio(min(scores))} to {ratio(max(scores))}; on the real "
        f"one {real}. On {passed} of the shuffled ones a trial met the constraints.{none}"
    )


# Doubts


def _infeasible(study: Study) -> Caution | None:
    summary = study.summary
    if summary.best is not None:
        return None
    if not summary.complete:
        return Caution("No trial was completed.", "There is no result to judge.")
    return Caution(
        "No trial is feasible.",
        f"None of {many(summary.complete, 'complete trial')} meets the constraints, so there is "
        "no best one. What follows shows those that miss by least; they are no proposals.",
    )


def _noise(study: Study) -> Caution | None:
    luck = study.summary.luck
    best, expected = luck.sharpe_best, luck.sharpe_expected_of_noise
    if study.summary.best is None or best is None or expected is None:
        return None
    if best > expected:
        return _unsure(luck.deflated_sharpe)
    return Caution(
        "Noise does as well.",
        f"The best trial’s Sharpe ratio ({ratio(best)}) is no better than what the best of "
        f"{many(luck.trials, 'trial')} without an edge would show ({ratio(expected)}).",
    )


def _unsure(deflated: float | None) -> Caution | None:
    if deflated is None or deflated >= 1 - _CHANCE:
        return None
    return Caution(
        "Noise may do as well.",
        f"The best trial’s Sharpe ratio is above what noise would show, but not surely: the "
        f"deflated one is {share(deflated)}, and {share(1 - _CHANCE)} would be sure.",
        strong=False,
    )


def _null(study: Study) -> Caution | None:
    null = study.summary.null
    if null is None or null.p_score is None or null.score is None:
        return None
    if null.p_score <= _CHANCE:
        return None
    if not null.as_good:
        return Caution(
            "Too few null markets to tell.",
            f"With {null.runs} of them no result can be rarer than 1 in {null.runs + 1}.",
            strong=False,
        )
    return Caution(
        "The search finds as much where nothing is.",
        f"On {count(null.as_good)} of {many(null.runs, 'shuffled market')} it finds a best score "
        f"as good as this one (p = {ratio(null.p_score)}).",
    )


def _walked(study: Study) -> Caution | None:
    windows = study.summary.windows
    if windows is None or windows.total_return is None or windows.total_return > 0:
        return None
    if not windows.traded:
        return Caution(
            "Walking forward traded nothing.", "No window had a trial that meets the constraints."
        )
    return Caution(
        "Walking forward does not confirm it.",
        f"All windows together made {figure('total_return', windows.total_return)} out-of-sample.",
    )


def _vault_doubts(study: Study) -> list[Caution | None]:
    best, vault = study.summary.best, study.manifest.vault
    if vault is None:
        return [_no_vault(study)]
    looks = (vault.opened or 0) >= _LOOKS
    worn = Caution(
        "The vault is worn.",
        f"It was opened {count(vault.opened)} times for these data. The fifth look is no longer "
        "a test: read it as one more in-sample result.",
    )
    beyond = {} if best is None or best.out_of_sample is None else best.out_of_sample
    return [_lost(beyond), _few(beyond), worn if looks else None]


def _no_vault(study: Study) -> Caution | None:
    if study.summary.best is not None and study.summary.best.out_of_sample is not None:
        return None
    return Caution(
        "There is no vault.",
        "Every bar was seen by the search, so nothing here says how the best trial does on "
        "unseen data.",
    )


def _lost(beyond: dict[str, Any]) -> Caution | None:
    total = beyond.get("total_return")
    if beyond.get("liquidated"):
        return Caution("Liquidated in the vault.", "The account did not survive unseen bars.")
    if total is None or total > 0:
        return None
    lost = figure("total_return", abs(total))
    return Caution(
        "The vault does not confirm it.",
        f"On bars that no trial has read, the best trial lost {lost}.",
    )


def _few(beyond: dict[str, Any]) -> Caution | None:
    trades = beyond.get("trades")
    if trades is None or trades >= _FEW:
        return None
    return Caution(
        f"Only {many(trades, 'trade')} in the vault.",
        "A handful of them decides the result, so chance does.",
        strong=False,
    )
