# SPDX-License-Identifier: MIT
"""The service of a home gateway under systemd itself, as docs/gateway-cron.md installs, starts, reloads and removes it."""

import json
import re
import time

import pytest
from gateway import Gateway
from gateway_page import commands

STATUS = "pid=$(systemctl show -P MainPID ktrxer); grep -E '^(CapBnd|CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status"
#: A job a second in place of one in five minutes, and of the one that needs the internet none.
QUICK = """
sed -i "s/option interval .*/option interval '1s'/; s/option count .*/option count '2'/; s/option gap .*/option gap '50ms'/" \
    /etc/config/ktrxer
sed -i '/^config job .path/,$d' /etc/config/ktrxer
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """With the page's sections 2, 3 and 7 followed."""
    machine = Gateway(tmp_path_factory.mktemp("gateway"))
    try:
        for block in commands(2, "gateway") + commands(3, "gateway")[:1]:
            machine.run(block).check()
        machine.run(QUICK).check()
        for block in commands(7, "gateway"):
            machine.run(block).check()
        yield machine
    finally:
        machine.close()


def records(gateway):
    return gateway.run("cat /var/log/ktrxer/results.jsonl 2> /dev/null || true").json()


def more_records(gateway, than=0):
    end = time.monotonic() + 60
    while len(found := records(gateway)) <= than:
        assert time.monotonic() < end, gateway.run("systemctl --no-pager status ktrxer; journalctl --no-pager -u ktrxer")
        time.sleep(0.5)
    return found


def shown(gateway, *names):
    """Properties of the service."""
    said = gateway.run(f"systemctl show {' '.join(f'-p {name}' for name in names)} ktrxer").check().out
    return tuple(dict(line.split("=", 1) for line in said.splitlines())[name] for name in names)


def test_it_measures(gateway):
    record = more_records(gateway)[0]
    assert record["job"] == "provider" and record["statistics"]["received"] == 2, record
    assert record["transport"] == "kernel", "the service does not reach the module's devices"
    assert shown(gateway, "ActiveState", "UnitFileState", "NRestarts") == ("active", "enabled", "0")


def test_it_may_do_nothing_else(gateway):
    """Two capabilities, no new ones, a filter; files that it may not write; devices that it may not open."""
    found = dict(line.split(":\t") for line in gateway.run(STATUS).check().out.splitlines())
    assert found == {"CapBnd": f"{0x3000:016x}", "CapEff": f"{0x3000:016x}", "NoNewPrivs": "1", "Seccomp": "2"}
    seen = gateway.run("""
        inside="nsenter -m -r -t $(systemctl show -P MainPID ktrxer)"
        for path in /etc /usr/local /var/lib /var/log/ktrxer /var/lib/ktrxer /tmp; do
            $inside touch $path/new 2> /dev/null && echo $path
        done
        ls /tmp/new 2> /dev/null || echo 'another /tmp'
        (
            echo $BASHPID > /sys/fs/cgroup/system.slice/ktrxer.service/cgroup.procs
            for device in ktx null kmsg; do (: < /dev/$device) 2> /dev/null && echo $device; done; true
        )
        rm -f /var/log/ktrxer/new /var/lib/ktrxer/new
    """)
    assert seen.out.split("\n") == ["/var/log/ktrxer", "/var/lib/ktrxer", "/tmp", "another /tmp", "ktx", "null", ""], seen


def test_reload(gateway):
    """A file with errors changes nothing and is said in the journal; a right one is taken by the same process."""
    pid = shown(gateway, "MainPID")
    gateway.run("echo nonsense >> /etc/config/ktrxer; systemctl reload ktrxer").check()
    more_records(gateway, than=len(records(gateway)))
    assert re.search(r"ktrxer-agent.*: /etc/config/ktrxer:\d+: ", gateway.run("journalctl --no-pager -u ktrxer").out)
    gateway.run("sed -i -e '$d' -e \"s/option count .*/option count '3'/\" /etc/config/ktrxer; systemctl reload ktrxer").check()
    found = more_records(gateway, than=len(records(gateway)) + 1)
    assert found[-1]["statistics"]["sent"] == 3 and shown(gateway, "MainPID", "ActiveState") == (*pid, "active")


def test_it_comes_again(gateway):
    """Killed, it is started anew, here without the half minute's wait; with a job file that is wrong, it is not."""
    gateway.run("""
        mkdir /run/systemd/system/ktrxer.service.d
        printf '[Service]\\nRestartSec=1\\n' > /run/systemd/system/ktrxer.service.d/soon.conf
        systemctl daemon-reload; systemctl kill -s KILL ktrxer
    """).check()
    more_records(gateway, than=len(records(gateway)) + 1)
    assert shown(gateway, "ActiveState", "NRestarts") == ("active", "1")
    gateway.run("echo nonsense >> /etc/config/ktrxer; systemctl restart ktrxer").check()
    # It has come when its process was forked; one that would start again and again never fails.
    gateway.run("for i in $(seq 120); do [ $(systemctl show -P ActiveState ktrxer) != failed ] || break; sleep 0.5; done", timeout=120).check()
    assert shown(gateway, "ActiveState", "ExecMainStatus", "NRestarts") == ("failed", "2", "0")
    gateway.run("sed -i '$d' /etc/config/ktrxer; systemctl restart ktrxer").check()


def test_restart_of_the_machine(gateway):
    """It is there again without anybody's help, and what it measured before is, too."""
    before = len(more_records(gateway))
    gateway.reboot()
    more_records(gateway, than=before)
    assert shown(gateway, "ActiveState", "NRestarts") == ("active", "0")


def test_removal(gateway):
    """Ended within its time, without having been killed; then nothing of it is left."""
    gateway.run("systemctl stop ktrxer").check()
    assert shown(gateway, "ActiveState", "Result", "ExecMainStatus") == ("inactive", "success", "0")
    for block in commands(8, "gateway"):
        gateway.run(block).check()
    assert shown(gateway, "LoadState") == ("not-found",)
    left = gateway.run("find /etc /usr/local /var /root -name '*ktrxer*' -not -path '/var/log/journal/*'").out
    assert left == ""
