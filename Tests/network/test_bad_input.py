# SPDX-License-Identifier: MIT
"""What goes wrong around the agent ends in a clear message or a correct record: no crash, no hang, nothing lost. Forged
answers are in test_impairments.py; full disks, read-only folders and kills in test_durability.py."""

import collections
import random
import re
import subprocess

import pytest

from bed import AGENT, ROOT, SECOND, SERVER4
from records import records

ROUTER = "192.168.1.1"
TRANSPORTS = ["packet", "socket"]
both = pytest.mark.parametrize("transport", TRANSPORTS)


def job(name, target=ROUTER, *options):
    lines = "".join(f"option {option}\n" for option in ("kind ping", "count 1", *options))
    return f"config job '{name}'\n{lines}list target {target}\n"


def configure(bed, name, jobs, *options):
    """A job file; its records go to /tmp/NAME.jsonl of the guest."""
    lines = "".join(f"option {option}\n" for option in (f"output /tmp/{name}.jsonl", "max_size 256m", *options))
    return bed.write(f"{name}.conf", f"config agent\n{lines}{jobs}")


def one_record(seen):
    (record,) = seen.json()
    return records(seen.out)[0] if record else None


class TestTenThousandJobs:
    COUNT = 10_000

    @both
    def test_run(self, virtual, transport):
        """All due at once: the ceiling on packets and the number side by side decide how long it takes, and nothing else
        does; with few descriptors, and little memory."""
        name = f"many-{transport}"
        jobs = "".join(job(f"j{n}", ROUTER, f"transport {transport}", "timeout 200ms", "at start") for n in range(self.COUNT))
        conf = configure(virtual, name, jobs, "parallel 100", "max_pps 10000")
        virtual.run(f"fping -q -c1 {ROUTER}")
        seen = virtual.run(
            f"""
            rm -f /tmp/{name}.jsonl; ulimit -n 256
            ktrxer-agent run --once -f {conf} > /dev/null 2> /tmp/{name}.said & pid=$!
            began=$(cut -d' ' -f1 /proc/uptime)
            sleep 5; grep VmHWM /proc/$pid/status; ls /proc/$pid/fd | wc -l
            wait $pid; echo "status $?"
            echo "times $began $(cut -d' ' -f1 /proc/uptime)"
            cp /tmp/{name}.jsonl /tmp/{name}.said /bed; rm /tmp/{name}.jsonl
            """,
            timeout=240,
        )
        assert "status 0" in seen.out and not virtual.read(f"{name}.said"), (seen, virtual.read(f"{name}.said"))
        found = records(virtual.read(f"{name}.jsonl"))
        (virtual.folder / f"{name}.jsonl").unlink()
        runs = collections.Counter(record.job for record in found)
        assert len(found) == self.COUNT and len(runs) == self.COUNT, (len(found), runs.most_common(3))
        wrong = [record for record in found if record.error or record.answered_count != 1]
        assert not wrong, (len(wrong), wrong[:3])
        peak, open_files = re.search(r"VmHWM:\s+(\d+) kB\s+(\d+)", seen.out).groups()
        assert int(peak) < 16_384 and int(open_files) < 256, seen
        began, ended = map(float, re.search(r"times (\S+) (\S+)", seen.out).groups())
        # Each waits 0.1 s for duplicates, a hundred at a time.
        assert ended - began < 1.5 * self.COUNT / 100 * 0.1, seen

    def test_check(self, virtual):
        jobs = "".join(job(f"j{n}", ROUTER, "at start") for n in range(self.COUNT))
        seen = virtual.run(f"ktrxer-agent check {configure(virtual, 'many', jobs)}").check()
        assert re.search(r"\b10000 jobs\b", seen.out), seen

    def test_check_counts_every_error(self, virtual):
        """The first hundred are told, the others counted."""
        jobs = "".join(job(f"j{n}", ROUTER, "cuont 2", "at start") for n in range(self.COUNT))
        seen = virtual.run(f"ktrxer-agent check {configure(virtual, 'wrong', jobs)}").check(2)
        told = seen.err.splitlines()
        assert all(re.match(r"/bed/wrong.conf:\d+: .*cuont.*count", line) for line in told[:100]), seen
        assert len(told) == 101 and f" {self.COUNT - 100} more errors" in told[-1], seen


