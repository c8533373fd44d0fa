# SPDX-License-Identifier: MIT
"""Measures everything that docs/evaluation.md shows, two guests at a time; then draws its plots and writes its tables.

    evaluate.py [all|quick] [--platform NAME]... [--experiment NAME]... [--into FOLDER]

`quick` covers each experiment with few sizes, on one device of each kind, and writes into build/evaluation, not into docs.
"""

import argparse
import concurrent.futures
import importlib
import pathlib
import sys
import time
import traceback

import page
import platforms
import plots
import results
from guest import ROOT

GUESTS = 2
#: Those that take longest come first, so that both guests end at about the same time.
EXPERIMENTS = {
    module.NAME: module
    for module in map(
        importlib.import_module, ("scheduling", "sending_rate", "sustained", "agent", "capture", "timestamps")
    )
}  # fmt: skip


def jobs(quick, only_platforms, only_experiments):
    """[(experiment, platform)]. An experiment may have a say in which platforms it is for."""
    chosen = []
    for experiment in EXPERIMENTS.values():
        names = platforms.QUICK if quick else list(platforms.PLATFORMS)
        if hasattr(experiment, "applies_to"):
            names = experiment.applies_to(names, quick)
        chosen += [(experiment, platforms.PLATFORMS[name]) for name in only_platforms or names]
    return [(experiment, platform) for experiment, platform in chosen if not only_experiments or experiment.NAME in only_experiments]


def _measure(experiment, platform, quick, into):
    begin = time.monotonic()
    rows = experiment.measure(platform, quick)
    path = results.write(into / "data", experiment.NAME, platform, rows)
    return f"{path.name}: {len(rows)} rows, {time.monotonic() - begin:.0f} s"


def measure_all(quick, chosen, into):
    """Measures and writes; returns how many failed."""
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
        begun = {pool.submit(_measure, *job, quick, into): job for job in chosen}
        for ended in concurrent.futures.as_completed(begun):
            experiment, platform = begun[ended]
            try:
                print(f"evaluate: {ended.result()}", flush=True)
            except Exception:
                failed += 1
                print(f"evaluate: {experiment.NAME} on {platform.name} failed:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    return failed


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("what", choices=("all", "quick"), nargs="?", default="all")
    parser.add_argument("--platform", action="append", choices=platforms.PLATFORMS, default=[])
    parser.add_argument("--experiment", action="append", choices=EXPERIMENTS, default=[])
    parser.add_argument("--into", type=pathlib.Path)
    chosen = parser.parse_args()
    quick = chosen.what == "quick"
    into = chosen.into or (ROOT / "build" / "evaluation" if quick else results.DATA.parent)
    failed = measure_all(quick, jobs(quick, chosen.platform, chosen.experiment), into)
    if failed:
        sys.exit(f"evaluate: {failed} measurements failed")
    plots.draw(into)
    print(f"evaluate: {page.write(into)}")


if __name__ == "__main__":
    main()
