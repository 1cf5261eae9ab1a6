"""A study of 100 trials of the hedge grid on six months of minutes, from the command to the page.

    uv run python benchmarks/study.py [folder with the bars and funding of BTCUSDT]

The minutes are those of `hedge_grid.py`: real 5-minute bars cut along their path. All 263,000 are
searched, and the page is written; with one worker, then with two, each in a fresh process and a
fresh folder. The hash is of every trial's parameters and figures: it must be the same.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from hedge_grid import BARS, CRYPTO, FUNDING, MINUTES, split
from meseta.bars import load, save

WORKERS = (1, 2)
TRIALS = 100


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else CRYPTO
    if not (folder / BARS).is_file():
        sys.exit(f"there is no {folder / BARS}; give the folder that holds it as the argument")
    bars = load(folder / BARS, timezone="UTC")
    with tempfile.TemporaryDirectory(prefix="meseta-study-") as made:
        save(
            split(bars.slice(len(bars) - MINUTES // 5, len(bars))), Path(made) / "minutes.parquet"
        )
        study(Path(made), folder, "warm", workers=1, trials=4)
        print(f"{TRIALS} trials on {MINUTES:,} bars of a minute, split from {bars.name}")
        print(f"{'':12}{'all, s':>10}{'study, s':>10}{'ratio':>8}   hash of the trials")
        first = 0.0
        for workers in WORKERS:
            name = f"{workers} worker{'s' if workers > 1 else ''}"
            whole, alone, digest = study(Path(made), folder, name, workers=workers, trials=TRIALS)
            first = first or whole
            print(f"{name:12}{whole:10.1f}{alone:10.1f}{whole / first:8.2f}   {digest}")


def study(
    made: Path, folder: Path, name: str, *, workers: int, trials: int
) -> tuple[float, float, str]:
    """Run the command; return its seconds, those of the trials alone, and a hash of them."""
    command = [
        sys.executable, "-m", "meseta", "optimize", "--strategy", "hedge_grid",
        "--bars", str(made / "minutes.parquet"), "--funding", str(folder / FUNDING),
        "--trials", str(trials), "--vault", "0", "--workers", str(workers),
        "--out", str(made), "--study-name", name,
    ]  # fmt: skip
    begin = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - begin
    # 2: no trial was feasible, which is a result too.
    if ran.returncode not in {0, 2}:
        sys.exit(ran.stderr)
    timings = json.loads((made / name / "manifest.json").read_text(encoding="utf-8"))["timings"]
    frame = pl.read_parquet(made / name / "trials.parquet").drop("duration", "started_at")
    return seconds, timings["study"], hashlib.sha256(frame.write_csv().encode()).hexdigest()[:12]


if __name__ == "__main__":
    main()