class TestRandomBytes:
    """A job file of random bytes, and good ones with random damage: every error has its place, and nothing is run."""

    GOOD = (ROOT / "examples" / "first-run.conf").read_bytes()

    def file(self, seed):
        source = random.Random(seed)
        if seed % 2:
            return source.randbytes(source.choice([0, 1, 17, 300, 5000, 200_000 if seed < 20 else 900]))
        damaged = bytearray(self.GOOD)
        for _ in range(source.randint(1, 40)):
            at = source.randrange(len(damaged))
            match source.randrange(4):
                case 0: damaged[at] = source.randrange(256)
                case 1: del damaged[at : at + source.randint(1, 60)]
                case 2: damaged[at:at] = source.randbytes(source.randint(1, 8))
                case 3: damaged[at:at] = damaged[at - 30 : at] * source.randint(1, 20)
            if not damaged:
                damaged = bytearray(b"\n")
        return bytes(damaged)

    @pytest.mark.parametrize("command", ["check", "run --once -f"])
    def test_every_error_has_its_place(self, tmp_path, command):
        path = tmp_path / "jobs.conf"
        refused = 0
        for seed in range(600 if command == "check" else 100):
            path.write_bytes(self.file(seed))
            if command != "check" and subprocess.run([AGENT, "check", path], capture_output=True).returncode == 0:
                continue
            seen = subprocess.run([AGENT, *command.split(), path], capture_output=True, cwd=tmp_path, timeout=10)
            said = f"seed {seed}: {seen}"
            assert seen.returncode in (0, 2), said
            errors = seen.stderr.decode(errors="replace").splitlines()
            assert bool(errors) == (seen.returncode == 2), said
            for number, line in enumerate(errors):
                place = r":\d+: \S" if number < 100 else r": \d+ more errors"
                assert re.match(re.escape(str(path)) + place, line) and number <= 100, said
            refused += seen.returncode == 2
            assert [entry.name for entry in tmp_path.iterdir()] == ["jobs.conf"], said
        assert refused > 50


class TestNoRoot:
    """As an ordinary user."""

    def as_nobody(self, bed, arguments):
        return bed.run(f"su -s /bin/sh nobody -c 'exec ktrxer-agent {arguments}'")

    def test_packet(self, virtual):
        seen = self.as_nobody(virtual, f"ping -T packet -c 1 --json {ROUTER}").check(69)
        record = one_record(seen)
        assert (record.error, record.transport, record.probes) == ("no_permission", None, []), record
        assert "root" in record.fields["error"]["message"], record

    def test_auto_takes_sockets(self, virtual):
        for options in "", "-P udp -p 7":
            target = ROUTER if not options else SERVER4
            record = one_record(self.as_nobody(virtual, f"ping {options} -c 2 -i 50ms --json {target}").check())
            assert (record.transport, record.answered_count) == ("socket", 2), record

    def test_no_icmp_sockets_either(self, virtual):
        with_group = "cat /proc/sys/net/ipv4/ping_group_range"
        before = virtual.run(with_group).out.strip()
        try:
            virtual.run("echo '1 0' > /proc/sys/net/ipv4/ping_group_range").check()
            seen = self.as_nobody(virtual, f"ping -c 1 {ROUTER}").check(69)
            assert "ping_group_range" in seen.out + seen.err and len((seen.out + seen.err).splitlines()) <= 2, seen
        finally:
            virtual.run(f"echo '{before}' > /proc/sys/net/ipv4/ping_group_range").check()

    def test_job_file(self, virtual):
        """Its records tell both: what went over sockets, and what could not be."""
        conf = configure(
            virtual, "nobody", job("any", ROUTER, "at start") + job("frames", ROUTER, "transport packet", "at start")
        )
        virtual.run(f"cp {conf} /tmp; chmod 644 /tmp/nobody.conf; chmod 1777 /tmp").check()
        self.as_nobody(virtual, "run --once -f /tmp/nobody.conf").check(69)
        found = {record.job: record for record in records(virtual.run("cat /tmp/nobody.jsonl").check().out)}
        assert (found["any"].transport, found["any"].answered_count) == ("socket", 1), found
        assert found["frames"].error == "no_permission", found


@both
@pytest.mark.parametrize("target, route", [
    ("203.0.113.77", None), ("203.0.113.78", "unreachable"), ("203.0.113.79", "blackhole"), ("203.0.113.80", "prohibit"),
])
def test_no_route(virtual, transport, target, route):
    """In this host's own tables."""
    before = virtual.run("/bin/ip route show default").out.strip()
    virtual.run(f"/bin/ip route add {route} {target}" if route else "/bin/ip route del default").check()
    try:
        record = one_record(virtual.agent(f"ping -T {transport} -c 1 --json {target}").check(69))
    finally:
        virtual.run(f"/bin/ip route del {route} {target}" if route else f"/bin/ip route add {before}").check()
    assert record.error == ("route_refused" if route and transport == "packet" else "no_route"), record
    assert "routing table" in record.fields["error"]["message"] and not record.probes, record


@both
def test_name_does_not_resolve(virtual, transport):
    """Nobody is at the name server's address."""
    record = one_record(virtual.agent(f"ping -T {transport} -c 1 --json no.such.example").check(69))
    assert record.error == "name_servers_silent", record
    assert record.address is None and not record.probes, record
    assert record.fields["duration_ns"] < 60 * SECOND, record
    # The others go on meanwhile.
    conf = configure(
        virtual, "names", job("gone", "no.such.example", "at start") + job("there", ROUTER, "at start"), "parallel 2"
    )
    virtual.run(f"rm -f /tmp/names.jsonl; ktrxer-agent run --once -f {conf} > /dev/null 2>&1").check(69)
    found = records(virtual.run("cat /tmp/names.jsonl").check().out)
    assert [(record.job, record.error) for record in found] == [("there", None), ("gone", found[1].error)], found
    assert found[0].answered_count == 1 and found[0].fields["duration_ns"] < SECOND, found


