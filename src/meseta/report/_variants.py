"""The variants of a run: where they are, what each has that another has not, and what it made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from meseta.errors import RunError
from meseta.report._run import Manifest, read_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from meseta.report._run import Plateau, Run, VariantEntry

__all__ = [
    "COMPARISON",
    "VARIANTS",
    "Addition",
    "Variant",
    "VariantRow",
    "additions",
    "differences",
    "read_variants",
    "unlike_grids",
]

COMPARISON = "comparison.html"
VARIANTS = "variants"

_ADDITIONS = {"s": "Shorts", "duals": "Second symbol", "hma": "Hull gate"}

_SHARED: dict[str, Callable[[Manifest], Any]] = {
    "bars": lambda manifest: (manifest.data.rows, manifest.data.first, manifest.data.last),
    "phases": lambda manifest: [(p.start, p.split, p.end) for p in manifest.phases],
    "vault": lambda manifest: manifest.vault and (manifest.vault.first, manifest.vault.last),
    "account": lambda manifest: manifest.account,
    "gates": lambda manifest: manifest.gates,
}


@dataclass(frozen=True, slots=True)
class VariantRow:
    """What one variant of a strategy was given and what came of it.

    Validation profit is out-of-sample profit summed over the phases; the selection reads it.
    None where the variant has no such number, for example because no plateau was found.

    Attributes
    ----------
    strategy
        Name of the variant.
    combinations
        How many combinations were searched.
    sampled
        The same number where they are a sample of a larger grid, else None.
    candidates
        How many combinations were kept as candidates.
    plateau_stability
        Mean stability of the candidates of the best plateau.
    plateau_oos_median
        Median validation profit of all combinations in the best plateau, money.
    median_all
        Median validation profit of all combinations searched, money.
    share_profitable
        Share of all combinations searched with a validation profit above 0.
    best_oos, best_drawdown
        Validation profit of the best plateau's centre, and its largest validation drawdown in
        any phase, money.
    vault_profit, vault_drawdown
        The same combination in the vault, money.
    """

    strategy: str
    combinations: int | None
    sampled: int | None
    candidates: int | None
    plateau_stability: float | None
    plateau_oos_median: float | None
    median_all: float | None
    share_profitable: float | None
    best_oos: float | None
    best_drawdown: float | None
    vault_profit: float | None
    vault_drawdown: float | None


@dataclass(frozen=True)
class Variant:
    """One variant of a run.

    Attributes
    ----------
    strategy
        Its name.
    folder
        Relative to the main run's folder, "." for the main strategy.
    status
        As recorded: "finished", or why there is less to show.
    declared
        How many combinations the main run says it has.
    run
        Its run folder; None when it has none.
    """

    strategy: str
    folder: str
    status: str
    declared: int | None
    run: Run | None

    @cached_property
    def manifest(self) -> Manifest:
        """Its manifest, empty when it has none."""
        return Manifest(strategy=self.strategy) if self.run is None else self.run.manifest

    @cached_property
    def plateau(self) -> Plateau | None:
        """Its best plateau."""
        return None if self.run is None else self.run.best

    @cached_property
    def row(self) -> VariantRow:
        """Its numbers."""
        manifest, plateau = self.manifest, self.plateau
        searched, whole = manifest.searched, manifest.whole_grid
        searched = self.declared if searched is None else searched
        best, drawdown = self._validation
        return VariantRow(
            strategy=self.strategy,
            combinations=searched,
            sampled=None if manifest.grid.sampled is None else searched,
            candidates=manifest.funnel.candidates,
            plateau_stability=None if plateau is None else plateau.worth,
            plateau_oos_median=None if plateau is None else plateau.median_oos_pnl,
            median_all=None if whole is None else whole.median_oos,
            share_profitable=None if whole is None else whole.profitable,
            best_oos=best,
            best_drawdown=drawdown,
            vault_profit=_number(self.centre.get("vault_net_profit")),
            vault_drawdown=_number(self.centre.get("vault_max_drawdown")),
        )

    @cached_property
    def centre(self) -> dict[str, Any]:
        """The best plateau's centre among the finalists; empty when there is none."""
        if self.run is None or self.plateau is None:
            return {}
        return self.run.centre(self.plateau) or {}

    @cached_property
    def _validation(self) -> tuple[float | None, float | None]:
        """Profit summed over the phases and largest drawdown of the best plateau's centre."""
        if self.run is None or self.plateau is None or self.plateau.centre.flat is None:
            return None, None
        found = self.run.candidates([self.plateau.centre.flat])
        if found is None:
            return None, None
        row = found.row(0, named=True)
        return _number(row.get("oos_pnl")), _number(row.get("oos_maxdd"))


