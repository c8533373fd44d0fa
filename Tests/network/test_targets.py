# SPDX-License-Identifier: MIT
"""Targets that are more than an address: link-local ones with their zone, and names that do not resolve, each for
another reason."""

import itertools
import re

import pytest

from bed import SERVER4
from records import records

TRANSPORTS = ["packet", "socket"]


@pytest.fixture(scope="module")
def router(virtual):
    """The home router's link-local address."""
    shown = virtual.run("/bin/ip -6 address show dev lan scope link", node="gw").check()
    return re.search(r"inet6 (fe80:[0-9a-f:]+)/", shown.out)[1]


@pytest.fixture(scope="module")
def index(virtual):
    return virtual.run("/bin/ip -o link show lan").check().out.split(":")[0]


def measure(bed, arguments, *statuses):
    (record,) = records(bed.agent(f"{arguments} --json").check(*statuses).out)
    return record


@pytest.mark.parametrize("transport, zone", list(itertools.product(TRANSPORTS, ["lan", "number"])))
class TestZone:
    def test_zone(self, virtual, router, index, transport, zone):
        target = f"{router}%{index if zone == 'number' else zone}"
        for probe in "ping", "ping -P udp -p 33434", "ping -P tcp -p 81", "train -c 5":
            count = "" if "-c" in probe else "-c 3 -i 50ms"
            record = measure(virtual, f"{probe} {count} -T {transport} {target}")
            assert (record.target, record.address, record.interface) == (target, router, "lan"), record
            assert record.transport == transport and record.reached, record
            assert all(answer.sender == router for answer in record.probes), record
        for probe in "trace", "trace -P icmp":
            record = measure(virtual, f"{probe} -T {transport} {target}")
            assert record.reached and {answer.ttl for answer in record.probes} == {1}, record

    def test_zone_in_a_job_file(self, virtual, router, transport, zone):
        # The interface of the option is for the other target.
        job = f"""
            config agent
                option output '-'
            config job 'near'
                option kind 'ping'
                option transport '{transport}'
                option count '2'
                option gap '50ms'
                option interface 'lan'
                list target '{router}%lan'
                list target '{SERVER4}'
                option at 'start'
        """
        seen = virtual.agent(f"run --once -f {virtual.write('zone.conf', job)}").check()
        assert [record.target for record in records(seen.out)] == [f"{router}%lan", SERVER4], seen
        assert all(record.reached for record in records(seen.out)), seen


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_zone_that_is_not_there(virtual, router, transport):
    for zone in "nowhere", "4711":
        record = measure(virtual, f"ping -T {transport} -c 1 {router}%{zone}", 69)
        assert (record.error, record.target) == ("no_interface", f"{router}%{zone}"), record
    record = measure(virtual, f"ping -T {transport} -c 1 {router}", 69)
    assert record.error == "interface_needed", record
    # Another interface than the one that the router is on.
    record = measure(virtual, f"ping -T {transport} -c 1 -W 100ms {router}%lo", 1, 69)
    assert not record.reached, record


def test_zone_behind_something_else(virtual):
    for target in f"{SERVER4}%lan", "2001:db8:80::80%lan", "server.example%lan":
        seen = virtual.agent(f"ping -c 1 {target}").check(64)
        assert "a link-local address before the %" in seen.err, seen


@pytest.mark.parametrize(
    "configuration, name, error",
    [
        ("nameserver 192.0.2.80", "nosuch.example", "name_not_found"),
        ("nameserver 192.0.2.80", "fail.example", "name_service_failed"),
        ("nameserver 192.0.2.80", "refuse.example", "name_service_failed"),
        ("nameserver 192.0.2.80", "mute.example", "name_servers_silent"),
        ("nameserver 2001:db8:80::80", "fail.example", "name_service_failed"),
        # Nobody at that address, nobody at that port, and no way there.
        ("nameserver 192.0.2.53", "some.example", "name_servers_silent"),
        ("nameserver 192.0.2.1", "some.example", "name_servers_silent"),
        ("nameserver 2001:db8:ffff::1", "some.example", "name_servers_silent"),
        ("# nameserver 192.0.2.80", "some.example", "no_name_server"),
        (None, "some.example", "no_name_server"),
    ],
)
def test_why_a_name_does_not_resolve(virtual, configuration, name, error):
    change = f"echo '{configuration}' > /tmp/resolv.conf" if configuration else "rm /tmp/resolv.conf"
    seen = virtual.run(
        f"cp /tmp/resolv.conf /tmp/resolv.before; {change}; ktrxer-agent ping -c 1 --json {name}; echo $? >&2;"
        "mv /tmp/resolv.before /tmp/resolv.conf"
    ).check()
    (record,) = records(seen.out)
    assert (record.error, record.address) == (error, None), seen
    assert seen.err.strip() == "69", seen


