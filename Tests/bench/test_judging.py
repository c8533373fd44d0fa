# SPDX-License-Identifier: MIT
"""What judges the evaluation: goals and their worst case, the comparison of two runs, the page, and plots that are the same twice."""

import struct

import pytest

import by_function
import check
import from_capture
import goals
import page
import plots
import results
from guest import BedFailure

GOALS = {goal.name: goal for goal in goals.GOALS}


def train(method, ns, payload=28, cross=0):
    return {"method": method, "payload": payload, "cross_pps": cross, "runs_ns": [ns], "median_ns": ns, "wire_median_ns": 0}


def kept(method, median, cross=0, **others):
    row = {"method": method, "count": 10, "gap_ns": 10_000_000, "length": 100, "cross_pps": cross, "median_ns": median, "iqr_ns": 5,
           "p90_ns": 9, "p99_ns": 9, "p999_ns": 9, "lost": 0, "carried_pps": cross}  # fmt: skip
    return row | others


def test_the_worst_payload_counts():
    rows = [train("ktrxer", 10), train("udp", 80), train("ktrxer", 10, 1428), train("udp", 40, 1428)]
    assert GOALS["burst-udp"].worst(rows) == (4, "1428 B")
    assert not GOALS["burst-udp"].met(4, 5) and GOALS["burst-udp"].met(5, 5)


def test_the_best_packet_socket_counts():
    rows = [train("ktrxer", 10), train("packet", 90), train("packet-bypass", 70), train("packet-ring", 30)]
    assert GOALS["burst-packet"].worst(rows) == (3, "28 B")


def test_the_driver_is_a_bound_from_below():
    assert GOALS["burst-driver"].worst([train("ktrxer", 12), train("driver", 10)]) == (1.2, "28 B")
    assert not GOALS["burst-driver"].met(1.2, 1.1)


def test_a_lead_that_shrinks_beside_cross_traffic_is_seen():
    rows = [train("ktrxer", 10), train("udp", 80), train("ktrxer", 20, cross=36_000), train("udp", 120, cross=36_000)]
    assert GOALS["burst-cross"].worst(rows) == (0.75, "udp, 36000 pps")


def test_idle_and_loaded_schedules_are_told_apart():
    rows = [kept("ktrxer", 900), kept("ktrxer", 1900, 12_000), kept("nanosleep-udp", 9_500, 12_000)]
    assert GOALS["schedule-median"].worst(rows)[0] == 900
    assert GOALS["cross-median"].worst(rows)[0] == 1900
    assert GOALS["cross-user"].worst(rows)[0] == 0.2


def test_a_lost_frame_is_a_failure():
    rows = [kept("ktrxer", 1, lost=1), kept("nanosleep-udp", 1, lost=5)]
    data = {("scheduling", "pc-e1000"): {"rows": rows}}
    assert any("frames lost" in line and "1 frames" in line for line in check.failures(data))
    rows[0]["lost"] = 0
    assert not any("frames lost" in line for line in check.failures(data))


def test_a_shortfall_is_held_to_its_own_bound(monkeypatch):
    data = {("timestamps", "pc-e1000"): {"rows": [{"length": 28, "count": 9, "missing": 0, "median_ns": 0, "most_ns": 7}]}}
    assert len(list(check.failures(data))) == 1
    monkeypatch.setitem(goals.SHORTFALLS, ("timestamps", "pc-e1000"), (8, "a reason"))
    assert not list(check.failures(data))
    assert [verdict.reached for verdict in goals.verdicts(data)] == [False, True]
    data["timestamps", "pc-e1000"]["rows"][0]["most_ns"] = 9
    assert len(list(check.failures(data))) == 1


def test_folders_that_differ(tmp_path):
    for name, text in (("one", "same"), ("other", "same")):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "a.json").write_text(text)
    one, other = tmp_path / "one", tmp_path / "other"
    assert check.differences(one, other) == []
    (other / "data" / "a.json").write_text("Same")
    assert check.differences(one, other) == ["data/a.json"]
    (one / "b.svg").write_text("")
    assert check.differences(one, other) == ["b.svg", "data/a.json"]
    for folder in one, other:
        (folder / "c.svg").write_text(folder.name)
    assert check.differences(one, other) == ["b.svg", "c.svg", "data/a.json"]


