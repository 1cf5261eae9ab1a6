"""The comparison of variants: numbers as in the run folders, and what is missing said."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import polars as pl
import pytest
from page_reader import Page, check_alone
from run_files import read
from synthetic_run import FAMILY, SIMPLER, Recipe, write_family, write_run

from meseta._files import write_json
from meseta.errors import RunError
from meseta.report import VariantRow, comparison_rows, write_comparison
from meseta.report._format import money, ratio, share
from meseta.report._variants import Variant, additions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ORDER = ["atr_d_l", "atr_d_duals_l", "atr_d_ls", "atr_d_duals_ls"]


def place(folder: Path, strategy: str) -> Path:
    return folder if strategy == FAMILY.strategy else folder / "variants" / strategy


def edit(folder: Path, name: str = "manifest.json", **values: Any) -> None:
    write_json(folder / name, read(folder / name) | values)


@pytest.fixture
def changed(family_folder: Path, tmp_path: Path) -> Callable[..., Page]:
    """The comparison of a copy of the family that `change` altered."""

    def make(change: Callable[[Path], object]) -> Page:
        folder = tmp_path / "family"
        shutil.copytree(family_folder, folder)
        change(folder)
        return Page(write_comparison(folder).read_text(encoding="utf-8"))

    return make


def expected(folder: Path) -> VariantRow:
    """Read one variant's row by hand."""
    manifest, plateau = read(folder / "manifest.json"), read(folder / "plateaus.json")
    plateau = next(p for p in plateau["plateaus"] if p["rank"] == 1)
    flat = plateau["centre"]["flat"]
    candidate = pl.read_parquet(folder / "candidates.parquet").filter(pl.col("flat") == flat)
    finalists = pl.read_parquet(folder / "finalists" / "finalists.parquet")
    centre = finalists.filter((pl.col("plateau") == 1) & (pl.col("role") == "centre"))
    sampled = manifest["grid"]["sampled"]
    return VariantRow(
        strategy=manifest["strategy"],
        combinations=manifest["grid"]["searched"],
        sampled=sampled and sampled["count"],
        candidates=manifest["funnel"]["candidates"],
        plateau_stability=plateau["worth"],
        plateau_oos_median=plateau["median_oos_pnl"],
        median_all=manifest["whole_grid"]["median_oos"],
        share_profitable=manifest["whole_grid"]["profitable"],
        best_oos=sum(candidate[f"oos_pnl_{p}"][0] for p in range(1, 5)),
        best_drawdown=max(candidate[f"oos_maxdd_{p}"][0] for p in range(1, 5)),
        vault_profit=centre["vault_net_profit"][0],
        vault_drawdown=centre["vault_max_drawdown"][0],
    )


# Numbers


def test_rows_are_the_run_folders_simplest_first(family_folder: Path) -> None:
    rows = comparison_rows(family_folder)
    assert [row.strategy for row in rows] == ORDER
    for row in rows:
        wanted = expected(place(family_folder, row.strategy))
        assert row.best_oos == pytest.approx(wanted.best_oos)
        assert {f: getattr(row, f) for f in VariantRow.__slots__ if f != "best_oos"} == {
            f: getattr(wanted, f) for f in VariantRow.__slots__ if f != "best_oos"
        }


def test_table_holds_the_rows_and_their_differences(comparison: Page, family_folder: Path) -> None:
    rows = comparison_rows(family_folder)
    table = {row[0]: row[1:] for row in comparison.table("Combinations given")[2:6]}
    simplest = rows[0].median_all
    assert simplest is not None
    for cell, row in zip(table["Median validation profit"], rows, strict=True):
        assert row.median_all is not None
        change = row.median_all - simplest
        signed = ("+" if change >= 0 else "") + money(change)
        assert cell == money(row.median_all) + (signed if row is not rows[0] else "")
    whole = comparison.table("Combinations given")
    for label, write, values in (
        ("Stability", ratio, [row.plateau_stability for row in rows]),
        ("Validation profit", money, [row.best_oos for row in rows]),
        ("Validation drawdown", money, [row.best_drawdown for row in rows]),
        ("Profit", money, [row.vault_profit for row in rows]),
        ("Drawdown", money, [row.vault_drawdown for row in rows]),
    ):
        cells = next(row[1:] for row in whole if row[0] == label)
        for cell, value in zip(cells, values, strict=True):
            assert cell.startswith(write(value)), label


