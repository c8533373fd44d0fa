# SPDX-License-Identifier: MIT
"""make lint compiles the examples of the documentation; now that there is a library, they link with it as well."""

import subprocess

from bed import ROOT


def test_examples_link_with_the_library():
    check = [ROOT / "Tests/documentation/check.py", ROOT / "build/x86_64/libktrxer.a"]
    seen = subprocess.run(check, capture_output=True, text=True)
    assert seen.returncode == 0 and "examples link" in seen.stdout, seen.stdout + seen.stderr
