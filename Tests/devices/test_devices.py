# SPDX-License-Identifier: MIT
"""What users have, emulated: the target's module and agent from the real build, every measurement over the module and without."""

import json
import os

import devices
import dissection
import kernel_log
import pytest

CHOSEN = os.environ.get("KTRXER_DEVICES", "router phone pc").split()


@pytest.fixture(scope="module", params=CHOSEN)
def device(request):
    return devices.DEVICES[request.param]


@pytest.fixture(scope="module")
def ran(device, tmp_path_factory):
    return devices.run(device, tmp_path_factory.mktemp(device.name))


def records(ran, step):
    result = ran.results[step].check()
    return [json.loads(line) for line in result.out.splitlines()]


def test_network(ran):
    ran.results["network"].check()


def test_doctor(ran):
    """Without the module it says so, and what to do; with it, that the module is there."""
    without = ran.results["without"]
    assert without.status != 0 and "module" in without.out, without
    assert "insmod" in without.out + without.err or "modprobe" in without.out + without.err, without
    assert "The kernel transport works." in ran.results["doctor"].check().out, ran.results["doctor"]


#: What a module is called that is for a kernel of an architecture.
MODULES = {
    "mips": "mips, 32-bit, big-endian", "mipsel": "mips, 32-bit, little-endian", "armhf": "arm, 32-bit, little-endian",
    "arm64": "aarch64, 64-bit, little-endian", "amd64": "x86_64, 64-bit, little-endian",
}


def test_doctor_on_modules(device, ran):
    """Of a module of another byte order or version it says which that is, and what to install; given, and installed but not loaded."""
    lines = ran.results["modules"].check().out.splitlines()
    release = devices.debian_kernels(device.architecture)[device.kernel].release
    other = devices.architecture_of(device.other)
    wrong = "for Linux {}, {}; this is Linux {}, {}".format(
        devices.debian_kernels(other)[device.other].release, MODULES[other], release,
        MODULES[device.architecture].replace("arm,", "armv7l,"))
    install = "    install the kernel module, built for this kernel"
    assert lines[:2] == [f"! {'module file':26}{wrong}", install], lines
    assert lines[2:4] == [f"! {'module file':26}no kernel module, or a compressed one", install], lines
    assert lines[4:6] == [f"  {'module file':26}for this kernel", f"! {'module':26}not installed"], lines
    assert lines[6:8] == [f"! {'module':26}{wrong}", install], lines
    assert lines[8:] == [f"! {'module':26}not loaded", "    load it: modprobe ktrxer"], lines


@pytest.mark.parametrize("transport", ["kernel", "packet"])
def test_job_file(ran, transport):
    """Ping, trace and train, IPv4 and IPv6: all answered, along the path that there is."""
    found = records(ran, transport)
    assert len(found) == 6, found
    for record in found:
        assert record["transport"] == transport and not record.get("error"), record
        assert all(probe.get("received_ns") for probe in record["probes"]), record
    traces = [record for record in found if record["kind"] == "trace"]
    for record in traces:
        family = 6 if ":" in record["address"] else 4
        senders = {probe["ttl"]: probe["answer"]["from"] for probe in record["probes"] if probe.get("answer")}
        expected = {1: "2001:db8:1::1", 2: "2001:db8:80::80"} if family == 6 else {1: "192.168.1.1", 2: "192.0.2.80"}
        assert {ttl: senders.get(ttl) for ttl in (1, 2)} == expected, record


def test_rules(ran):
    """Operations, ports, prefixes, ICMP, errors, edits and reactions, by IPv4 and IPv6: byte orders meet in each."""
    result = ran.results["rules"].check()
    assert result.out.endswith(" 0 wrong\n") and result.out.count(": good\n") > 40, result


def test_ping_example(ran):
    """Five probes each by IPv4 and IPv6."""
    assert ran.results["ping"].check().out.count(" ms, left ") == 10, ran.results["ping"]


def test_pair_example(ran):
    assert ran.results["pair"].check().out.count("5 of 5 pairs answered, gap ") == 2, ran.results["pair"]


def test_storm(ran):
    ran.results["storm"].check()


def test_memory(ran):
    """Resident memory of a staying run, with jobs under way, is at most 700 KB."""
    said = ran.results["memory"].check().out
    kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in said.splitlines() if line.startswith("Vm")}
    assert 100 < kilobytes["VmRSS"] <= 700 and kilobytes["VmHWM"] <= 1000, said


def test_loaded_again(ran):
    ran.results["again"].check()
    ran.results["end"].check()


def test_wire(ran, tmp_path):
    """As seen by the network: nothing malformed, and all of both runs of the job file is there."""
    path = tmp_path / "wire.pcap"
    path.write_bytes(ran.dump)
    server = "ip.addr == 192.0.2.80 || ip.addr == 198.51.100.2 || ipv6.addr == 2001:db8:80::80 || ipv6.addr == 2001:db8:a::2"
    assert dissection.assert_wellformed(path, server) > 200
    # What a rule answered for an address that nobody has.
    nobody = "arp.src.proto_ipv4 == 192.168.1.77 || icmpv6.nd.na.target_address == 2001:db8:1::77"
    assert dissection.assert_wellformed(path, nobody) >= 2


def test_clock(ran, tmp_path):
    """What takes 800 ms by the device's clock takes as long by the emulator's, which the capture has: the router's kernel is told
    the frequency of its clock (malta.sh), and the next that qemu could have is 4 percent off."""
    path = tmp_path / "clock.pcap"
    path.write_bytes(ran.dump)
    requests = {}
    sent = "icmp.type == 8 && ip.dst == 192.0.2.80 && eth.src == 02:00:00:00:00:01"
    for run, time in dissection.fields(path, sent, "icmp.ident", "frame.time_epoch"):
        requests.setdefault(run, []).append(float(time))
    # After the network's own come the job file's, by either transport: five, one every 200 ms.
    runs = list(requests.values())[1:3]
    assert [len(times) for times in runs] == [5, 5], requests
    assert all(abs(times[-1] - times[0] - 0.8) < 0.0015 for times in runs), requests


def test_same_again(device, ran, tmp_path):
    """On a clock that counts instructions a second run has the same results to the byte: addresses, ports, times, the wire."""
    again = devices.run(device, tmp_path, only=devices.REPEATED)
    assert list(again.results)[-1] == "packet" and len(again.dump) > 10_000, again.results
    for step, result in again.results.items():
        assert result == ran.results[step], f"{step} has come out otherwise:\n{ran.results[step]}\n{result}"
    assert ran.dump.startswith(again.dump), "other frames on the wire"


def test_kernel_log(ran):
    assert not kernel_log.reports(ran.kernel_log), ran.kernel_log[-3000:]