def test_plateau_rows_are_of_all_its_combinations(comparison: Page, family_folder: Path) -> None:
    whole = comparison.table("Combinations given")
    start = next(i for i, row in enumerate(whole) if row[0].startswith("Best plateau"))
    median, worst, profitable = whole[start + 2 : start + 5]
    for at, strategy in enumerate(ORDER, start=1):
        plateau = read(place(family_folder, strategy) / "plateaus.json")["plateaus"][0]
        assert median[at].startswith(money(plateau["median_oos_pnl"]))
        assert worst[at].startswith(money(plateau["worst_oos_pnl"]))
        assert profitable[at].startswith(share(plateau["profitable_share"]))


def test_every_variant_shows_how_many_combinations_it_was_given(comparison: Page) -> None:
    assert comparison.table("Combinations given")[1] == [
        "Combinations given",
        "58,060,800",
        "58,060,800as many",
        "1,000,00058 times fewer",
        "1,000,00058 times fewer",
    ]
    assert "combinations of 16,721,510,400: Sobol sample, seed 7" in comparison.html


def test_a_larger_search_is_not_called_a_better_idea(changed: Callable[..., Page]) -> None:
    def whole(folder: Path) -> None:
        for strategy in ("atr_d_ls", "atr_d_duals_ls"):
            at = place(folder, strategy)
            grid = read(at / "manifest.json")["grid"] | {"searched": 16_721_510_400}
            edit(at, grid=grid | {"sampled": None})

    page = changed(whole)
    assert "The largest search here was given 288 times as many combinations" in page.html
    assert "atr_d_ls was given 288 times as many combinations (16,721,510,400 against" in page.html
    assert "better by luck alone" in page.html


def test_equal_searches_need_no_such_warning(tmp_path: Path) -> None:
    folder = write_family(tmp_path / "one", FAMILY, {"atr_d_ls": {"sampled": 1_000_000}})
    page = Page(write_comparison(folder).read_text(encoding="utf-8"))
    assert "better by luck alone" not in page.html
    assert "Second symbol" in page.text("findings")
    assert "Shorts" not in page.text("findings")


def test_each_addition_has_its_sentences(comparison: Page, family_folder: Path) -> None:
    rows = {row.strategy: row for row in comparison_rows(family_folder)}
    text = comparison.text("findings")
    for name, with_, without in (
        ("Shorts", "atr_d_ls", "atr_d_l"),
        ("Shorts", "atr_d_duals_ls", "atr_d_duals_l"),
        ("Second symbol", "atr_d_duals_l", "atr_d_l"),
        ("Second symbol", "atr_d_duals_ls", "atr_d_ls"),
    ):
        part = text[text.index(f"{name} {with_} against {without}") :]
        for words, field in (
            ("The median combination made", "median_all"),
            ("The median of the best plateau made", "plateau_oos_median"),
            ("In the vault, the centre of the best plateau made", "vault_profit"),
        ):
            new, old = getattr(rows[with_], field), getattr(rows[without], field)
            more = "more" if new > old else "less"
            numbers = f"{money(abs(new - old))} {more} ({money(new)} against {money(old)})"
            found = part.index(words)
            assert part[found:].startswith(f"{words} {numbers}"), field
            part = part[found:]


def test_charts_draw_the_rows(comparison: Page, family_folder: Path) -> None:
    rows = comparison_rows(family_folder)
    figures = comparison.charts["figures"]
    assert set(figures) == {"outcomes", "vault", "curves"}
    medians = [t for t in figures["outcomes"]["data"] if "median of all" in str(t)]
    assert [trace["x"] for trace in medians] == [[row.median_all] for row in rows]
    bars = [t["x"][0] for t in figures["vault"]["data"]]
    assert bars[1::2] == [row.vault_profit for row in rows]
    assert bars[::2] == [-(row.vault_drawdown or 0) for row in rows]
    lines = [t for t in figures["curves"]["data"] if t["type"] == "scatter"]
    assert [t["hovertemplate"].split("<")[0] for t in lines] == ORDER
    assert [t["line"]["dash"] for t in lines] == ["solid", "solid", "dot", "dot"]
    assert len({t["line"]["color"] for t in lines}) == 4


# Additions


def named(*strategies: str) -> list[Variant]:
    return [Variant(strategy, ".", "finished", None, None) for strategy in strategies]


