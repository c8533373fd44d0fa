#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a capture says of trains: from_capture.py FILE [GAP]. For real hardware, where a second machine's tcpdump has seen what the
methods sent: for each UDP port how many frames there were, the time from the first to the last, and, if the frames were to be GAP
ns apart, by how much they were not: median, distance of the quartiles and 99th percentile.

Reads pcap of either byte order, in microseconds or nanoseconds. Needs nothing but Python.
"""

import statistics
import struct
import sys

MAGIC = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}


def trains(capture):
    """{UDP destination port: [ns of each frame]}, of IPv4 without options."""
    for order in "<>":
        magic = struct.unpack_from(f"{order}I", capture)[0] if len(capture) >= 24 else 0
        if magic in MAGIC:
            break
    else:
        raise ValueError("no pcap file; tcpdump -w makes one, and editcap -F pcap makes it of others")
    seen, at = {}, 24
    while at + 16 <= len(capture):
        seconds, part, kept, _ = struct.unpack_from(f"{order}IIII", capture, at)
        frame = capture[at + 16 : at + 16 + kept]
        at += 16 + kept
        if len(frame) >= 42 and frame[12:14] == b"\x08\x00" and frame[23] == 17:
            seen.setdefault(int.from_bytes(frame[36:38], "big"), []).append(seconds * 10**9 + part * MAGIC[magic])
    return seen


def line(port, times, gap):
    said = f"port {port}: {len(times)} frames in {times[-1] - times[0]} ns"
    off = sorted(abs(later - earlier - gap) for earlier, later in zip(times, times[1:]))
    if gap and len(off) > 1:
        low, middle, high = statistics.quantiles(off, n=4, method="inclusive")
        said += f"; off {gap} ns: median {middle:.0f}, quartiles {high - low:.0f} apart, 99th percentile {off[-(-len(off) * 99 // 100) - 1]}"
    return said


def main():
    if len(sys.argv) not in (2, 3) or not all(gap.isdecimal() for gap in sys.argv[2:]):
        sys.exit("usage: from_capture.py FILE [GAP in ns]")
    try:
        with open(sys.argv[1], "rb") as file:
            found = trains(file.read())
    except (OSError, ValueError) as error:
        sys.exit(f"from_capture.py: {sys.argv[1]}: {error.strerror if isinstance(error, OSError) else error}")
    for port, times in sorted(found.items()):
        print(line(port, times, int(sys.argv[2]) if len(sys.argv) == 3 else 0))


if __name__ == "__main__":
    main()
