# SPDX-License-Identifier: MIT
"""Makes the quick evaluation twice, fails unless they are the same to the byte, and holds what was measured to
goals.py.

    check.py [FOLDER]

With a folder nothing is measured: what is there is held to the goals.
"""

import filecmp
import pathlib
import shutil
import subprocess
import sys

import goals
import platforms
import results
from guest import ROOT

FOLDER = ROOT / "build" / "evaluation-check"


def differences(one, other):
    """Files that are not the same in both folders, or only in one of them."""
    names = {str(path.relative_to(folder)) for folder in (one, other) for path in folder.rglob("*") if path.is_file()}
    _, different, missing = filecmp.cmpfiles(one, other, sorted(names), shallow=False)
    return sorted([*different, *missing])


def _measured_twice():
    shutil.rmtree(FOLDER, ignore_errors=True)
    runs = [FOLDER / name for name in ("first", "second")]
    for run in runs:
        subprocess.run([sys.executable, platforms.BENCH / "evaluate.py", "quick", "--into", run], check=True)
    return runs


def failures(data):
    """What is worse than it may be, as lines; and what is no shortfall any more."""
    for verdict in goals.verdicts(data):
        asked = f"{verdict.goal.text}, {verdict.platform}: {verdict.value:.3g} {verdict.goal.unit} ({verdict.where})"
        if not verdict.held:
            yield f"{asked}, must be at {'least' if verdict.goal.least else 'most'} {verdict.bound:g}"


def main():
    if len(sys.argv) > 1:
        first = pathlib.Path(sys.argv[1])
        if not (first / "data").is_dir():
            sys.exit(f"check: {first} has no folder data; give one that evaluate.py has written --into")
    else:
        first, second = _measured_twice()
        if found := differences(first, second):
            sys.exit(f"check: two runs are not the same: {' '.join(found)}; they are in {FOLDER}")
    data = results.read(first / "data")
    experiments = {experiment for experiment, _ in data}
    if missing := {goal.experiment for goal in goals.GOALS} - experiments:
        sys.exit(f"check: nothing was measured of: {' '.join(sorted(missing))}")
    found = list(failures(data))
    for line in found:
        print(f"check: {line}", file=sys.stderr)
    if found:
        sys.exit(1)
    print(f"check: {len(goals.verdicts(data))} figures of {len(data)} measurements hold")


if __name__ == "__main__":
    main()