@pytest.mark.parametrize(
    ("strategies", "pairs"),
    [
        (["atr_d_hma_l", "atr_d_hma_ls"], [("Shorts", "atr_d_hma_ls", "atr_d_hma_l")]),
        (["atr_d_l", "atr_d_hma_l"], [("Hull gate", "atr_d_hma_l", "atr_d_l")]),
        (["atr_d_l", "atr_d_duals_ls"], []),
        (["atr_d_duals_l", "atr_d_ls"], []),
        (["mine_l", "mine_fast_l"], [("fast", "mine_fast_l", "mine_l")]),
        (["atr_d_l"], []),
    ],
)
def test_additions_are_read_off_the_names(
    strategies: list[str], pairs: list[tuple[str, str, str]]
) -> None:
    found = additions(named(*strategies))
    assert [(p.name, p.with_.strategy, p.without.strategy) for p in found] == pairs


def test_no_pair_that_differs_by_one_addition_is_said(tmp_path: Path) -> None:
    folder = write_family(tmp_path / "far", FAMILY, {"atr_d_l": {}})
    page = Page(write_comparison(folder).read_text(encoding="utf-8"))
    assert "No two of these variants differ by one addition alone" in page.text("findings")


def test_grids_that_list_other_values_are_said(changed: Callable[..., Page]) -> None:
    def coarser(folder: Path) -> None:
        at = place(folder, "atr_d_l")
        grid = read(at / "manifest.json")["grid"]
        grid["values"]["atr_multiplier"] = [3, 6, 9]
        edit(at, grid=grid)

    text = changed(coarser).text("findings")
    assert "The two grids list other values of atr_multiplier too" in text


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"account": {"capital": 1.0}}, "account"),
        ({"phases": []}, "phases"),
        ({"vault": None}, "vault"),
        ({"gates": {"min_trades": 9}}, "gates"),
        ({"data": {"name": "x", "rows": 17}}, "bars"),
    ],
)
def test_what_was_not_the_same_is_said(
    changed: Callable[..., Page], values: dict[str, Any], word: str
) -> None:
    page = changed(lambda folder: edit(place(folder, "atr_d_ls"), **values))
    assert f"The variants were not all given the same {word}," in page.html
    assert "over the same phases" not in page.html


def test_the_same_for_all_is_said_too(comparison: Page) -> None:
    assert "over the same phases with the same capital and the same vault" in comparison.html


# Wording


def test_validation_is_not_called_proof(comparison: Page) -> None:
    prose = comparison.html[: comparison.html.index('id="chart-data"')].lower()
    assert "evidence" not in prose
    assert "validation is not proof" in prose
    text = comparison.text("reading")
    assert "so it is called validation" in text
    assert "is the only unseen data" in text
    assert "it is validation from then on" in text
    assert "neither borrow cost nor the dividends" in text


def test_made_up_data_of_any_variant_are_said(changed: Callable[..., Page]) -> None:
    text = "the fund is made up: three times the index"
    page = changed(lambda folder: edit(place(folder, "atr_d_l"), warnings=[text]))
    assert page.html.index("The data are made up") < page.html.index('class="lead"')
    assert text in page.html


def test_real_data_are_not_called_made_up(comparison: Page) -> None:
    assert "made up" not in comparison.html[: comparison.html.index('id="chart-data"')]


# What is missing


def test_a_variant_without_plateaus(changed: Callable[..., Page]) -> None:
    def bare(folder: Path) -> None:
        at = place(folder, "atr_d_ls")
        edit(at, "plateaus.json", plateaus=[])
        shutil.rmtree(at / "finalists")

    page = changed(bare)
    assert "atr_d_ls: no plateau was found" in page.text("table")
    assert "No plateau was found in atr_d_ls." in page.text("findings")
    assert "atr_d_ls has no result in the vault." in page.text("findings")
    rows = page.table("Combinations given")
    assert next(row for row in rows if row[0] == "Stability")[3] == "—"
    lines = [t for t in page.charts["figures"]["curves"]["data"] if t["type"] == "scatter"]
    assert len(lines) == 3


def test_no_plateaus_anywhere(tmp_path: Path) -> None:
    folder = write_family(
        tmp_path / "bare",
        Recipe(strategy="atr_d_ls", candidates=0, plateaus=0, years=8.0),
        {"atr_d_l": {}},
    )
    page = Page(write_comparison(folder).read_text(encoding="utf-8"))
    assert "No plateau was found in either." in page.text("findings")
    assert "Neither has a result in a vault." in page.text("findings")
    assert "No variant has a result in the vault" in page.text("charts")
    assert "No equity was kept" in page.text("curves")


