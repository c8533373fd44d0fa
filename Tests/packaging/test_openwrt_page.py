# SPDX-License-Identifier: MIT
"""docs/openwrt.md says what the packages are: their sizes, the actions of their services, and what they complain with."""

import re

from guest import ROOT

PAGE = (ROOT / "docs/openwrt.md").read_text()
FEED = ROOT / "openwrt-feed"
#: Of procd's rc.common, for every service.
ACTIONS = {"start", "stop", "restart", "reload", "enable", "disable", "enabled"}


def test_sizes(packages):
    """Within three in a hundred: a commit need not touch the page for a few bytes."""
    rows = dict(re.findall(r"^\| `(\S+)` \| (\d+) \|", PAGE, re.MULTILINE))
    assert set(rows) == {"ktrxer-agent", "kmod-ktrxer", "libktrxer"}
    for name, size in rows.items():
        (path,) = packages.glob(f"{name}_*.ipk")
        assert abs(path.stat().st_size - int(size)) <= path.stat().st_size * 0.03, f"{name} has {path.stat().st_size} bytes"


def test_actions():
    """What the page has services do, they can."""
    found = set(re.findall(r"/etc/init\.d/(ktrxer\S*) (\w+)", PAGE))
    assert len(found) >= 5
    for service, action in found:
        (script,) = FEED.glob(f"*/files/{service}.init")
        extra = re.search(r'^EXTRA_COMMANDS="(.*)"', script.read_text(), re.MULTILINE)[1].split()
        assert action in ACTIONS | set(extra), f"{service} has no {action}"


def test_complaints():
    """The messages of the table are said: by the scripts, the agent, or opkg (which the test bed's stands in for)."""
    sources = [*FEED.rglob("files/*"), *(ROOT / "Sources/ktrxer-agent").rglob("*.swift"), ROOT / "Tests/packaging/device/sbin/opkg"]
    said = "\n".join(path.read_text() for path in sources if path.is_file())
    messages = re.findall(r"^\| `([^`]+)` \|", PAGE.partition("## When something is wrong")[2].partition("##")[0], re.MULTILINE)
    assert len(messages) >= 6
    for message in messages:
        # Between the words of which each case has its own, and which the kernel says.
        for part in re.split(r"…|/var/run/ktrxer|kernel \(= |\)|No space left on device", message):
            assert part.strip() in said, message