def without_resolv_conf(virtual, command: str):
    return virtual.run(f"mv /tmp/resolv.conf /tmp/resolv.before; {command}; echo $? >&2; mv /tmp/resolv.before /tmp/resolv.conf").check()


@pytest.mark.parametrize(
    "before, options",
    [
        ("", "--resolver 192.0.2.80"),
        ("", "--resolver '192.0.2.53  2001:db8:80::80'"),
        ("KTRXER_RESOLVER=192.0.2.80", ""),
        # The option counts, not the variable.
        ("KTRXER_RESOLVER=192.0.2.53", "--resolver 192.0.2.80"),
    ],
)
def test_name_server_that_is_given(virtual, before, options):
    seen = without_resolv_conf(virtual, f"{before} ktrxer-agent ping -4 -c 1 --json {options} dual.example")
    (record,) = records(seen.out)
    assert (record.reached, record.address) == (True, SERVER4), seen
    assert seen.err.strip() == "0", seen


@pytest.mark.parametrize(
    "server, name, error",
    [
        ("192.0.2.80", "nosuch.example", "name_not_found"),
        ("192.0.2.80", "fail.example", "name_service_failed"),
        ("192.0.2.53", "some.example", "name_servers_silent"),
    ],
)
def test_why_a_given_name_server_does_not_help(virtual, server, name, error):
    seen = without_resolv_conf(virtual, f"ktrxer-agent ping -c 1 --json --resolver {server} {name}")
    (record,) = records(seen.out)
    assert (record.error, record.address) == (error, None), seen


def test_name_server_of_the_job_file(virtual):
    job = """
            config agent
                option output '-'
                option resolver '192.0.2.80'
            config job 'named'
                option kind 'ping'
                option family '4'
                option count '1'
                list target 'dual.example'
                option at 'start'
        """
    seen = without_resolv_conf(virtual, f"ktrxer-agent run --once -f {virtual.write('resolver.conf', job)}")
    assert [(record.reached, record.address) for record in records(seen.out)] == [(True, SERVER4)], seen
    for wrong in "192.0.2.80 dual.example", "1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4", "fe80::1%lan", " ":
        changed = virtual.write("wrong.conf", job.replace("192.0.2.80", wrong))
        seen = virtual.agent(f"check {changed}").check(2)
        assert ":4: " in seen.err and "the addresses of one to three name servers" in seen.err, seen


def test_variable_that_names_no_server(virtual):
    """It is said, and what holds without it holds."""
    seen = virtual.run("KTRXER_RESOLVER=dual.example ktrxer-agent ping -4 -c 1 --json server.example").check()
    assert records(seen.out)[0].reached, seen
    assert seen.err == "ktrxer-agent: KTRXER_RESOLVER is not used: expected the addresses of one to three name servers\n", seen
    seen = without_resolv_conf(virtual, "KTRXER_RESOLVER=dual.example ktrxer-agent ping -c 1 --json some.example")
    assert records(seen.out)[0].error == "no_name_server" and "is not used" in seen.err, seen


def test_doctor_names_the_given_name_server(virtual):
    seen = without_resolv_conf(virtual, "KTRXER_RESOLVER=192.0.2.80 ktrxer-agent doctor --json")
    assert '"name_server"' in seen.out and "192.0.2.80" in seen.out, seen