@both
def test_target_never_answers(virtual, transport):
    """Its job has its record each time, and holds up no other."""
    virtual.run("/bin/ip route replace blackhole 203.0.113.5", node="hop3").check()
    name = f"silent-{transport}"
    conf = configure(
        virtual, name,
        job("silent", "203.0.113.5", "timeout 1500ms", "interval 2s", f"transport {transport}")
        + job("there", ROUTER, "interval 1s", f"transport {transport}"),
    )
    virtual.run(
        f"rm -f /tmp/{name}.jsonl; ktrxer-agent run -f {conf} & pid=$!; sleep 60.5; kill -TERM $pid; wait $pid"
    ).check()
    found = records(virtual.run(f"cat /tmp/{name}.jsonl").check().out)
    silent = [record for record in found if record.job == "silent"]
    # The last one was under way.
    assert len(silent) == 31, len(silent)
    for record in silent[:-1]:
        assert (record.sent_count, record.answered_count, record.error) == (1, 0, None), record
    assert sum(record.answered_count for record in found if record.job == "there") in (60, 61)


class TestInterfaceGone:
    """In mid-run: every probe is accounted for, and the jobs go on when it is back."""

    @pytest.fixture
    def cable(self, virtual):
        """Puts the cable in; to be run again after it was pulled out."""
        put = """
            set -e
            /bin/ip link add gone0 address 02:00:00:00:09:01 type veth peer name gone1 netns ktrxer-bed-gw
            /bin/ip addr add 10.9.0.1/24 dev gone0; /bin/ip link set gone0 up
            /bin/ip -n ktrxer-bed-gw addr add 10.9.0.2/24 dev gone1
            /bin/ip -n ktrxer-bed-gw link set gone1 up
            sleep 1
        """
        # The way to the internet is no other way to the peer.
        virtual.run("/bin/ip route add unreachable 10.9.0.0/24 metric 4000").check()
        virtual.run(put).check()
        yield put
        virtual.run("/bin/ip link del gone0; /bin/ip route del unreachable 10.9.0.0/24 metric 4000")

    @both
    @pytest.mark.parametrize("event", ["del gone0", "set gone0 down"])
    def test_ping(self, virtual, cable, transport, event):
        seen = virtual.run(
            f"(sleep 1.05; /bin/ip link {event}) & ktrxer-agent ping -T {transport} -c 20 -i 100ms -W 500ms --json 10.9.0.2"
        )
        record = one_record(seen)
        assert len(record.probes) == 20 and record.error is None, record
        answered = [probe for probe in record.probes if probe.answered]
        failed = [probe for probe in record.probes if probe.failure]
        assert [probe.sequence for probe in answered] == list(range(len(answered))) and 10 <= len(answered) <= 11, record
        if transport == "packet":
            assert len(failed) == 20 - len(answered), record
            assert {probe.failure for probe in failed} <= {"no_interface", "interface_down"}, record
        assert record.sent_count + record.statistics["failed"] == 20, record

    @both
    def test_jobs_go_on(self, virtual, cable, transport):
        name = f"gone-{transport}"
        conf = configure(virtual, name, job("gone", "10.9.0.2", "interval 1s", "timeout 300ms", f"transport {transport}"))
        virtual.run(
            f"""
            rm -f /tmp/{name}.jsonl; ktrxer-agent run -f {conf} & pid=$!
            sleep 4.5; /bin/ip link set gone0 down; sleep 2; /bin/ip link set gone0 up
            sleep 4; /bin/ip link del gone0; sleep 2
            {cable}
            sleep 4; ls /proc/$pid/fd | wc -l > /bed/{name}.fds; kill -TERM $pid; wait $pid
            """
        ).check()
        found = records(virtual.run(f"cat /tmp/{name}.jsonl").check().out)
        good = "".join("." if record.answered_count == 1 else "x" for record in found)
        # Every second has its record.
        assert 17 <= len(found) <= 19, (good, found)
        assert re.fullmatch(r"\.{4,5}x{1,3}\.{3,4}x{1,4}\.{3,5}", good), (good, found)
        for record in found:
            if not record.answered_count:
                assert record.error in ("no_route", "route_refused", "interface_down", "no_interface"), record
        assert int(virtual.read(f"{name}.fds")) < 16


def test_without_the_kernel_module(bed):
    """One line that says what to do; auto goes on with the next transport, and the doctor says so."""
    seen = bed.agent(f"ping -T kernel -c 1 {SERVER4}").check(69)
    assert "modprobe ktrxer" in seen.err and seen.err.count("\n") == 1, seen
    (record,) = bed.agent(f"ping -c 1 {SERVER4} --json").check().json()
    assert record["transport"] == "packet", record
    seen = bed.agent("doctor").check(1)
    assert "not installed" in seen.out and "The kernel transport does not work." in seen.out, seen