@dataclass(frozen=True, slots=True)
class Addition:
    """Two variants that differ by one addition."""

    name: str
    with_: Variant
    without: Variant


def read_variants(folder: Path) -> list[Variant]:
    """Read the main strategy and its simpler variants, simplest first.

    Parameters
    ----------
    folder
        The main strategy's run folder.

    Raises
    ------
    RunError
        The folder holds no run, the run has no variants, a file is damaged, or a variant is
        said to lie outside the folder.
    """
    main = read_run(folder)
    if not main.manifest.variants:
        raise RunError(
            f"{folder} has no variants to compare; run a strategy that has simpler ones, "
            "without --no-expand"
        )
    whole = Variant(main.manifest.strategy, ".", main.manifest.status, None, main)
    others = [_variant(folder, entry) for entry in main.manifest.variants]
    found = {each.strategy: each for each in [*others, whole]}
    return sorted(found.values(), key=lambda each: (len(_parts(each.strategy)), each.strategy))


def additions(variants: list[Variant]) -> list[Addition]:
    """List the pairs of variants whose names differ by one part, by addition.

    "atr_d_ls" is "atr_d_l" with shorts, "x_hma_l" is "x_l" with the Hull gate; a part that is
    none of the family's is an addition of that name.
    """
    pairs = []
    for with_ in variants:
        for without in variants:
            more = _parts(with_.strategy) - _parts(without.strategy)
            if len(more) == 1 and _parts(without.strategy) < _parts(with_.strategy):
                part = next(iter(more))
                pairs.append(Addition(_ADDITIONS.get(part, part), with_, without))
    order = list(_ADDITIONS.values())
    return sorted(pairs, key=lambda p: order.index(p.name) if p.name in order else len(order))


def differences(variants: list[Variant]) -> list[str]:
    """Say what was not the same for all variants, without which no comparison is fair."""
    manifests = [each.manifest for each in variants if each.run is not None]
    return [
        name
        for name, read in _SHARED.items()
        if any(read(m) != read(manifests[0]) for m in manifests)
    ]


def unlike_grids(pair: Addition) -> list[str]:
    """List the parameters that both variants have, with other values in one than in the other."""
    one, other = (each.manifest.grid.values for each in (pair.with_, pair.without))
    return [name for name in one if name in other and one[name] != other[name]]


def _parts(strategy: str) -> frozenset[str]:
    """Split a name into its additions; "ls" is long and short, so "s" beside "l"."""
    parts = strategy.split("_")
    return frozenset(["l", "s", *parts[:-1]] if parts[-1] == "ls" else parts)


def _variant(folder: Path, entry: VariantEntry) -> Variant:
    path = (folder / entry.folder).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise RunError(
            f"{folder / 'manifest.json'} is damaged: the folder of variant {entry.strategy} "
            f"lies outside the run ({entry.folder}); run the search again"
        )
    run = read_run(path) if (path / "manifest.json").is_file() else None
    status = entry.status if run is None else run.manifest.status
    return Variant(entry.strategy, entry.folder, status, entry.combinations, run)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
