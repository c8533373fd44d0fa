# SPDX-License-Identifier: MIT
"""Captures packets in a bed with tcpdump and lets tshark judge them: the second opinion on every byte sent."""

import contextlib
import os
import subprocess

# What tshark only does when asked.
CHECKS = [
    "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
    # Each SYN of a flow is a probe of its own to us, and a retransmission to a TCP analysis.
    "-o", "tcp.analyze_sequence_numbers:FALSE",
    # A probe's payload is random; it must not be taken for whatever protocol it happens to look like.
    "-d", "udp.port==1-65535,data", "-d", "tcp.port==1-65535,data",
]
BAD = (
    "_ws.malformed || _ws.expert.severity >= 8388608 || ip.checksum.status == 0 || udp.checksum.status == 0 || "
    "tcp.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0"
)


def tshark(path, *arguments):
    ran = subprocess.run(
        ["tshark", "-n", "-r", path, *CHECKS, *arguments], capture_output=True, text=True,
        # As root it warns about itself, and writes into the home folder.
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C"},
    )
    assert ran.returncode == 0, f"tshark failed on {path}: {ran.stderr}"
    return ran.stdout


def fields(path, wanted, *names):
    """One tuple of field values for each packet that the display filter takes."""
    arguments = ["-Y", wanted, "-T", "fields", "-E", "separator=\t", "-E", "occurrence=f"]
    for name in names:
        arguments += ["-e", name]
    return [tuple(line.split("\t")) for line in tshark(path, *arguments).splitlines()]


def assert_wellformed(path, among="frame"):
    """No packet among these is malformed, has a wrong checksum, or is called an error."""
    bad = tshark(path, "-Y", f"({among}) && ({BAD})", "-V")
    assert not bad, f"{path}: tshark objects to\n{bad}"
    count = len(fields(path, among, "frame.number"))
    assert count, f"{path}: nothing captured of {among}"
    return count


@contextlib.contextmanager
def capture(bed, name, node="gw", interface="lan"):
    """Captures what passes an interface meanwhile; yields the host's path of the pcap file. By default at the home
    router's side of the LAN: frames that bypass the queueing discipline are not shown to captures where they leave."""
    bed.run(
        f"tcpdump -Z root -i {interface} -w {bed.inside}/{name}.pcap -U --immediate-mode "
        f"2> {bed.inside}/{name}.log & echo $! > {bed.inside}/{name}.pid; "
        # It listens when it says so.
        f"until grep -q listening {bed.inside}/{name}.log; do sleep 0.05; done",
        node=node,
    ).check()
    try:
        yield bed.folder / f"{name}.pcap"
    finally:
        bed.run(
            f"sleep 0.1; pid=$(cat {bed.inside}/{name}.pid); kill $pid; "
            "while kill -0 $pid 2>/dev/null; do sleep 0.05; done", node=node,
        )
