# SPDX-License-Identifier: MIT
"""Whoever reads what the agent writes may be slow, or gone, or never have been there; and other files stay as they are."""

import json

import pytest

from bed import SERVER4
from records import lost_records

ROUTER = "192.168.1.1"
BUSY = f"config job busy\noption kind ping\noption count 100\noption gap 5ms\nlist target {ROUTER}\noption interval 1s\n"
CLOCK = "clock() { cut -d' ' -f1 /proc/uptime; }; "


def configure(bed, name, output, jobs, *options):
    lines = "".join(f"option {option}\n" for option in (f"output {output}", "max_pps 5000", *options))
    return bed.write(f"{name}.conf", f"config agent\n{lines}{jobs}")


def echoes(bed):
    """How many echo requests have arrived at the router."""
    names, values = (line.split() for line in bed.run("grep '^Icmp:' /proc/net/snmp", node="gw").check().out.splitlines())
    return int(values[names.index("InEchos")])


def test_stalled_reader(virtual):
    """Of the standard output of `run`: probing goes on, what is lost is said, and SIGTERM ends it."""
    conf = configure(virtual, "stalled", "-", BUSY)
    virtual.run(
        f"""
        mkfifo /tmp/stalled; sleep 10000 < /tmp/stalled & echo $! > /tmp/stalled.reader
        ktrxer-agent run -f {conf} > /tmp/stalled 2> /tmp/stalled.said & echo $! > /tmp/stalled.pid
        sleep 15
        """
    ).check()
    before = echoes(virtual)
    virtual.run("sleep 10").check()
    assert 900 <= echoes(virtual) - before <= 1100
    seen = virtual.run(
        CLOCK + "read pid < /tmp/stalled.pid; clock; kill -TERM $pid; while [ -d /proc/$pid ]; do sleep 0.1; done; clock; "
        "cat /tmp/stalled.said; kill $(cat /tmp/stalled.reader)"
    ).check()
    began, ended, *said = seen.out.splitlines()
    assert float(ended) - float(began) < 3 and "records are lost" in said[0], seen


def test_reader_that_comes_back(virtual):
    """After it has read again records are whole, and say how many are missing."""
    conf = configure(virtual, "back", "-", BUSY)
    seen = virtual.run(
        f"""
        mkfifo /tmp/back; ( sleep 15; cat ) < /tmp/back > /tmp/back.read & reader=$!
        ktrxer-agent run -f {conf} > /tmp/back 2> /dev/null & pid=$!
        sleep 20; kill -TERM $pid; wait $pid; echo "status $?"; wait $reader; cat /tmp/back.read
        """
    ).check()
    status, *lines = seen.out.splitlines()
    assert status == "status 0", seen.out[:200]
    torn = [line for line in lines if not line.endswith("}")]
    whole = [json.loads(line) for line in lines if line not in torn]
    assert len(torn) <= 1, torn
    lost = sum(record["count"] for record in whole if record["kind"] == "lost_records")
    pings = [record for record in whole if record["kind"] == "ping"]
    assert lost >= 5 and 18 <= len(pings) + lost <= 21, (lost, len(pings))


@pytest.mark.parametrize("options", ["", "--json"])
def test_reader_that_goes(virtual, options):
    """Nobody reads a ping any more: it ends with its next line, or record."""
    count = 3 if options else 1000
    seen = virtual.run(
        CLOCK + f"clock; (ktrxer-agent ping {options} -c {count} -i 100ms {ROUTER} {ROUTER} {ROUTER}; echo $? > /tmp/went) | head -n 1; clock; "
        "cat /tmp/went"
    ).check()
    began, _, ended, status = seen.out.splitlines()
    assert float(ended) - float(began) < 2 and status == "74", seen


def test_terminal_that_goes(virtual):
    """SIGHUP ends a ping with its report, and run --once with its record; only `run` reads its file again."""
    conf = configure(virtual, "hang-up", "/tmp/hang-up.jsonl", BUSY.replace("count 100", "count 10000"))
    seen = virtual.run(
        CLOCK + f"""
        ktrxer-agent ping -c 1000 -i 100ms {ROUTER} > /tmp/hang-up & one=$!
        ktrxer-agent run --once -f {conf} > /dev/null & two=$!
        sleep 1; clock; kill -HUP $one $two; wait $one; wait $two; clock; grep transmitted /tmp/hang-up; cat /tmp/hang-up.jsonl
        """
    ).check()
    began, ended, counts, record = seen.out.splitlines()
    assert float(ended) - float(began) < 1, seen
    assert "packets transmitted" in counts and json.loads(record)["error"]["id"] == "cancelled", seen


def test_pager(virtual):
    """A reader of a ping who takes his time gets all of it."""
    seen = virtual.run(f"ktrxer-agent ping --json -c 2000 -i 1ms --max-pps 5000 {SERVER4} | (sleep 60; cat)").check()
    (record,) = seen.json()
    assert len(seen.out) > 200_000 and len(record["probes"]) == 2000, len(seen.out)


def test_closed_descriptors(virtual):
    """Started without standard input, output and error: nothing meant for them ends in another file."""
    jobs = BUSY.replace("count 100", "count 3") + BUSY.replace("busy", "nowhere").replace(ROUTER, "no-such-name.invalid")
    conf = configure(virtual, "closed", "/tmp/closed/results.jsonl", jobs)
    seen = virtual.run(
        f"ktrxer-agent run --once -f {conf} <&- >&- 2>&-; stat -c %s /tmp/closed/.results.jsonl.lock; cat /tmp/closed/results.jsonl"
    ).check()
    size, *lines = seen.out.splitlines()
    assert size == "0" and sorted(json.loads(line)["job"] for line in lines) == ["busy", "nowhere"], seen


def test_state_spares_other_files(virtual):
    conf = configure(virtual, "spare", "/tmp/spare.jsonl", BUSY, "state /tmp/precious")
    seen = virtual.run(f"echo 'my notes' > /tmp/precious; ktrxer-agent run --due -f {conf}; echo $?; cat /tmp/precious")
    assert seen.out == "73\nmy notes\n" and "that is no state file, and stays as it is" in seen.err, seen
    seen = virtual.run(f": > /tmp/precious; ktrxer-agent run --due -f {conf}; echo $?; head -n 1 /tmp/precious")
    assert seen.out.startswith("0\nktrxer-state 1 "), seen


def test_reload_remembers_losses(virtual):
    """Another size of the log takes effect while its disk is full: what was lost until then is still said."""
    def conf(size):
        return configure(virtual, "losses", "/tmp/losses/results.jsonl", BUSY.replace("count 100", "count 1"), f"max_size {size}")

    path = conf("64m")
    virtual.run(
        f"""
        mkdir -p /tmp/losses; mount -t tmpfs -o size=64k tmpfs /tmp/losses
        dd if=/dev/zero of=/tmp/losses/ballast bs=4k count=14 2> /dev/null
        ktrxer-agent run -f {path} 2> /dev/null & echo $! > /tmp/losses.pid
        sleep 30
        """
    ).check()
    conf("32m")
    seen = virtual.run(
        """
        read pid < /tmp/losses.pid; kill -HUP $pid; sleep 2; rm /tmp/losses/ballast; sleep 10
        kill -TERM $pid; while [ -d /proc/$pid ]; do sleep 0.1; done; cat /tmp/losses/results.jsonl; umount /tmp/losses
        """
    ).check()
    assert 15 <= lost_records(seen.out) <= 32, seen
