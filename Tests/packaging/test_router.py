# SPDX-License-Identifier: MIT
"""What becomes of the packages on a router: every step of router.py, judged."""

import json
import re

import kernel_log
import pytest
import router
from conftest import TARGET

import ipk
import staging
from guest import ROOT


@pytest.fixture(scope="module")
def life(packages, tmp_path_factory):
    folder = tmp_path_factory.mktemp("life")
    return router.live(packages, newer_agent(folder), folder)


def newer_agent(folder):
    """The agent's package as a later version has it: with another date, and a new default in its configuration."""
    package = staging.stage("ktrxer-agent", folder / "newer", ROOT, ARCH="mips")
    package.version = "0.2.0-r1"
    configuration = package.root / "etc/config/ktrxer"
    configuration.write_text(configuration.read_text() + "# a new default\n")
    path = folder / f"ktrxer-agent_0.2.0-r1_{TARGET}.ipk"
    path.write_bytes(ipk.ipk_bytes(package, TARGET, 1_800_000_000))
    return path


def lines(life, step):
    return life.results[step].out.splitlines()


def test_bed(life):
    for step in "base", "network", "base again", "network again":
        life.results[step].check()


def test_refused(life):
    """Another architecture, another kernel, no space: nothing of it is left, and no script of ours has run."""
    assert lines(life, "refused") == ["status 255"] * 3 + ["nothing installed"], life.results["refused"]
    assert life.results["refused"].err.count("\n") == 3, "more than a line for each"


def test_first_result(life):
    """Within 70 s of the installation the first record is there, complete, and little of that time is ours."""
    result = life.results["install"].check()
    began, installed = map(float, re.search(r"^installed (\S+) (\S+)$", result.out, re.MULTILINE).groups())
    first = float(re.search(r"^first (\S+)$", result.out, re.MULTILINE)[1])
    ticks = sum(map(int, re.search(r"^cpu (\d+) (\d+)$", result.out, re.MULTILINE).groups()))
    print(f"installed in {installed - began:.2f} s, first record {first - began:.1f} s after the beginning, agent {ticks * 10} ms of processor")
    assert first - began <= 70
    (record,) = [json.loads(line) for line in result.out.splitlines() if line.startswith("{")]
    assert record["job"] == "gateway" and record["address"] == "192.168.1.1" and record["transport"] == "packet"
    assert len(record["probes"]) == 10 and all(probe.get("received_ns") for probe in record["probes"])
    # What is not ours: the splay, which spreads the start, and the ten probes at half a second.
    assert installed - began + ticks / 100 <= 1.0, result.out[:200]


def test_installed_files(life):
    text = life.results["files"].out
    assert re.search(r"^-rw-------.* /etc/config/ktrxer$", text, re.MULTILINE), text
    assert "S95ktrxer -> ../init.d/ktrxer" in text
    assert "list target '192.168.1.1'" in text and "list target 'gateway'" not in text


def test_no_writes_to_flash(life):
    """While the default installation runs, no file outside of memory changes, comes or goes."""
    assert lines(life, "no-writes") == ["nothing changed, records 1"], life.results["no-writes"]


def test_module(life):
    result = life.results["module"].check()
    assert re.search(r"^crw-------.* /dev/ktx$", result.out, re.MULTILINE) and "\n8192\n" in result.out, result
    assert json.loads(result.out.splitlines()[-1])["transport"] == "kernel"


def test_module_options(life):
    """Taken when they change; with one that is wrong, none is; a group gets the devices; without the module, one line."""
    result = life.results["module-options"]
    first, given, taken, second, again = result.out.splitlines()
    assert (first, second) == ("1000", "1000"), result
    for node in given, again:
        assert re.search(r"^crw-rw----.* nogroup .* /dev/ktx$", node), result
    assert re.search(r"^crw-------.* root .* /dev/ktx$", taken), result
    wrong, missing = result.err.splitlines()
    assert "not a number" in wrong and "not loaded; install the kmod-ktrxer that was built for kernel" in missing


def test_reload(life):
    """A change is taken without a new process; an error leaves the old jobs in force, and its line is logged."""
    first, second, same, logged = lines(life, "reload")
    assert first == "records 3" and second == "records 2" and same == "the same process", life.results["reload"]
    assert re.search(r"daemon\.err ktrxer: /etc/config/ktrxer:\d+: option without a name", logged)


