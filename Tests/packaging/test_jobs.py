# SPDX-License-Identifier: MIT
"""The job file that the service makes of its configuration (jobs.awk), without a router: which jobs wait, and for what."""

import subprocess

from guest import ROOT

AWK = ROOT / "openwrt-feed/ktrxer-agent/files/jobs.awk"
ROUTES = "default via 192.0.2.1 dev lo\ndefault via 198.51.100.1 dev other\ndefault from 2001:db8::/56 via fe80::9 dev lo metric 5\n"


def made(configuration, folder, routes=ROUTES):
    """(the jobs, the lines about jobs that wait, the jobs at start that depend on the network)"""
    waiting, starts = folder / "waiting", folder / "starts"
    for path in waiting, starts:
        path.write_text("")
    done = subprocess.run(
        ["busybox", "awk", "-v", f"routes={routes}", "-v", f"waiting={waiting}", "-v", f"starts={starts}", "-f", AWK],
        input=configuration, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout, waiting.read_text().splitlines(), starts.read_text().split()


def job(name, *options, target="gateway"):
    return f"\nconfig job '{name}'\n\tlist target '{target}'\n" + "".join(f"\toption {line}\n" for line in options)


def test_next_hop(tmp_path):
    """The first route, the interface's, the family's; an address of a link with its interface."""
    text = job("a") + job("b", "interface 'lo'") + job("c", "family '6'")
    jobs, waiting, _ = made(text, tmp_path)
    assert jobs == text.replace("'gateway'", "'192.0.2.1'", 2).replace("'gateway'", "'fe80::9%lo'")
    assert waiting == []


def test_waiting(tmp_path):
    """For a route, for an interface; other jobs and disabled ones are left as they are."""
    text = job("a") + job("b", "interface 'none0'", target="x") + job("c", "enabled '0'", "interface 'none0'") + job("d", target="y")
    jobs, waiting, starts = made(text, tmp_path, routes="")
    assert waiting == ["a waits for a default route", "b waits for interface none0"] and starts == []
    assert jobs.count("option enabled '0'") == 3 and jobs.endswith("config job 'd'\n\tlist target 'y'\n")


def test_at_start(tmp_path):
    """Only those that depend on the network, and only when it is there."""
    text = job("a", "at 'start'") + job("b", "at 'start'", target="x") + job("c", "at 'start'", "interface 'none0'")
    assert made(text, tmp_path)[2] == ["a"]


def test_names_like_it(tmp_path):
    """A job, or a value, that is called so is no target."""
    text = "\nconfig job 'gateway'\n\toption output 'gateway'\n\tlist target 'gateway.example'\n\tlist target 'it'\\''s'\n"
    assert made(text, tmp_path)[0] == text
