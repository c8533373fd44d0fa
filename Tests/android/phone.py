# SPDX-License-Identifier: MIT
"""An emulated AArch64 phone with Android's adbd, and Android's adb on this side: what push.sh and pull.sh meet.

Two daemons run in it: one as root, one as the user 2000 that Android calls shell. Programs are busybox's, which is not Android's
toybox, but holds the scripts to what both know. There is no getprop and no dumpsys, as in Debian.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time

import qemu
from guest import BEDS, ROOT

CACHE = pathlib.Path(os.environ.get("KTRXER_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ktrxer")
HOME = "/data/local/tmp/ktrxer"


def make_root(folder):
    """The file system of the phone, without the bundle."""
    subprocess.run([BEDS / "make-device-root.sh", folder, "arm64"], check=True)
    adbd = pathlib.Path(subprocess.check_output([BEDS / "adbd.sh", "path", CACHE], text=True).strip())
    shutil.copytree(adbd / "usr/lib", folder / "usr/lib", symlinks=True)
    os.symlink("usr/lib", folder / "lib")
    (folder / "system").mkdir()
    os.symlink("../bin", folder / "system/bin")
    for applet in ("su", "cut", "find", "sort", "uniq", "tr", "setsid", "df"):
        if not (folder / "bin" / applet).exists():
            os.symlink("busybox", folder / "bin" / applet)
    with open(folder / "etc/passwd", "a") as passwd:
        passwd.write("shell:x:2000:2000:shell:/:/bin/sh\n")
    with open(folder / "etc/group", "a") as group:
        group.write("shell:x:2000:\n")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SETUP = r"""
mkdir -p /data/local/tmp /data/other && chown 2000:2000 /data/local/tmp
ip link set lo up; echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range
for card in $(ls /sys/class/net); do
    case $(cat /sys/class/net/$card/address) in
    02:00:00:00:00:01) ip link set $card name wlan0 ;;
    02:00:00:00:00:02) far=$card ;;
    52:54:00:*) ip addr add 10.0.2.15/24 dev $card; ip link set $card up ;;
    esac
done
unshare -n sh -c "echo \$\$ > /tmp/gw; exec sleep 1000000" > /dev/null 2>&1 &
sleep 1
ip link set $far netns $(cat /tmp/gw)
gw="nsenter -n -t $(cat /tmp/gw)"
$gw ip link set $far up; $gw ip addr add 192.0.2.1/24 dev $far; $gw ip link set lo up; $gw netserver
ip link set wlan0 up; ip addr add 192.0.2.7/24 dev wlan0; ip route add default via 192.0.2.1
ping -q -c 1 192.0.2.1 > /dev/null
ADBD_PORT=5555 /usr/lib/android-sdk/platform-tools/adbd > /tmp/adbd.log 2>&1 &
su shell -c 'ADBD_PORT=5556 /usr/lib/android-sdk/platform-tools/adbd' > /tmp/adbd-shell.log 2>&1 &
sleep 2; ps | grep adbd
"""


class Phone:
    """The phone while it runs; `root` and `shell` are the serial numbers of its two daemons."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        make_root(folder / "root")
        kernel = qemu.debian_kernels("arm64")["arm64-6.1"]
        ports = free_port(), free_port()
        self.root, self.shell = (f"127.0.0.1:{port}" for port in ports)
        forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:{inside}" for port, inside in zip(ports, (5555, 5556)))
        self.environment = dict(os.environ, ANDROID_ADB_SERVER_PORT=str(free_port()), HOME=str(folder), TZ="UTC")
        self.guest = qemu.QemuGuest(
            folder / "root", kernel, cards=("e1000", "e1000"), memory="512M",
            options=["-netdev", f"user,id=adb,restrict=on,{forwards}", "-device", "e1000,netdev=adb,mac=52:54:00:00:00:01,romfile="],
        )
        self.guest.run(SETUP, timeout=60).check()
        for serial in self.root, self.shell:
            self.connect(serial)

    def connect(self, serial):
        end = time.monotonic() + 240
        while "connected to" not in (said := self.adb("connect", serial).stdout):
            if time.monotonic() > end:
                raise AssertionError(f"adb does not connect: {said}{self.guest.run('cat /tmp/adbd*.log; ip addr; ps').out}")
            time.sleep(1)

    def adb(self, *arguments, timeout=240):
        return subprocess.run(["adb", *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout)

    def script(self, path, *arguments, timeout=1200, environment=None):
        return subprocess.run(
            [path, *arguments], env={**self.environment, **(environment or {})}, capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL,
        )

    def close(self):
        with contextlib.suppress(Exception):
            self.adb("kill-server")
        self.guest.close()


def bundle(abi="arm64-v8a"):
    """The zip of the ABI, made as a user makes it."""
    made = subprocess.run(["make", "-s", "android", f"ABI={abi}", "ANDROID_NDK_ROOT="], cwd=ROOT, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return ROOT / made.stdout.strip().splitlines()[-1].partition(":")[0]
