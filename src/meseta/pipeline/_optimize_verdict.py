"""What a study is worth, in a sentence or two."""

from __future__ import annotations

from typing import Any

__all__ = ["missed", "verdict_of"]

# What most people ask of a test before they believe it.
_SURE = 0.95
_RARE = 0.05
_FIGURES = {
    "min_sharpe": "Sharpe ratio",
    "max_drawdown": "drawdown",
    "min_trades": "trades",
    "min_win_rate": "win rate",
    "min_profit_factor": "profit factor",
    "min_calmar": "Calmar ratio",
    "liquidated": "liquidation",
}


def verdict_of(summary: dict[str, Any]) -> str:
    """Say whether anything found is worth having.

    A loss in the vault ends the matter. What made something there is held against luck: what
    noise would have, markets without structure, and walking forward, as far as they were tried.

    Parameters
    ----------
    summary
        Of the study, as `summary.json` has it, without its verdict.
    """
    best = summary["best"]
    if best is None:
        return _nothing(summary)
    # The lenient rule lets one be missed.
    what = (
        f"all constraints but one ({missed(one)})"
        if (one := best["violated"])
        else ("the constraints")
    )
    text = f"rial {best['trial']} meets {what} in-sample"
    unseen = best["out_of_sample"]
    if unseen is None:
        return f"T{text}; there is no vault to say what it makes on unseen data. {_luck(summary)}"
    fate = f"{_made(unseen)} in the vault ({_many(unseen['trades'], 'trade')})"
    if unseen["liquidated"] or not (unseen["total_return"] or 0) > 0:
        return f"Nothing worth having: t{text}, but {fate}."
    return f"T{text} and {fate}. {_luck(summary)}"


def missed(names: list[str] | tuple[str, ...]) -> str:
    """Return in words which figures violate their constraints."""
    words = [_FIGURES.get(name, name.replace("_", " ")) for name in names]
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _nothing(summary: dict[str, Any]) -> str:
    if not summary["complete"]:
        first = f"; the first: {summary['error']}" if summary["error"] else ""
        return f"Nothing to judge: no trial was completed{first}."
    text = f"Nothing worth having: none of {_many(summary['complete'], 'trial')} meets the"
    near, traded = summary["nearest"][:1], _traded(summary["windows"])
    if not near:
        return f"{text} constraints.{traded}"
    # All may be kept by one with too few trades for a score.
    what = missed(near[0]["violated"]) or "a score, for want of trades"
    return f"{text} constraints; the nearest, trial {near[0]['trial']}, misses {what}.{traded}"


def _traded(windows: dict[str, Any] | None) -> str:
    """Return what the windows made whose own studies found something."""
    if windows is None or not windows["traded"]:
        return ""
    many = _many(windows["traded"], "window")
    return f" In {many} of the walk-forward one did, and out-of-sample they {_made(windows)}."


def _luck(summary: dict[str, Any]) -> str:
    """Say what speaks for luck; where nothing does, what speaks against it."""
    said = [_noise(summary["luck"]), _null(summary["null"]), _walked(summary["windows"])]
    doubts = [text for text, holds in said if text and holds is False]
    if doubts:
        return f"It may be luck: {'; '.join(doubts)}."
    reasons = [text for text, holds in said if text and holds]
    unknown = [text for text, holds in said if text and holds is None]
    return f"Against luck: {'; '.join([*reasons, *unknown])}."


def _noise(luck: dict[str, Any]) -> tuple[str, bool]:
    """Return what noise would have, and whether the best trial stands out from it."""
    deflated, own = luck["deflated_sharpe"], luck["sharpe_best"]
    noise = luck["sharpe_expected_of_noise"]
    if deflated is None or own is None or noise is None:
        return "its days in-sample are too few, or too much alike, for a test against noise", False
    told = f"the deflated Sharpe ratio is {_percent(deflated, 0)}"
    if deflated >= _SURE:
        return told, True
    best = f"the {noise:.2f} that the best of {_many(luck['trials'], 'trial')} of noise would have"
    if own <= noise:
        return f"its Sharpe ratio in-sample, {own:.2f}, is no more than {best}", False
    return f"its Sharpe ratio in-sample, {own:.2f}, is not surely above {best} ({told})", False


def _null(null: dict[str, Any] | None) -> tuple[str, bool | None]:
    """Return how markets without structure compare; None where they do not tell."""
    if null is None:
        return "markets without structure were not tried", None
    if null["p_score"] is None:
        return "", None
    many = _many(null["runs"], "market") + " without structure"
    if null["as_good"] == 0 and null["p_score"] > _RARE:
        return f"{many} {'is' if null['runs'] == 1 else 'are'} too few to tell", None
    told = f"the same search scores as well on {null['as_good'] or 'none'} of {many}"
    return told, null["p_score"] <= _RARE


def _walked(windows: dict[str, Any] | None) -> tuple[str, bool | None]:
    """Return what walking forward made, and whether it is a profit."""
    if windows is None:
        return "", None
    if not windows["traded"]:
        return "no window of the walk-forward had a trial that meets the constraints", False
    return f"walking forward {_made(windows)} out-of-sample", windows["total_return"] > 0


def _made(figures: dict[str, Any]) -> str:
    if figures.get("liquidated"):
        return "was liquidated"
    made = figures["total_return"]
    return f"made {_percent(made)}" if made else "made nothing"


def _many(number: int, one: str) -> str:
    return f"{number:,} {one}" if number == 1 else f"{number:,} {one}s"


def _percent(value: float, places: int = 2) -> str:
    sign = "+" if places else ""
    return f"{value:{sign}.{places}%}".replace("%", " %")
