# SPDX-License-Identifier: MIT
"""The platforms of the evaluation: emulated devices with one network card or another, and the guests in which experiments run.

Each guest has the card that is measured, eth0, and another on the same hub, eth1, in the network namespace `far`. Frames are
addressed to 10.9.0.2, 02:00:00:00:00:99, whom nobody is: who receives them must not cost what is measured.

With cross traffic eth0 is alone on its hub: nobody in the guest receives all that. A router has lan0 as well, which faces its
LAN, and forwards what comes from a card there that no driver has (cross/cross.c); PC and phone send it themselves (cross/load.c).
In the guest, `cross PPS` has so many packets a second begin, and `cross 0` ends them.
"""

import dataclasses
import pathlib

import kbed
from guest import ROOT, BedFailure
from programs import compiled_once, root
from qemu import USB_CARD, USB_MODULES, debian_kernels, exact_run

BENCH = pathlib.Path(__file__).resolve().parent
METHODS = BENCH / "methods"
KERNEL_TESTS = ROOT / "Tests" / "kernel"


@dataclasses.dataclass(frozen=True)
class Platform:
    name: str
    label: str  # for people
    kernel: str
    target: str  # of toolchains/, for the agent and other programs that are built with it
    model: str  # of all cards, as qemu names it
    memory: str
    #: Cross traffic is forwarded from the LAN; elsewhere the device itself sends it.
    forwards: bool
    #: An instruction takes 2^shift ns.
    shift: int = 1

    @property
    def architecture(self):
        return self.kernel.rpartition("-")[0] or "amd64"

    def cards(self, cross=False):
        """[(name in the guest, model, hub)]"""
        if not cross:
            return [("eth0", self.model, 0), ("eth1", self.model, 0)]
        return [("eth0", self.model, 0), *([("lan0", self.model, 1), ("gen0", "e1000", 1)] if self.forwards else [])]

    @property
    def debian(self):
        kernels = debian_kernels(self.architecture)
        if self.kernel not in kernels:
            raise BedFailure(f"no kernel {self.kernel} here; run: make setup-kernels")
        return kernels[self.kernel]


def _family(name, label, kernel, target, memory, forwards, models):
    return [
        Platform(f"{name}-{model.partition('-')[0]}", f"{label}, {model.removesuffix('-pci')}", kernel, target, model, memory, forwards)
        for model in models
    ]


PLATFORMS = {
    platform.name: platform
    for platform in [
        *_family("pc", "PC", "6.1", "x86_64", "256M", False, ("e1000", "virtio-net-pci")),
        *_family("router", "router, big-endian", "mips-6.1", "mips_24kc", "128M", True, ("pcnet", "e1000", "virtio-net-pci")),
        *_family("router-le", "router, little-endian", "mipsel-6.1", "mipsel_24kc", "128M", True, ("pcnet", "e1000", "virtio-net-pci")),
        *_family("phone", "phone, AArch64", "arm64-6.1", "aarch64", "256M", False, ("e1000", "virtio-net-pci", USB_CARD)),
        *_family("phone-32", "phone, ARMv7", "armhf-6.1", "armv7", "256M", False, ("e1000", "virtio-net-pci")),
    ]
}
#: One of each kind of device.
QUICK = ["pc-e1000", "router-pcnet", "phone-e1000"]

#: Runs a command on the other side.
FAR = b'#!/bin/sh\nexec nsenter -n -t "$(cat /tmp/far)" "$@"\n'

#: Starts cross traffic anew, or ends it; for a router.
CROSS_FORWARDED = b"""#!/bin/sh
echo "$1" > /sys/module/cross/parameters/pps
"""
#: For a device that sends it itself.
CROSS_OWN = b"""#!/bin/sh
[ ! -e /tmp/load ] || kill "$(cat /tmp/load)"
rm -f /tmp/load
[ "$1" = 0 ] || { load "$1" 10.9.0.3 > /dev/null 2>&1 & echo $! > /tmp/load; }
"""

