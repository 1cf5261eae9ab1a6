"""Invented run folders, and their pages read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from page_reader import Page
from synthetic_run import FAMILY, SIMPLER, Recipe, write_family, write_run
from synthetic_walk import WalkRecipe, write_walk

from meseta.report import write_comparison, write_report, write_walkforward_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with its report; tests must not change it."""
    folder = write_run(tmp_path_factory.mktemp("runs") / "synthetic", Recipe())
    write_report(folder)
    return folder


@pytest.fixture(scope="session")
def page(run_folder: Path) -> Page:
    """The report of `run_folder`."""
    return Page((run_folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[..., Page]:
    """A page of a run of this recipe; `change` may alter the folder before it is written."""

    def make(change: Callable[[Path], object] | None = None, **recipe: Any) -> Page:
        small = {"candidates": 4000, "finalists": 4, "years": 8.0}
        folder = write_run(tmp_path / "synthetic", Recipe(**(small | recipe)))
        if change is not None:
            change(folder)
        return Page(write_report(folder).read_text(encoding="utf-8"))

    return make


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with three simpler variants and its pages; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "family"
    write_family(folder, FAMILY, SIMPLER)
    for variant in SIMPLER:
        write_report(folder / "variants" / variant)
    write_report(folder)
    write_comparison(folder)
    return folder


@pytest.fixture(scope="session")
def comparison(family_folder: Path) -> Page:
    """The comparison of `family_folder`."""
    return Page((family_folder / "comparison.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def walk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole walk-forward with its page; tests must not change it."""
    folder = write_walk(tmp_path_factory.mktemp("runs") / "walk", WalkRecipe(flat=(3, 9)))
    write_walkforward_report(folder)
    return folder


@pytest.fixture(scope="session")
def walk_page(walk_folder: Path) -> Page:
    """The page of `walk_folder`."""
    return Page((walk_folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def make_walk(tmp_path: Path) -> Callable[..., tuple[Page, Path]]:
    """The page and folder of a walk-forward of this recipe; `change` may alter the folder."""

    def make(change: Callable[[Path], object] | None = None, **recipe: Any) -> tuple[Page, Path]:
        folder = write_walk(tmp_path / "walk", WalkRecipe(**({"windows": 8} | recipe)))
        if change is not None:
            change(folder)
        return Page(write_walkforward_report(folder).read_text(encoding="utf-8")), folder

    return make
