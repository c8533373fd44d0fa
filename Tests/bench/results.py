# SPDX-License-Identifier: MIT
"""Results of the evaluation as files: DATA/EXPERIMENT-PLATFORM.json, whose bytes depend on nothing but what they say."""

import functools
import json
import pathlib
import subprocess

import sending
from guest import ROOT

DATA = ROOT / "docs" / "evaluation" / "data"


def _first_line(*command):
    return subprocess.check_output(command, text=True).splitlines()[0].strip()


@functools.cache
def _commit():
    """The commit that is measured; what the evaluation itself writes does not count as a change of it."""
    commit = _first_line("git", "-C", str(ROOT), "rev-parse", "HEAD")
    changed = subprocess.check_output(
        ["git", "-C", str(ROOT), "status", "--porcelain", "--", ".", ":!docs/evaluation", ":!docs/evaluation.md"], text=True
    )
    return commit + ("-dirty" if changed else "")


def made_with(platform):
    """What has a part in the numbers."""
    kernel = platform.debian
    return {
        "kernel": kernel.release,
        "qemu": _first_line(kernel.machine.program, "--version"),
        "compiler": _first_line(sending.COMPILERS[platform.architecture], "--version"),
        "commit": _commit(),
        "shift": platform.shift,
        "card": platform.model,
        "memory": platform.memory,
    }


def _checked(rows):
    for row in rows:
        for key, value in row.items():
            values = value if isinstance(value, list) else [value]
            if not all(isinstance(each, (int, str)) for each in values):
                raise TypeError(f"{key}: {value!r} is neither integer nor text")
    return rows


def write(folder, experiment, platform, rows):
    """Returns the path."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{experiment}-{platform.name}.json"
    content = {"experiment": experiment, "platform": platform.name, "made_with": made_with(platform)}
    # A row a line: changes can be read.
    lines = ",\n".join(f"  {json.dumps(row, sort_keys=True)}" for row in _checked(rows))
    head = json.dumps(content, sort_keys=True, indent=1)[:-2]
    path.write_text(f'{head},\n "rows": [\n{lines}\n ]\n}}\n')
    return path


def read(folder, experiment=None):
    """{(experiment, platform name): content} of all that are there, or of one experiment."""
    found = [json.loads(path.read_text()) for path in sorted(pathlib.Path(folder).glob("*.json"))]
    return {(each["experiment"], each["platform"]): each for each in found if experiment in (None, each["experiment"])}