#: Drivers give names in their own order, and find cards at the USB in their own time. MAC addresses say which card is which.
NAMES = """
for try in 1 2 3 4 5 6 7 8 9 10; do
    [ $(ls /sys/class/net | grep -c -e eth -e usb) -lt CARDS ] || break
    sleep 1
done
chmod +x /bin/far /bin/cross /bin/load /methods/* 2> /dev/null
[ ! -e /resting.ko ] || insmod /resting.ko
for each in $(ls /sys/class/net | grep -e eth -e usb); do
    read mac < /sys/class/net/$each/address; ip link set $each name card${mac##*:}
done
"""
NETWORK = """
if [ -e /sys/class/net/eth1 ]; then
    unshare -n sh -c 'echo $$ > /tmp/far; exec sleep 1000000' > /dev/null 2>&1 &
    sleep 1
    ip link set eth1 netns $(cat /tmp/far); far ip link set eth1 up
fi
ip link set lo up; ip link set eth0 up
[ ! -e /sys/class/net/lan0 ] || ip link set lan0 up
sleep 3
ip addr add 10.9.0.1/24 dev eth0
for each in 2:99 3:98; do arp -i eth0 -s 10.9.0.${each%:*} 02:00:00:00:00:${each#*:}; done
if [ -e /sys/class/net/lan0 ]; then
    ip addr add 10.8.0.1/24 dev lan0; echo 1 > /proc/sys/net/ipv4/ip_forward
    insmod /cross.ko device=gen0 to=$(cat /sys/class/net/lan0/address)
fi
"""


def run(platform, scripts, methods=(), kernel_modules=(), insert="", files=(), cross=False, dump=None, timeout=600, **options):
    """Runs scripts in a guest of the platform, in the network above; returns an ExactRun of them. In the guest are the methods
    as /methods/NAME, the modules of the evaluation as /ktrxer.ko, /tap.ko and /floor.ko; kTRxer's is loaded, with the
    parameters `insert`. `kernel_modules` are the kernel's own; with `cross` there can be cross traffic. `options` are exact_run's."""
    inside = [
        (f"/methods/{name}", compiled_once(f"method-{name}", platform.architecture, METHODS / "train.c", METHODS / f"{name}.c"))
        for name in methods
    ]
    inside += [("/bin/far", FAR), ("/methods/none", b"")]
    sources = [kbed.KMOD, BENCH / "tap", KERNEL_TESTS / "floor"]
    if platform.architecture.startswith("mips"):
        sources.append(KERNEL_TESTS / "resting")
    if cross and platform.forwards:
        sources.append(BENCH / "cross")
    if cross:
        inside.append(("/bin/cross", CROSS_FORWARDED if platform.forwards else CROSS_OWN))
    if cross and not platform.forwards:
        inside.append(("/bin/load", compiled_once("load", platform.architecture, BENCH / "cross" / "load.c")))
    for source in sources:
        module = kbed.built_module(source, platform.kernel)
        inside.append((f"/{module.name}", module))
    cards = platform.cards(cross)
    names = "".join(f"ip link set card{number:02x} name {name}\n" for number, (name, _, _) in enumerate(cards, 1))
    begin = f"{NAMES.replace('CARDS', str(len(cards)))}{names}{NETWORK}\ninsmod /ktrxer.ko {insert}\nsleep 1"
    done = exact_run(
        root(platform.architecture), platform.debian, [begin, *scripts], cards=[(model, hub) for _, model, hub in cards],
        modules=[*kernel_modules, *(USB_MODULES if platform.model == USB_CARD else ())], files=[*inside, *files],
        shift=platform.shift, memory=platform.memory, dump=dump, dump_bytes=128, timeout=timeout, **options,
    )
    begun, *done.results = done.results
    begun.check()
    return done
