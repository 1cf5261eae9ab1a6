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
    trial = f"trial {best['trial']} meets the constraints in-sample"
    unseen = best["out_of_sample"]
    if unseen is None:
        return _sentence(
            f"{trial}, and nothing says what it is worth on data it was not chosen on", summary
        )
    made = unseen["total_return"]
    if made is None or made <= 0 or unseen["liquidated"]:
        gone = "was liquidated" if unseen["liquidated"] else f"made {_percent(made)}"
        return f"Nothing worth having: {trial}, but {gone} in the vault."
    text = f"{trial} and made {_percent(made)} in the vault"
    doubts = _doubts(summary)
    if doubts:
        return _capital(f"{text}; it may be luck: {' and '.join(doubts)}.")
    return _capital(f"{text}, which luck alone does not explain.")


def _nothing(summary: dict[str, Any]) -> str:
    near = summary["nearest"][:1]
    told = (
        f"; the nearest, trial {near[0]['trial']}, misses {', '.join(near[0]['violated'])}"
        if near
        else ""
    )
    return (
        f"Nothing worth having: none of {summary['complete']} trials meets the constraints{told}."
    )


def _sentence(text: str, summary: dict[str, Any]) -> str:
    doubts = _doubts(summary)
    return _capital(f"{text}; {' and '.join(doubts)}." if doubts else f"{text}.")


def _doubts(summary: dict[str, Any]) -> list[str]:
    luck, null, doubts = summary["luck"], summary["null"], list[str]()
    noise, own = luck["sharpe_expected_of_noise"], luck["sharpe_best"]
    if luck["deflated_sharpe"] is None or luck["deflated_sharpe"] < _SURE:
        told = None not in {noise, own}
        doubts.append(
            f"the best of {luck['trials']} trials of noise is expected to have a Sharpe ratio of "
            f"{noise:.2f}, this one has {own:.2f}"
            if told
            else "its Sharpe ratio cannot be held against noise"
        )
    if null is not None and null["p_score"] is not None and null["p_score"] > _RARE:
        doubts.append(
            f"the same search finds as much on {null['as_good']} of {null['runs']} markets without "
            "structure"
        )
    return doubts


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{value:+.1%}".replace("%", " %")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
