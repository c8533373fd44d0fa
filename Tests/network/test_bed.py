# SPDX-License-Identifier: MIT
"""The beds themselves, measured with programs that are not ours: what is judged by them rests on this."""

import re

from bed import HOP_RTT, HOPS4, HOPS6, SECOND, SERVER4, SERVER6, SERVER_RTT


def times_ms(text):
    return [float(value) for value in re.findall(r"bytes, ([\d.]+) ms", text)]


def scamper_hops(text):
    """[(address, ms)] of a scamper trace."""
    return [(m[1], float(m[2])) for m in re.finditer(r"^ *\d+  (\S+)  ([\d.]+) ms", text, re.M)]


def test_delay_is_exact(virtual):
    for target in SERVER4, SERVER6:
        virtual.run(f"fping -c1 -q {target}")
        seen = virtual.run(f"fping -c20 -p100 {target}").check()
        assert len(times_ms(seen.out)) == 20, seen
        assert set(times_ms(seen.out)) == {20.5}, seen


def test_every_hop_answers_at_its_time(virtual):
    for target, hops in (SERVER4, HOPS4), (SERVER6, HOPS6):
        for method in "icmp-paris", "udp-paris":
            seen = virtual.run(f"scamper -I 'trace -P {method} {target}'").check()
            found = scamper_hops(seen.out)
            assert [address for address, _ in found] == hops, seen
            for (_, ms), rtt in zip(found, HOP_RTT):
                assert abs(ms * 1e6 - rtt) < 5_000, seen


def test_no_limit_on_expired_packets(virtual):
    """A hundred probes that expire at each hop within a few ms are all answered."""
    seen = virtual.run(f"mtr --report --no-dns -c 100 -i 0.01 {SERVER4}").check()
    lines = re.findall(r"^ *\d+\.\|-- (\S+) +([\d.]+)% +(\d+)", seen.out, re.M)
    assert lines == [(hop, "0.0", "100") for hop in HOPS4], seen


def test_server(bed):
    for address in SERVER4, SERVER6:
        seen = bed.run(f"bash -c 'exec 3<>/dev/udp/{address}/7; echo hello >&3; timeout 2 head -n 1 <&3'")
        assert seen.out == "hello\n", seen
        for port, status in (80, 0), (81, 1):
            seen = bed.run(f"bash -c 'exec 3<>/dev/tcp/{address}/{port}'")
            assert seen.status == status, seen


def test_a_day_passes(virtual):
    seen = virtual.run("date +%s; sleep 86400; date +%s").check()
    before, after = map(int, seen.out.split())
    assert after - before == 86400


def test_plain(plain):
    for target, hops in (SERVER4, HOPS4), (SERVER6, HOPS6):
        seen = plain.run(f"fping -c3 -p20 {target}").check()
        assert len(times_ms(seen.out)) == 3, seen
        seen = plain.run(f"scamper -I 'trace -P icmp-paris {target}'").check()
        assert [address for address, _ in scamper_hops(seen.out)] == hops, seen