def test_a_variant_that_was_never_begun(changed: Callable[..., Page]) -> None:
    def gone(folder: Path) -> None:
        shutil.rmtree(place(folder, "atr_d_l"))
        variants = read(folder / "manifest.json")["variants"]
        for variant in variants:
            variant["status"] = "failed" if variant["strategy"] == "atr_d_l" else "finished"
        edit(folder, variants=variants)

    page = changed(gone)
    assert "atr_d_l is not finished (status: failed)" in page.html
    row = page.table("Combinations given")[1]
    assert row[1] == "58,060,800", "as the main run declared"
    assert "The median combination of atr_d_l was not recorded" in page.text("findings")
    assert ("a", "variants/atr_d_l/report.html") not in [(t, a.get("href")) for t, a in page.tags]


def test_manifests_without_whole_grid_numbers(changed: Callable[..., Page]) -> None:
    def older(folder: Path) -> None:
        for strategy in ORDER:
            edit(place(folder, strategy), whole_grid=None)

    page = changed(older)
    rows = page.table("Combinations given")
    assert next(r for r in rows if r[0] == "Share with a profit")[1:] == ["—"] * 4


def test_no_vault(tmp_path: Path) -> None:
    recipe = Recipe(strategy="atr_d_ls", candidates=2000, finalists=2, vault=False)
    folder = write_family(tmp_path / "open", recipe, {"atr_d_l": {}})
    page = Page(write_comparison(folder).read_text(encoding="utf-8"))
    assert "This run has no vault" in page.text("charts")
    assert "there are no unseen data" in page.text("reading")
    assert "same vault" not in page.html


def test_a_run_without_variants_is_refused(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "alone", Recipe(candidates=0, plateaus=0, years=8.0))
    for use in (write_comparison, comparison_rows):
        with pytest.raises(RunError, match="has no variants to compare"):
            use(folder)
    assert not (folder / "comparison.html").exists()


@pytest.mark.parametrize("outside", ["../elsewhere", "/etc"])
def test_a_variant_outside_the_run_is_refused(
    family_folder: Path, tmp_path: Path, outside: str
) -> None:
    shutil.copy(family_folder / "manifest.json", tmp_path / "manifest.json")
    edit(tmp_path, variants=[{"strategy": "atr_d_l", "folder": outside}])
    with pytest.raises(RunError, match="lies outside the run"):
        comparison_rows(tmp_path)


def test_a_damaged_variant_is_refused(family_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "family"
    shutil.copytree(family_folder, folder)
    (place(folder, "atr_d_l") / "manifest.json").write_text("{")
    with pytest.raises(RunError, match=r"manifest\.json is damaged"):
        write_comparison(folder)


# One file, no network, links inside the run


def test_nothing_is_fetched(comparison: Page) -> None:
    check_alone(comparison)


def test_links_lead_to_files_of_the_run_and_back(family_folder: Path, comparison: Page) -> None:
    def links(folder: Path, page: Page) -> set[Path]:
        hrefs = [str(a["href"]) for tag, a in page.tags if tag == "a"]
        return {(folder / unquote(h)).resolve() for h in hrefs if not h.startswith("#")}

    reports = {place(family_folder, s).resolve() / "report.html" for s in ORDER}
    assert links(family_folder, comparison) == reports
    for strategy in ORDER:
        folder = place(family_folder, strategy)
        page = Page((folder / "report.html").read_text(encoding="utf-8"))
        assert links(folder, page) == {family_folder.resolve() / "comparison.html"}


def test_main_report_counts_its_variants(family_folder: Path) -> None:
    page = (family_folder / "report.html").read_text(encoding="utf-8")
    assert f"Compare with {len(SIMPLER)} simpler variants" in page


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>_l", '" onload="x_l', "a b&c_l", "<a href='x'>y</a>_l"]
)
def test_hostile_names_are_text(changed: Callable[..., Page], name: str) -> None:
    def rename(folder: Path) -> None:
        variants = read(folder / "manifest.json")["variants"]
        variants[-1]["strategy"] = name
        data = read(folder / "manifest.json")["data"] | {"name": name}
        edit(folder, variants=variants, data=data, strategy=f"{name}s")

    page = changed(rename)
    assert [tag for tag, _ in page.tags].count("script") == 3
    assert not [a for _, a in page.tags if {"onload", "onerror"} & set(a)]
    assert name in page.text("table")
    labels = page.charts["figures"]["outcomes"]["layout"]["annotations"]
    bare = [label["text"].replace("<b>", "").replace("</b>", "") for label in labels]
    assert not [text for text in bare if "<" in text]


def test_the_same_folder_gives_the_same_page(family_folder: Path) -> None:
    first = (family_folder / "comparison.html").read_bytes()
    assert write_comparison(family_folder).read_bytes() == first
    assert len(first) < 6e6
