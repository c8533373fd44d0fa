# SPDX-License-Identifier: MIT
"""The emulated devices: which kernel, which build of the agent, which network card, and the script that is run on each.

All devices run the same scripts, on a clock that counts instructions, in one guest: a home with eth0, a router behind eth1 and a
server behind eth2 in network namespaces of their own, on one hub. What comes out is the same from run to run: the emulated
cards are exact.
"""

import dataclasses
import pathlib
import subprocess

import kbed
from guest import BEDS, ROOT
from qemu import debian_kernels, exact_run
from sending import compiled


@dataclasses.dataclass(frozen=True)
class Device:
    """One that users have, as qemu makes it."""

    name: str
    kernel: str
    target: str
    card: str
    memory: str

    @property
    def other(self):
        """A kernel whose module is wrong here: of the other byte order where such a one is here, else of another machine or version."""
        wishes = {
            "router": ("mipsel-6.1", "6.1"), "router-le": ("mips-6.1",), "phone": ("mips-6.1",), "phone-32": ("arm64-6.1",),
            "pc": ("6.12",),
        }[self.name]
        return next(name for name in wishes if name in debian_kernels(architecture_of(name)))

    @property
    def built(self):
        return ROOT / "build" / self.target

    @property
    def architecture(self):
        return architecture_of(self.kernel)


def architecture_of(kernel):
    """Of a kernel by its name."""
    return kernel.rpartition("-")[0] or "amd64"


DEVICES = {
    device.name: device
    for device in (
        Device("router", "mips-6.1", "mips_24kc", "pcnet", "128M"),
        Device("router-le", "mipsel-6.1", "mipsel_24kc", "pcnet", "128M"),
        Device("phone", "arm64-6.1", "aarch64", "e1000", "256M"),
        Device("phone-32", "armhf-6.1", "armv7", "e1000", "256M"),
        Device("pc", "6.1", "x86_64", "e1000", "256M"),
    )
}


def here():
    """The names of those whose kernel is in the cache; router and phone in any case: setup brings them."""
    return [
        device.name
        for device in DEVICES.values()
        if device.name in ("router", "phone") or device.kernel in debian_kernels(device.architecture)
    ]


#: For the routers' idle time: see there.
RESTING = ROOT / "Tests" / "kernel" / "resting"

NETWORK = """
[ ! -e /resting.ko ] || insmod /resting.ko
for node in gw server; do
    unshare -n sh -c "echo \\$\\$ > /tmp/$node; exec sleep 1000000" > /dev/null 2>&1 &
done
sleep 1
gw="nsenter -n -t $(cat /tmp/gw)" server="nsenter -n -t $(cat /tmp/server)"
ip link set eth1 netns $(cat /tmp/gw); ip link set eth2 netns $(cat /tmp/server)
for each in "" "$gw" "$server"; do
    $each ip link set lo up
    # Nobody else is here; and a router that sends a packet back where it came from has nothing to add.
    $each sh -c 'cd /proc/sys/net; for f in ipv6/conf/*/accept_dad ipv4/conf/*/send_redirects; do echo 0 > $f; done'
    $each sh -c 'echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit'
done
ip link set eth0 up; $gw ip link set eth1 up; $server ip link set eth2 up
sleep 3
ip addr add 192.168.1.2/24 dev eth0; ip -6 addr add 2001:db8:1::2/64 dev eth0
$gw ip addr add 192.168.1.1/24 dev eth1; $gw ip -6 addr add 2001:db8:1::1/64 dev eth1
$gw ip addr add 198.51.100.1/24 dev eth1; $gw ip -6 addr add 2001:db8:a::1/64 dev eth1
$server ip addr add 198.51.100.2/24 dev eth2; $server ip -6 addr add 2001:db8:a::2/64 dev eth2
$server ip addr add 192.0.2.80/32 dev lo; $server ip -6 addr add 2001:db8:80::80/128 dev lo
ip route add default via 192.168.1.1; ip -6 route add default via 2001:db8:1::1
$gw ip route add 192.0.2.80/32 via 198.51.100.2; $gw ip -6 route add 2001:db8:80::80/128 via 2001:db8:a::2
$server ip route add default via 198.51.100.1; $server ip -6 route add default via 2001:db8:a::1
$gw sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding'
$server netserver
ping -q -c 2 192.0.2.80 > /dev/null && ping6 -q -c 2 2001:db8:80::80 > /dev/null
"""


