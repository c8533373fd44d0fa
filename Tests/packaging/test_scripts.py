# SPDX-License-Identifier: MIT
"""What runs on the device as a shell script is one that its shell takes, and that shellcheck finds nothing in."""

import subprocess

import ipk_reader
import pytest
from guest import ROOT

FEED = ROOT / "openwrt-feed"
FILES = [path for pattern in ("*/files/*.sh", "*/files/*.init", "*/files/*.hotplug", "*/test.sh") for path in sorted(FEED.glob(pattern))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(FEED)))
def test_feed(path):
    """dash is the closest that it knows to busybox's shell."""
    checked = subprocess.run(["shellcheck", "-x", "-s", "dash", path], capture_output=True, text=True, cwd=ROOT)
    assert checked.returncode == 0, checked.stdout
    assert subprocess.run(["busybox", "ash", "-n", path]).returncode == 0


def test_control_scripts(packages, tmp_path):
    count = 0
    for path in packages.glob("*.ipk"):
        for name, entry in ipk_reader.read(path.read_bytes()).scripts.items():
            script = tmp_path / name
            script.write_bytes(entry.content)
            # The lines that OpenWrt has in all packages are as they are there.
            checked = subprocess.run(["shellcheck", "-s", "sh", "-e", "SC1091,SC2086,SC2068", script], capture_output=True, text=True)
            assert checked.returncode == 0, checked.stdout
            assert subprocess.run(["busybox", "ash", "-n", script]).returncode == 0
            count += 1
    assert count >= 8
