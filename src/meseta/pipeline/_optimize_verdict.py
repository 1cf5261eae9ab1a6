"""What a study is worth, in one sentence."""

from __future__ import annotations

from typing import Any

__all__ = ["verdict_of"]

# What most people ask of a test before they believe it.
_SURE = 0.95
_RARE = 0.05


def verdict_of(summary: dict[str, Any]) -> str:
    """Return one sentence on whether anything found is worth having.

    Parameters
    ----------
    summary
        Of the study, as `summary.json` has it, without its verdict.
    """
    best = summary["best"]
    if best is None:
        return _nothing(summary)
    text = f"trial {best['trial']} meets the constraints in-sample"
    unseen, doubts = best["out_of_sample"], _doubts(summary)
    if unseen is None:
        return _joined(f"{text}; no vault says what it makes on unseen data", doubts)
    made = unseen["total_return"]
    if unseen["liquidated"] or made is None or made <= 0:
        fate = "was liquidated" if unseen["liquidated"] else f"made {_percent(made)}"
        return f"Nothing worth having: {text}, but {fate} in the vault."
    luck = "it may be luck" if doubts else "luck alone does not explain it"
    return _joined(f"{text} and made {_percent(made)} in the vault; {luck}", doubts)


def _nothing(summary: dict[str, Any]) -> str:
    if not summary["complete"] and summary["error"]:
        return f"Nothing is known: no trial ran to its end; the first: {summary['error']}."
    text = f"Nothing worth having: none of {summary['complete']} trials meets the constraints"
    near = summary["nearest"][:1]
    if not near:
        return f"{text}."
    return f"{text}; the nearest, trial {near[0]['trial']}, misses {_listed(near[0]['violated'])}."


def _doubts(summary: dict[str, Any]) -> list[str]:
    luck, null = summary["luck"], summary["null"]
    doubts = []
    if luck["deflated_sharpe"] is None or luck["deflated_sharpe"] < _SURE:
        noise, own = (_number(luck[n]) for n in ("sharpe_expected_of_noise", "sharpe_best"))
        doubts.append(
            f"the best of {luck['trials']} trials of noise would have a Sharpe ratio of {noise} "
            f"(this one: {own})"
        )
    if null is not None and null["p_score"] is not None and null["p_score"] > _RARE:
        doubts.append(
            f"the same search scores as well on {null['as_good']} of {null['runs']} markets "
            "without structure"
        )
    return doubts


def _joined(text: str, doubts: list[str]) -> str:
    whole = f"{text}: {', and '.join(doubts)}" if doubts else text
    return f"{whole[:1].upper()}{whole[1:]}."


def _listed(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{value:+.1%}".replace("%", " %")