def _jobs(transport):
    """Runs the first job file with every measurement over one transport; prints the records."""
    return (
        f"sed 's|^config job .*|&\\n\\toption transport '\"'{transport}'\"'|; s|/tmp/ktrxer/first-run.jsonl|/tmp/{transport}.jsonl|' "
        f"/first-run.conf > /tmp/{transport}.conf && ktrxer-agent run --once -f /tmp/{transport}.conf > /tmp/said 2>&1 || "
        f"cat /tmp/said >&2; cat /tmp/{transport}.jsonl"
    )


# In this order, each a script of its own.
STEPS = {
    "network": NETWORK,
    "without": "ktrxer-agent doctor; ktrxer-agent ping -T kernel -c 1 192.0.2.80",
    "modules": "for each in other random ktrxer; do ktrxer-agent doctor /$each.ko | grep -A 1 'module file'; done; "
    "d=/lib/modules/$(uname -r)/extra; mkdir -p $d; for each in other ktrxer; do "
    "cp /$each.ko $d/ktrxer.ko; ktrxer-agent doctor | grep -A 1 ' module '; done; rm -r $d",
    "load": "insmod /ktrxer.ko && ls -l /dev/ktx /dev/krx",
    "doctor": "ktrxer-agent doctor",
    "kernel": _jobs("kernel"),
    "packet": _jobs("packet"),
    "rules": "rules /proc/$(cat /tmp/server)/ns/net",
    "ping": "ping-example 192.0.2.80 && ping-example 2001:db8:80::80",
    "pair": "pair-example 192.0.2.80 5 && pair-example 2001:db8:80::80 5",
    "storm": "storm 1 2000 3 eth0 lo",
    "again": "for i in 1 2 3 4 5; do rmmod ktrxer && insmod /ktrxer.ko || exit 1; done; ktrxer-agent ping -T kernel -c 2 --json 192.0.2.80",
    "memory": "sed 's|/tmp/ktrxer/first-run.jsonl|/tmp/run.jsonl|' /first-run.conf > /tmp/run.conf; "
    "ktrxer-agent run -f /tmp/run.conf > /tmp/said 2>&1 & agent=$!; sleep 5; grep -e VmHWM -e VmRSS /proc/$agent/status; "
    "kill $agent; sleep 1; cat /tmp/said",
    "end": "rmmod ktrxer && dmesg | grep -c .",
}


@dataclasses.dataclass
class DeviceRun:
    results: dict
    kernel_log: str
    dump: bytes


#: The steps that a second run repeats: the jobs, and all before them.
REPEATED = list(STEPS).index("packet") + 1


def run(device, folder, only=None):
    """Starts the device once and runs all steps, or the first so many."""
    done = started(device, folder, list(STEPS.values()), dump=1, timeout=300, only=only)
    return DeviceRun(dict(zip(STEPS, done.results)), done.kernel_log, done.dump)


def started(device, folder, scripts, **options):
    """Starts the device, with its module and agent and all that the steps want in it, and runs scripts; an ExactRun."""
    kernels = debian_kernels(device.architecture)
    if device.kernel not in kernels:
        raise kbed.BedFailure(f"no kernel {device.kernel} here; run: make setup (router, phone) or make setup-kernels (all)")
    kernel = kernels[device.kernel]
    agent = device.built / "ktrxer-agent"
    if not agent.exists():
        raise kbed.BedFailure(f"{agent} is not built; run: make build TARGET={device.target}")
    folder = pathlib.Path(folder)
    programs = [compiled(name, folder, device.architecture) for name in ("storm", "rules")]
    subprocess.run([BEDS / "make-device-root.sh", folder / "root", device.architecture, agent, *programs], check=True)
    files = [
        ("/ktrxer.ko", kbed.built_module(kbed.KMOD, device.kernel)), ("/first-run.conf", ROOT / "examples" / "first-run.conf"),
        *((f"/bin/{name}-example", device.built / "examples" / name) for name in ("ping", "pair")),
    ]
    # For the doctor: a module of another kernel, and one of nothing.
    files += [("/other.ko", kbed.built_module(kbed.KMOD, device.other)), ("/random.ko", bytes(range(256)) * 9)]
    if device.architecture.startswith("mips"):
        files.append(("/resting.ko", kbed.built_module(RESTING, device.kernel)))
    return exact_run(
        folder / "root", kernel, scripts, cards=(device.card,) * 3, files=files, shift=1, memory=device.memory, **options,
    )