def test_instructions_are_counted_by_function(tmp_path):
    """Those before the first function are the program's; a function is entered at its first instruction."""
    log = tmp_path / "log"
    log.write_text("".join(f"Trace 0: 0x7f00 [00000000/{pc:08x}/00000110/ff000201] \n" for pc in (0x10, 0x100, 0x104, 0x200, 0x104)) + "odd\n")
    addresses, names = by_function._symbols("00000200 t second\t[ktrxer]\n00000100 T first\n")
    spent, entered = by_function.counted(log, addresses, names)
    assert spent == {"the program": 1, "first": 3, "second [ktrxer]": 1}
    assert +entered == {"first": 1, "second [ktrxer]": 1}


def test_memory_is_compared_job_by_job():
    rows = [{"tool": tool, "job": job, "most_kb": kilobytes} for tool, job, kilobytes in (
        ("ktrxer-agent, kernel", "ping", 300), ("ktrxer-agent, packet", "ping", 200), ("ktrxer-agent, kernel", "waiting", 100),
        ("scamper", "ping", 600), ("scamper", "waiting", 400))]  # fmt: skip
    assert GOALS["agent-memory"].worst(rows) == (0.5, "scamper, ping")


def test_every_shortfall_is_of_a_goal_and_a_platform():
    for name, platform in goals.SHORTFALLS:
        assert name in GOALS and platform in page.platforms.PLATFORMS


def test_the_page_has_a_place_for_each_table_and_keeps_its_text():
    text = page.PAGE.read_text()
    written = dict.fromkeys(page.tables(results.read(results.DATA)), "| new |\n")
    once = page.filled(text, written)
    assert page.filled(once, written) == once
    assert page.MARKED.sub("", once) == page.MARKED.sub("", text)
    with pytest.raises(BedFailure, match="no place for: another"):
        page.filled(text, written | {"another": ""})


def test_plots_are_the_same_twice(tmp_path):
    rows = [train("ktrxer", 10), train("udp", 80), train("ktrxer", 10, 1428), train("udp", 40, 1428)]
    drawn = []
    for name in ("one", "other"):
        plots.sending_rate(page.platforms.PLATFORMS["pc-e1000"], rows, tmp_path / name / "plot.svg")
        drawn.append((tmp_path / name / "plot.svg").read_bytes())
    assert drawn[0] == drawn[1] and b"UDP socket" in drawn[0]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("magic, part", [(0xA1B2C3D4, 1), (0xA1B23C4D, 1000)])
def test_captures_of_real_hardware(order, magic, part):
    frame = bytes(12) + b"\x08\x00\x45" + bytes(8) + b"\x11" + bytes(10) + b"\x80\x00\x07\xd0" + bytes(4)
    frame = frame.ljust(42, b"\0")
    records = [(1, 0), (1, 10_001), (1, 19_999), (1, 30_000)]
    capture = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    for seconds, us in records:
        capture += struct.pack(f"{order}IIII", seconds, us * part, len(frame), len(frame)) + frame
    found = from_capture.trains(capture)
    assert found == {2000: [seconds * 10**9 + us * 1000 for seconds, us in records]}
    said = from_capture.line(2000, found[2000], 10_000_000)
    assert said == "port 2000: 4 frames in 30000000 ns; off 10000000 ns: median 1000, quartiles 500 apart, 99th percentile 2000"


@pytest.mark.parametrize("content", [b"", b"\xd4\xc3\xb2\xa1", b"no capture, but long enough to be one"])
def test_what_is_no_capture(content):
    with pytest.raises(ValueError, match="no pcap file"):
        from_capture.trains(content)


def test_what_is_shown_holds_and_is_explained():
    data = results.read(results.DATA)
    assert len(data) > 50 and not list(check.failures(data))
    assert not [verdict for verdict in goals.verdicts(data) if not verdict.reached and not verdict.reason]
