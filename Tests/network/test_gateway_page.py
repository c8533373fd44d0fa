# SPDX-License-Identifier: MIT
"""docs/gateway-cron.md, command by command, on a Debian machine that has nothing of ours yet: this one's programs over
hostfs, read-only, with empty folders where programs write. Debian's cron keeps the time, which is virtual.

Blocks of the page are run as they stand, those for the gateway in a shell each, in the home host of the small internet.
"""

import re
import shutil
import subprocess

import pytest

import cron
from bed import AGENT, ROOT, SECOND, SERVER4, VirtualBed
from gateway_page import PAGE, commands, sections
from records import records

MACHINE = "/tmp/machine"
PROVIDER = "192.168.1.1"

# Debian's own folders, and copies or empty ones over those in which anything may be written.
MAKE_MACHINE = f"""
    set -e
    mkdir {MACHINE}
    mount -t hostfs -o ro,/ none {MACHINE}
    cp -a {MACHINE}/etc /tmp/etc
    for folder in etc var usr/local root tmp run; do mount -t tmpfs none {MACHINE}/$folder; done
    cp -a /tmp/etc/. {MACHINE}/etc
    rm -rf {MACHINE}/etc/cron.* {MACHINE}/etc/config
    mkdir -p {MACHINE}/etc/cron.d {MACHINE}/var/log {MACHINE}/var/lib {MACHINE}/var/spool/cron/crontabs {MACHINE}/usr/local/bin
    : > {MACHINE}/etc/crontab
    echo UTC > {MACHINE}/etc/timezone; ln -sf /usr/share/zoneinfo/UTC {MACHINE}/etc/localtime
    printf '127.0.0.1 localhost\\n{SERVER4} example.net\\n' > {MACHINE}/etc/hosts
    chmod 1777 {MACHINE}/tmp
    ln -s /run {MACHINE}/var/run
    for folder in proc sys dev; do mount -o bind /$folder {MACHINE}/$folder; done
    mkdir {MACHINE}/tmp/bed
    mount -o bind /bed {MACHINE}/tmp/bed
"""


# systemd is not what has started the machine: units are enabled and disabled there, but not started and stopped.
ENABLE_ONLY = """
    systemctl() {
        local word words=()
        for word; do [ "$word" = --now ] || words+=("$word"); done
        command systemctl "${words[@]}"
    }
"""


class Gateway:
    """The Debian machine in a guest."""

    def __init__(self, bed):
        self.bed = bed
        bed.run(MAKE_MACHINE, timeout=120).check()
        # An hour before the page's trace is due; neighbours are known.
        bed.run(f"date -s '2024-01-01 05:00:00'; fping -q -c1 {PROVIDER} {SERVER4}").check()

    def run(self, script, timeout=60):
        """Runs commands as root does who has just logged in."""
        self.bed.write("commands", "set -e -o pipefail\n" + script)
        return self.bed.run(
            f"exec chroot {MACHINE} /usr/bin/env -i HOME=/root LANG=C.UTF-8 "
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c 'cd; . /tmp/bed/commands'",
            timeout=timeout,
        )

    def page(self, number):
        """All that the page says of a section; what each block printed."""
        return [self.run(ENABLE_ONLY + block).check().out for block in commands(number, "gateway")]

    def start_cron(self):
        self.run("busybox syslogd -O /var/log/messages; cron").check()

    def stop_cron(self):
        self.run("pkill -x cron; sleep 3").check()

    def pass_time(self, seconds):
        self.bed.run(f"sleep {seconds}", timeout=300).check()

    def log(self):
        """What the agent has complained about."""
        return [line for line in self.run("cat /var/log/messages").check().out.splitlines() if " ktrxer: " in line]

    def records(self):
        return records(self.run("cat /var/log/ktrxer/results.jsonl").check().out)

    def found(self):
        """Whatever bears our name."""
        folders = "/etc /var /usr/local /root /run /tmp"
        return self.run(f"find {folders} -path /tmp/bed -prune -o -name '*ktrxer*' -print").check().out.split()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """What section 1 has sent to the gateway."""
    if ROOT.joinpath("build/x86_64/ktrxer-agent").resolve() != AGENT:
        pytest.skip("the page installs the agent of this tree")
    folder = tmp_path_factory.mktemp("gateway")
    (block,) = commands(1, "build")
    # Where the copy goes is the test's.
    script = f"set -e\nscp() {{ [ \"$2\" = root@gateway: ] && cp \"$1\" '{folder}'; }}\n{block}"
    try:
        seen = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    finally:
        shutil.rmtree(ROOT / "dist/gateway", ignore_errors=True)
        (ROOT / "dist/ktrxer-gateway.tar.gz").unlink(missing_ok=True)
    assert seen.returncode == 0, seen
    return folder / "ktrxer-gateway.tar.gz"


@pytest.fixture
def gateway(guest_root, archive):
    with VirtualBed(guest_root, memory="256M") as bed:
        gateway = Gateway(bed)
        assert gateway.found() == []
        shutil.copy(archive, bed.folder)
        gateway.run("cp /tmp/bed/ktrxer-gateway.tar.gz .").check()
        yield gateway


