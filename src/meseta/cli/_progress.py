"""How far a run is: a bar on a terminal, a line now and then in a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, Self

from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as Bars

from meseta.cli._console import count, duration

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.progress import TaskID

    from meseta.pipeline import Progress

__all__ = ["Display", "watch"]

_STAGES = {
    "fetch": "Fetching",
    "search": "Searching",
    "walk": "Walking forward",
    "study": "Optimising",
    "null": "Optimising markets without structure",
    "windows": "Optimising in windows",
    "exact": "Trading it again as one account",
    "score": "Scoring",
    "plateaus": "Finding plateaus",
    "finalists": "Running the finalists",
    "confirm": "Confirming by events",
    "report": "Writing the report",
    "comparison": "Comparing the variants",
}
# Stages that count combinations or trials.
_LONG = {"search", "walk", "study", "null", "windows"}
_LINE_SECONDS = 10.0
_LINE_SHARE = 0.1
_BRIEF_FROM = 10_000_000


class Display(Protocol):
    """Shows where a run is while its `with` block runs."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def __call__(self, at: Progress, /) -> None: ...


def watch(console: Console) -> Display:
    """Return a bar for a terminal and lines for anything else."""
    return _Bar(console) if console.is_terminal else _Lines(console)


class _Pace:
    """Speed of the present stage, from when its work began."""

    def __init__(self) -> None:
        self.stage = ("", "")
        self.since, self.base, self.ticks = 0.0, 0, 0

    def turn(self, at: Progress) -> bool:
        """Tell whether `at` begins a stage."""
        stage = (at.part, at.stage)
        new = stage != self.stage
        # A continued search first counts what it finds finished, and its first tile may wait for
        # kernels to be compiled; neither is its speed.
        self.ticks = 0 if new else self.ticks + 1
        if self.ticks <= (2 if at.stage in _LONG else 0):
            self.stage, self.since, self.base = stage, time.monotonic(), at.done
        return new

    def detail(self, at: Progress, *, brief: bool = False) -> str:
        """Say how much is done, how fast, and how long it will take."""
        if at.stage == "fetch":
            return _fetched(at)
        if at.total <= 1:
            return ""
        parts = [f"{count(at.done)} of {count(at.total)}"]
        if brief and at.total >= _BRIEF_FROM:
            parts = [f"{at.done / 1e6:.1f} of {at.total / 1e6:.1f} M"]
        elapsed, made = time.monotonic() - self.since, at.done - self.base
        if at.stage in _LONG and made and elapsed > 0.5:
            rate = made / elapsed
            parts += [_speed(rate), f"{duration((at.total - at.done) / rate)} left"]
        if at.facts.get("survivors") is not None:
            parts.append(f"{count(at.facts['survivors'])} survivors")
        if at.facts.get("feasible") is not None:
            parts.append(f"{count(at.facts['feasible'])} feasible")
        parts += [f"{at.facts[n]} {n}" for n in ("pruned", "failed") if at.facts.get(n)]
        if at.facts.get("best") is not None:
            parts.append(f"best {at.facts['best']:.4f}")
        if at.facts.get("overall") is not None:
            parts.append(f"{100 * at.facts['overall']:.0f} % of the project")
        return ", ".join(parts)


class _Bar:
    def __init__(self, console: Console) -> None:
        self.pace = _Pace()
        self.task: TaskID | None = None
        self.whole: TaskID | None = None
        self.part = ""
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.task is not None:
            self.bars.stop()

    def __call__(self, at: Progress) -> None:
        self.bars.start()
        if at.facts.get("overall") is not None:
            self.show_whole(at)
        # Without a total the bar shows that something is done, not how much.
        total = at.total or None
        if self.pace.turn(at) or self.task is None:
            self.task = self.bars.add_task(_label(at), total=total, detail="")
        detail = self.pace.detail(at, brief=True)
        self.bars.update(self.task, completed=at.done, total=total, detail=detail)

    def show_whole(self, at: Progress) -> None:
        """Show the share of a project above its present member; there may be hundreds."""
        if self.whole is None:
            self.whole = self.bars.add_task("Project", total=1.0, detail="")
        if at.part != self.part:
            for task in set(self.bars.task_ids) - {self.whole}:
                self.bars.remove_task(task)
        self.part = at.part
        self.bars.update(self.whole, completed=at.facts["overall"])


class _Lines:
    def __init__(self, console: Console) -> None:
        self.console, self.pace = console, _Pace()
        self.last_time, self.last_share = 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, at: Progress) -> None:
        begun, now = self.pace.turn(at), time.monotonic()
        share = at.done / at.total if at.total else 1.0
        due = now - self.last_time >= _LINE_SECONDS
        if at.stage in _LONG:
            due |= share - self.last_share >= _LINE_SHARE or share == 1 > self.last_share
        if begun or due or _is_word(at):
            self.last_time, self.last_share = now, share
            percent = "" if at.stage == "fetch" else f"{100 * share:.0f} %, "
            detail = f": {percent}{self.pace.detail(at)}"
            plain = begun and at.stage != "fetch"
            self.console.print(_label(at) + (" ..." if plain else detail), soft_wrap=True)


def _fetched(at: Progress) -> str:
    """Say what is being fetched, and how much of it there is."""
    what = str(at.facts.get("what", ""))
    if not at.done and not at.total:
        return what
    return f"{what} ({count(at.done)}{f' of {count(at.total)}' if at.total else ''})"


def _is_word(at: Progress) -> bool:
    """Tell whether it says something instead of counting, such as that a source is waited for."""
    return at.stage == "fetch" and not at.done and not at.total


def _speed(rate: float) -> str:
    if rate >= 1e6:
        return f"{rate / 1e6:.2f} M/s"
    return f"{count(round(rate))}/s" if rate >= 10 else f"{rate:.2g}/s"


def _label(at: Progress) -> str:
    stage = _STAGES.get(at.stage, at.stage)
    return f"{at.part}: {stage}" if at.part else stage
