"""Metrics and ranks against a plain computation."""

from __future__ import annotations

import math
from statistics import fmean

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meseta.export._refinement_metrics import METRICS, ranked, scored

YEARS, CAPITAL = 8.0, 50_000.0
PLAIN = {
    "net_profit": 40_000.0,
    "max_drawdown": -9_000.0,
    "trades": 100.0,
    "percent_profitable": 40.0,
    "profit_factor": 1.8,
    "average_win": 2_250.0,
    "average_loss": -833.0,
    "return_on_account": 80.0,
    "robustness": 0.75,
}


def figures(**changes: float | None) -> dict[str, float | None]:
    frame = pl.DataFrame([PLAIN | changes], schema=dict.fromkeys(PLAIN, pl.Float64))
    return scored(frame, years=YEARS, capital=CAPITAL).row(0, named=True)


def test_the_metrics_of_an_ordinary_combination() -> None:
    found = figures()
    growth = (90_000 / 50_000) ** (1 / 8) - 1
    assert found["mar"] == pytest.approx(growth / (9_000 / 50_000))
    assert found["profit_to_drawdown"] == pytest.approx(40 / 9)
    assert found["profit_factor"] == 1.8
    assert found["robustness"] == 0.75
    assert found["max_drawdown"] == 9_000


def test_sharpe_and_sortino_are_those_of_the_two_valued_trades() -> None:
    trades = [2_250.0] * 40 + [-833.0] * 60
    mean = fmean(trades)
    deviation = math.sqrt(fmean((t - mean) ** 2 for t in trades))
    downside = math.sqrt(fmean(min(t, 0) ** 2 for t in trades))
    found = figures()
    assert found["sharpe"] == pytest.approx(mean / deviation * math.sqrt(100 / 8))
    assert found["sortino"] == pytest.approx(mean / downside * math.sqrt(100 / 8))


NAN = math.nan
UNDEFINED = [
    ({"max_drawdown": 0.0}, {"mar", "profit_to_drawdown"}),
    ({"max_drawdown": NAN}, {"mar", "profit_to_drawdown"}),
    ({"net_profit": -50_000.0}, {"mar"}),
    ({"net_profit": -60_000.0}, {"mar"}),
    ({"net_profit": NAN}, {"mar", "profit_to_drawdown"}),
    ({"percent_profitable": 100.0, "average_loss": 0.0}, {"sharpe", "sortino", "profit_factor"}),
    (
        {"percent_profitable": 100.0, "average_loss": NAN, "profit_factor": math.inf},
        {"sharpe", "sortino", "profit_factor"},
    ),
    ({"percent_profitable": 40.0, "average_loss": 0.0}, {"sharpe", "sortino", "profit_factor"}),
    ({"percent_profitable": 0.0, "average_win": NAN, "profit_factor": 0.0}, {"sharpe"}),
    ({"profit_factor": NAN}, {"profit_factor"}),
    ({"robustness": NAN}, {"robustness"}),
    (
        dict.fromkeys(set(PLAIN) - {"robustness", "trades"}, NAN) | {"trades": 0.0},
        {"mar", "sharpe", "sortino", "profit_factor", "profit_to_drawdown"},
    ),
    (
        {"trades": 0.0, "net_profit": 0.0, "max_drawdown": 0.0},
        {"mar", "sharpe", "sortino", "profit_factor", "profit_to_drawdown"},
    ),
]


@pytest.mark.parametrize(("changes", "undefined"), UNDEFINED)
def test_what_is_undefined(changes: dict[str, float], undefined: set[str]) -> None:
    found = figures(**changes)
    assert {m.name for m in METRICS if found[m.name] is None} == undefined
    assert all(value is None or math.isfinite(value) for value in found.values())


def test_only_losses_have_a_sortino_and_a_profit_factor() -> None:
    found = figures(percent_profitable=0.0, average_win=NAN, profit_factor=0.0)
    assert found["sortino"] == pytest.approx(-math.sqrt(100 / 8))
    assert found["profit_factor"] == 0


figure = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.5, 2.0]), st.floats(-9, 9))


def plain_ranks(values: list[float | None]) -> list[float]:
    """Return average ranks from the highest down, those of None at the end."""
    keys = [-math.inf if value is None else value for value in values]
    return [
        sum(other > mine for other in keys) + (sum(other == mine for other in keys) + 1) / 2
        for mine in keys
    ]


@given(st.lists(st.tuples(*[figure] * len(METRICS)), min_size=1, max_size=30))
def test_ranks_are_those_of_a_plain_computation(rows: list[tuple[float | None, ...]]) -> None:
    names = [metric.name for metric in METRICS]
    schema = dict.fromkeys(names, pl.Float64)
    frame = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("at")
    found = ranked(frame)
    ranks = [plain_ranks([row[i] for row in rows]) for i in range(len(names))]
    sums = [sum(column[at] for column in ranks) for at in range(len(rows))]

    def place(at: int) -> tuple[float, float, int]:
        mar = rows[at][0]
        return sums[at], math.inf if mar is None else -mar, at

    assert found["at"].to_list() == sorted(range(len(rows)), key=place)
    assert found["rank"].to_list() == list(range(1, len(rows) + 1))
    assert found["rank_sum"].to_list() == sorted(sums)
    for name, column in zip(names, ranks, strict=True):
        assert found.sort("at")[f"{name}_rank"].to_list() == column


def test_equal_sums_go_by_mar_then_by_their_order() -> None:
    values = {metric.name: [1.0, 2.0, 1.0, 2.0] for metric in METRICS}
    values["sharpe"] = [2.0, 1.0, 2.0, 1.0]
    values |= {name: [0.0] * 4 for name in values if name not in {"mar", "sharpe"}}
    found = ranked(pl.DataFrame(values).with_row_index("at"))
    assert found["at"].to_list() == [1, 3, 0, 2]
    assert found["rank_sum"].n_unique() == 1
