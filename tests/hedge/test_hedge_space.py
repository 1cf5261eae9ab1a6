"""The grid's search space: nothing that is drawn is refused, changed or too large."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meseta.errors import ArgumentError
from meseta.hedge import BASELINE, PRESETS, GridParameters, GridSettings, hedge_space, ladder_value
from meseta.hedge._space import GROUPS

if TYPE_CHECKING:
    from pathlib import Path

    from meseta.bayes import Space

GATED = GridSettings(atr_gate_mult=0.5)
SPACES = [
    hedge_space(preset, price=price, settings=GATED)
    for preset in PRESETS
    for price in (30_000.0, 109_000.0)
]
QUANTITY = {"low": 0.004, "high": 0.016}  # where 0.003 is worth less than 100


@st.composite
def draws(draw: st.DrawFn) -> tuple[Space, dict[str, float]]:
    space = draw(st.sampled_from(SPACES))
    return space, {d.name: draw(st.floats(d.low, d.high)) for d in space.dimensions}


def worth(p: dict[str, Any], centre: float, s: GridSettings) -> float:
    """Money of the side that takes more, as A2 says: rounded prices times rounded quantities."""
    step = centre * p["grid_step_bps"] / 10_000
    sides = []
    for levels, sign in ((p["grid_levels_long"], -1), (p["grid_levels_short"], 1)):
        quantities = [p["base_qty"] * p["qty_scale"] ** k for k in range(levels)]
        lots = [int(q / s.lot + 1e-9) * s.lot for q in quantities]
        prices = [round((centre + sign * (k + 1) * step) / s.tick) * s.tick for k in range(levels)]
        sides.append(sum(q * p for q, p in zip(lots, prices, strict=True)))
    return max(sides)


@settings(max_examples=200)
@given(draws(), st.floats(0.3, 1))
def test_every_draw_is_legal_within_the_inventory_and_found_again(
    drawn: tuple[Space, dict[str, float]], lower: float
) -> None:
    space, draw = drawn
    p = space.params(draw)
    made = GridParameters.from_params(p)
    assert {name: getattr(made, name) for name in space.order} == p
    assert p["ema_slow"] >= p["ema_fast"] + 3
    assert p["tp_steps"] <= 3 * p["sl_steps"]
    assert p["counter_levels"] <= max(p["grid_levels_long"], p["grid_levels_short"])
    highest = next(d.bound for d in space.dependents if d.name == "base_qty").price  # type: ignore[attr-defined]
    for centre in (highest, highest * lower):
        assert worth(p, centre, GATED) <= GATED.max_inventory_quote * (1 + 1e-9)
        assert max(ladder_value(made, centre)) <= GATED.max_inventory_quote
    ranges = dict(PRESETS[space.name])
    if highest < 50_000 and space.name != "wide":
        ranges["base_qty"] = QUANTITY
    for name, entry in ranges.items():
        assert entry["low"] - 1e-12 <= p[name] <= entry["high"] + 1e-12
    assert space.params(space.drawn(p)) == p


def test_the_baseline_is_in_the_default_space_and_its_own() -> None:
    space = hedge_space(price=109_000.0, settings=GATED)
    assert space.params(space.drawn(BASELINE)) == BASELINE
    assert GridParameters() == GridParameters.from_params(BASELINE)


def test_a_preset_that_could_not_be_placed_is_cut_and_not_refused() -> None:
    space = hedge_space("wide", price=109_000.0, settings=GATED)
    top = {d.name: d.high for d in space.dimensions}
    p = space.params(top)
    assert (p["grid_levels_short"], p["grid_step_bps"]) == (20, 200.0)
    assert 1 < p["qty_scale"] < 1.5
    assert 0.001 <= p["base_qty"] < 0.0011


@pytest.mark.parametrize(
    ("low_price", "low", "high"),
    [(109_000.0, 0.001, 0.004), (73_000.0, 0.002, 0.008), (16_500.0, 0.007, 0.028)],
)
def test_a_presets_first_rung_is_an_order_at_the_lowest_price(
    low_price: float, low: float, high: float
) -> None:
    said: list[str] = []
    space = hedge_space(
        price=109_000.0, low_price=low_price, settings=GridSettings(), warnings=said
    )
    base = next(d for d in space.dependents if d.name == "base_qty")
    assert (base.low, base.high) == (low, high)  # type: ignore[attr-defined]
    assert len(said) == (low > 0.001)
    p = space.params({d.name: d.high for d in space.dimensions})
    assert p["base_qty"] >= low
    assert max(ladder_value(GridParameters.from_params(p), 109_000.0)) <= 10_000


def test_any_coin_has_a_space_and_ones_own_quantities_stay() -> None:
    said: list[str] = []
    coin = GridSettings(lot=1, tick=1e-5, min_quantity=1, max_position_size=1e6)
    space = hedge_space(price=0.2, settings=coin, warnings=said)
    assert space.params({d.name: d.low for d in space.dimensions})["base_qty"] == 500
    assert said == [
        (
            "`base_qty` is searched from 500 to 2000: at a price of 0.2 the venue takes no order "
            "below 500"
        )
    ]
    said.clear()
    own = {"base_qty": {"low": 100, "high": 900}}
    space = hedge_space(own, price=0.2, settings=coin, warnings=said)
    assert space.params({d.name: d.low for d in space.dimensions})["base_qty"] == 100
    assert said[0].startswith("`base_qty` from 100 leaves out first rungs: at a price of 0.2")


def test_every_parameter_has_a_group_a_unit_and_a_meaning() -> None:
    rows = hedge_space(price=109_000.0, settings=GATED).table()
    assert [row["name"] for row in rows] == list(BASELINE)
    assert len(rows) == 17
    assert list(GROUPS) == ["grid", "exit", "regime", "policy", "rebalance", "funding", "position"]
    assert sum(map(len, GROUPS.values())) == 17
    assert all(row["unit"] and row["meaning"] and row["group"] for row in rows)


def test_what_changes_nothing_is_not_searched_and_said_to_be_inert() -> None:
    said: list[str] = []
    space = hedge_space(
        {"atr_len": {"low": 7, "high": 30}}, price=109_000.0, settings=GridSettings(),
        has_funding=False, warnings=said,
    )  # fmt: skip
    assert space.fixed == {"atr_len": 14, "funding_max_cost_bps": 12.0}
    rows = {row["name"]: row for row in space.table()}
    assert rows["atr_len"]["meaning"].endswith("inert while atr_gate_mult is 0")
    assert said == ["`atr_len` is not searched: inert while atr_gate_mult is 0"]
    assert "atr_len" in {d.name for d in SPACES[0].dimensions}


def test_a_file_of_ones_own_has_sections_and_a_preset_for_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "calm.yaml"
    file.write_text(
        "preset: fast-1m\ngrid: {grid_step_bps: 20, base_qty: {low: 0.001, high: 0.002}}\n"
        "max_position_pct: {low: 50, high: 95, step: 5}\n"
    )
    said: list[str] = []
    space = hedge_space(file, price=109_000.0, settings=GATED, warnings=said)
    assert space.name == "calm"
    assert space.fixed == {"grid_step_bps": 20.0}
    assert said == ["`max_position_pct` is above 1 and was taken as per cent: 75 is 0.75"]
    p = space.params({d.name: d.high for d in space.dimensions})
    assert (p["max_position_pct"], p["ema_fast"], p["base_qty"]) == (0.95, 15, 0.002)


def test_a_position_smaller_than_an_order_is_refused() -> None:
    # The default is that of bitcoin.
    coin = GridSettings(lot=1, tick=1e-5, min_quantity=1, min_notional=5)
    told = "`max_position_size` 0.1 is less than a single order, `base_qty` from 25"
    with pytest.raises(ArgumentError, match=told):
        hedge_space(price=0.2, settings=coin)
    space = hedge_space(price=0.2, settings=replace(coin, max_position_size=1e6))
    assert space.params({d.name: d.low for d in space.dimensions})["base_qty"] == 25


@pytest.mark.parametrize(
    ("source", "price", "said"),
    [
        ("defualt", 1e5, "did you mean default?"),
        ({"preset": "fast"}, 1e5, "`preset` must be one of default, fast-1m, wide"),
        ({"grid_setp_bps": 3}, 1e5, "did you mean grid_step_bps?"),
        ({"regime": {"ema_fats": 3}}, 1e5, "did you mean ema_fast?"),
        ({"ema_slow": 20}, 1e5, "`ema_slow` has no value for ema_fast 25"),
        ({"tp_steps": {"low": 5, "high": 20}, "sl_steps": 1}, 1e5, "no value for sl_steps 1"),
        (
            {"base_qty": {"low": 0.02, "high": 0.1}},
            1e5,
            "what 10000 a side allow with base_qty 0.02)",
        ),
        ({"base_qty": 0.01}, 1e5, "allow with base_qty 0.01)"),
        ({"base_qty": 0.001}, 0.2, "give `base_qty` a range that suits this market"),
        ({"base_qty": "0.01"}, 1e5, "`base_qty` must be a number"),
    ],
)
def test_what_contradicts_is_refused(source: Any, price: float, said: str) -> None:
    with pytest.raises(ArgumentError) as error:
        hedge_space(source, price=price, settings=GridSettings())
    assert said in str(error.value)