def test_interface(life):
    """Jobs wait for their interface, say so once, and run when it has come; what runs at start runs once."""
    *waits, none, bound, once, waiting, once_again = lines(life, "interface")
    assert [line.partition("ktrxer: ")[2] for line in waits] == [f"job {job} waits for interface opt0" for job in ("bound", "once")]
    assert none == "0" and int(bound) >= 1 and once == "1" and waiting == "2" and once_again == "1", life.results["interface"]


def test_default_route(life):
    """Without a default route the gateway's job waits; a new one is taken, IPv6 with its interface."""
    text = life.results["no-route"].out
    assert "gateway waits for a default route" in text
    assert re.search(r"'gateway'(?s:.*)'fe80::1%eth0'(?s:.*)'192\.168\.1\.1'\nup\n$", text), life.results["no-route"]


def test_respawn(life):
    assert lines(life, "respawn") == ["again", "measured"], life.results["respawn"]


def test_rotation(life):
    sizes = {line.split()[-1]: int(line.split()[4]) for line in lines(life, "rotate")[1:]}
    assert set(sizes) == {"results.jsonl", "results.jsonl.1"} and max(sizes.values()) <= 4096, sizes


def test_full_memory(life):
    """No place for the jobs: the service does not start, leaves nothing half-written, and says what to look at, in one line."""
    result = life.results["memory-full"]
    assert result.out.splitlines()[1:] == ["full", "not running", "up"], result
    assert result.err.count("\n") == 1 and "is there memory left? see: df /var/run" in result.err, result


def test_full_results(life):
    """No place for the records: the agent stays, says so, and writes again when there is place."""
    up, said, written = lines(life, "results-full")
    assert up == "up" and "No space left on device" in said and int(written) >= 1, life.results["results-full"]


def test_upgrade(life):
    """The user's configuration is kept, the new default lies beside it, the new program runs."""
    result = life.results["upgrade"].check()
    assert result.out.splitlines()[1:] == [
        "status 0", "/etc/config/ktrxer-opkg", "1", "the new one runs", "K05ktrxer", "S11ktrxer-module", "S95ktrxer",
    ], result  # fmt: skip


def test_restart(life):
    """What was in memory is gone; records that are configured to be kept are there, service and module start by themselves."""
    before, *memory = lines(life, "shutdown")[:3]
    assert before.startswith("before ") and int(before.split()[1]) > 0, life.results["shutdown"].err
    assert memory == ["/tmp/ktrxer", "/var/run/ktrxer"]
    found, after, node, kept, record = lines(life, "boot")
    assert found == before.replace("before", "found"), life.results["boot"]
    assert int(after.split()[1]) > int(found.split()[1]), life.results["boot"]
    assert (node, kept, json.loads(record)["transport"]) == ("/dev/ktx", "/etc/ktrxer/", "kernel"), life.results["boot"]


def test_cron(life):
    """busybox's crond starts what is due: of four minutes, the first and each second."""
    first, stays = lines(life, "cron")
    assert first in ("records 2", "records 3") and stays == "no process stays", life.results["cron"]


def test_jail(life):
    """In a jail the agent has its folders, and only what exists is shown to it: a jail fails on what does not."""
    result = life.results["jail"]
    assert result.out.splitlines() == [
        "ktrxer", "log", "procfs", "sysfs", "/etc/capabilities/ktrxer.json", "1", "/tmp/ktrxer", "4",
    ], result  # fmt: skip
    sets = json.loads((ROOT / "openwrt-feed/ktrxer-agent/files/ktrxer.capabilities").read_text())
    assert set(sets) == {"bounding", "effective", "ambient", "permitted", "inheritable"}
    assert all(names == ["CAP_NET_RAW", "CAP_NET_ADMIN"] for names in sets.values())


def test_removal(life):
    """The module goes while the agent stays; then nothing is left but configuration that was changed, which the test removes."""
    assert lines(life, "remove") == [
        "Not deleting modified conffile /etc/config/ktrxer-module.", "status 0", "0", "the agent stays",
        "Not deleting modified conffile /etc/config/ktrxer.", "status 0", "no process",
    ], life.results["remove"]  # fmt: skip


def test_kernel_log(life):
    assert not kernel_log.reports(life.kernel_log), life.kernel_log[-3000:]