def test_the_page(gateway):
    assert re.fullmatch(r"ktrxer-agent \d+\.\d+\.\d+\n", gateway.page(2)[0])
    gateway.run("man -w ktrxer-agent; man -w ktrxer-jobs; man -w 4 ktrxer").check()

    checked, tried = gateway.page(3)
    assert checked == "/etc/config/ktrxer: 2 jobs, 2 enabled, no errors\n"
    assert f"PING {PROVIDER}" in tried and f"({SERVER4})" in tried and "10 received, 0.0% packet loss" in tried, tried
    assert "measuring goes on without the kernel module" in tried

    gateway.start_cron()
    gateway.page(4)
    gateway.pass_time(75 * 60)
    found = [record for record in gateway.records() if "scheduled_ns" in record.fields]
    pings = [record for record in found if record.job == "provider"]
    paths = [record for record in found if record.job == "path"]
    assert len(pings) + len(paths) == len(found)
    slots = [record.started // SECOND // 300 for record in pings]
    assert slots == list(range(slots[0], slots[0] + len(slots))) and len(slots) in (15, 16), slots
    assert all(record.answered_count == 10 for record in pings)
    begin = pings[0].started // SECOND
    assert [record.started // SECOND // 60 * 60 for record in paths] == cron.due("0 */6 * * *", begin, begin + 75 * 60)
    assert len(paths) == 1 and paths[0].fields["reached"]
    assert gateway.log() == []

    # Nobody has to tell cron what has changed; what is wrong reaches the log.
    gateway.run("cp /etc/config/ktrxer sound; sed -i 's/interval/intervall/' /etc/config/ktrxer").check()
    gateway.pass_time(120)
    assert any("/etc/config/ktrxer:" in line and "intervall" in line for line in gateway.log()), gateway.log()
    gateway.run("mv sound /etc/config/ktrxer").check()
    gateway.stop_cron()

    listed, days = gateway.page(5)
    pings = [record for record in gateway.records() if record.job == "provider"]
    counted = [record.fields["statistics"] for record in pings]
    wanted = [
        f"{record.fields['started']} {one['loss_ppm']} {one['rtt_ns']['median']}" for record, one in zip(pings, counted)
    ]
    assert listed.splitlines() == wanted[-12:] and len(wanted) > 12
    medians = sorted(one["rtt_ns"]["median"] for one in counted)
    median = (medians[(len(medians) - 1) // 2] + medians[len(medians) // 2]) / 2e6
    assert days == f"2024-01-01 provider: {10 * len(pings)} sent, 0 lost, median {median:.3f} ms\n"

    gateway.page(7)
    assert "/etc/cron.d/ktrxer" not in gateway.found()
    gateway.run("systemctl is-enabled ktrxer.service; systemd-analyze verify ktrxer.service").check()

    gateway.page(8)
    assert gateway.found() == []
    assert gateway.run("ktrxer-agent version").status == 127


def test_update_keeps_what_is_the_owners(gateway):
    gateway.page(2)
    gateway.run(
        "mkdir -p /etc/config; echo '# mine' > /etc/config/ktrxer; chmod 2775 /usr/local/lib; rm /usr/local/bin/ktrxer-agent"
    ).check()
    gateway.page(2)
    seen = gateway.run("cat /etc/config/ktrxer; stat -c %a /usr/local/lib; stat -c '%U %a' /usr/local/bin/ktrxer-agent").check()
    assert seen.out == "# mine\n2775\nroot 755\n"


SLOW = f"""
config agent
	option output '/var/log/ktrxer/results.jsonl'
	option state '/var/lib/ktrxer/state'
config job 'slow'
	option kind 'ping'
	list target '{PROVIDER}'
	option count '100'
	option gap '1s'
	option interval '1m'
"""


def test_overlapping_calls(gateway):
    """What the page says of jobs that take longer than their interval, without flock and with it."""
    gateway.page(2)
    gateway.run(f"mkdir -p /etc/config; cat > /etc/config/ktrxer << 'EOF'{SLOW}EOF").check()
    gateway.start_cron()
    gateway.page(4)
    gateway.pass_time(10 * 60)
    starts = [record.started // SECOND for record in gateway.records()]
    assert len(starts) >= 8 and all(55 < after - before < 65 for before, after in zip(starts, starts[1:])), starts

    locked = re.search(r"`(flock -n \S+ )/usr/local/bin/ktrxer-agent run --due`", PAGE.read_text())[1]
    gateway.run(f"sed -i 's|root /usr|root {locked}/usr|' /etc/cron.d/ktrxer").check()
    gateway.pass_time(4 * 60)
    gateway.run("rm /var/log/ktrxer/results.jsonl").check()
    gateway.pass_time(12 * 60)
    starts = [record.started // SECOND for record in gateway.records()]
    assert len(starts) >= 5 and all(115 < after - before < 125 for before, after in zip(starts, starts[1:])), starts


def test_no_command_is_left_out():
    """What is run above and in test_gateway_module.py is all that the page has."""
    run = {(1, "build"), *((number, "gateway") for number in (2, 3, 4, 5, 7, 8)), (6, "dkms"), (8, "dkms")}
    assert {(number, reader) for number, reader, _ in sections()} == run
