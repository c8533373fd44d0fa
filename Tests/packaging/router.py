# SPDX-License-Identifier: MIT
"""The life of the packages on the emulated router, as one script for each step: installed, configured, reloaded, upgraded; after a
restart with what has been written, driven by cron, removed. device/ stands in for OpenWrt's base system. On a clock that counts
instructions, waiting costs little."""

import base64
import dataclasses
import pathlib
import shutil
import subprocess

import devices
import ipk_reader
import kbed
from guest import BEDS, ROOT
from qemu import debian_kernels, exact_run

DEVICE = ROOT / "Tests" / "packaging" / "device"

#: In front of each step.
PRELUDE = """
service() { "/etc/init.d/$1" "$2"; }
results=/tmp/ktrxer/results.jsonl
records() { cat "${1:-$results}" 2> /dev/null | wc -l; }
# await SECONDS COMMAND...
await() { local left=$1; shift; while ! "$@"; do left=$((left - 1)); [ $left -ge 0 ] || return 1; sleep 1; done; }
more_than() { [ "$(records)" -gt "$1" ]; }
agent() { cat /var/run/procd/ktrxer/child 2> /dev/null; }
running() { [ -n "$(agent)" ] && kill -0 "$(agent)"; }
logged() { grep "$1" /tmp/log; }
files() { find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /bed \\) -prune -o -print | sort; }
contents() { files | while read -r name; do [ ! -f "$name" ] || echo "$(md5sum "$name") $(stat -c %Y.%Z "$name")"; done; files; }
uptime_s() { cut -d' ' -f1 /proc/uptime; }
"""

STEPS = {
    # Configuration is flash memory here.
    "base": """
umount /etc/config
/bin/busybox --install -s /bin 2> /dev/null
mkdir -p /tmp/run/procd /tmp/lock /etc/rc.d /etc/config /etc/crontabs /usr/lib/opkg/info
echo 100000000 > /etc/space-left
syslogd -O /tmp/log; await 5 test -S /dev/log; logger hello; await 5 grep -q hello /tmp/log
""",
    "network": devices.NETWORK,
    "refused": """
echo mipsel_24kc > /etc/architecture; echo 'kernel (=6.1.0-1-0)' > /etc/kernel-package
files > /tmp/before
opkg install /agent.ipk; echo "status $?"
echo mips_24kc > /etc/architecture
opkg install /module.ipk; echo "status $?"
echo 100000 > /etc/space-left; opkg install /agent.ipk; echo "status $?"; echo 100000000 > /etc/space-left
files | diff /tmp/before - && echo "nothing installed"
""",
    "install": """
cat /kernel-package > /etc/kernel-package
touch /before; files > /before
began=$(uptime_s)
opkg install /agent.ipk || exit 1
echo "installed $began $(uptime_s)"
await 70 more_than 0 || exit 1
echo "first $(uptime_s)"
echo "cpu $(cut -d' ' -f14-15 "/proc/$(agent)/stat")"
cat "$results"
""",
    "files": "ls -l /etc/config/ktrxer /dev/ktx /etc/rc.d; cat /var/run/ktrxer/jobs",
    # A run of the default job, and the next.
    "no-writes": """
contents > /tmp/names; seen=$(records)
sleep 320
contents | diff /tmp/names - && echo "nothing changed, records $(($(records) - seen))"
""",
    "module": """
opkg install /module.ipk || exit 1
ls -l /dev/ktx /dev/krx; cat /sys/module/ktrxer/parameters/memory_ceiling_kib
seen=$(records); service ktrxer restart; await 70 more_than "$seen" && tail -n 1 "$results"
""",
    "module-options": """
sed -i "s/option rate_ceiling .*/option rate_ceiling '1000'/; s/#option group .*/option group 'nogroup'/" /etc/config/ktrxer-module
procd-event config.change ktrxer-module
cat /sys/module/ktrxer/parameters/rate_ceiling
ls -l /dev/ktx
sed -i "s/option group .*/#&/" /etc/config/ktrxer-module; procd-event config.change ktrxer-module; ls -l /dev/ktx
sed -i "s/#option group .*/option group 'nogroup'/" /etc/config/ktrxer-module
sed -i "s/option burst_ceiling .*/option burst_ceiling 'many'/; s/option rate_ceiling .*/option rate_ceiling '2000'/" /etc/config/ktrxer-module
procd-event config.change ktrxer-module
cat /sys/module/ktrxer/parameters/rate_ceiling
sed -i "s/option burst_ceiling .*/option burst_ceiling '128'/; s/option rate_ceiling .*/option rate_ceiling '250000'/" /etc/config/ktrxer-module
rmmod ktrxer; service ktrxer-module start; kmodloader; ls -l /dev/ktx
""",
    "reload": """
before=$(agent)
sed -i "s/option interval .*/option interval '10s'/; s/option splay .*/option splay '0'/; s/option count .*/option count '3'/" /etc/config/ktrxer
procd-event config.change ktrxer; sleep 1
seen=$(records); sleep 30; echo "records $(($(records) - seen))"
echo "option" >> /etc/config/ktrxer; procd-event config.change ktrxer
sed -i '$d' /etc/config/ktrxer
seen=$(records); sleep 20; echo "records $(($(records) - seen))"
[ "$before" = "$(agent)" ] && echo "the same process"
logged 'etc/config/ktrxer:'
""",
    "interface": """
cat >> /etc/config/ktrxer <<'END'
config job 'bound'
	option kind 'ping'
	list target '203.0.113.2'
	option interface 'opt0'
	option count '1'
	option interval '5s'
config job 'once'
	option kind 'ping'
	list target '203.0.113.2'
	option interface 'opt0'
	option count '2'
	option at 'start'
END
procd-event config.change ktrxer; sleep 7
logged 'waits for'; grep -c -e '"job":"bound"' -e '"job":"once"' "$results"
# ifup
ip link add opt0 type dummy; ip addr add 203.0.113.1/24 dev opt0; ip link set opt0 up
procd-event interface.up opt; sleep 8
grep -c '"job":"bound"' "$results"; grep -c '"job":"once"' "$results"
# It goes and comes: what runs at start has run.
ip link set opt0 down; procd-event interface.down opt; sleep 1; grep -c . /var/run/ktrxer/waiting
ip link set opt0 up; procd-event interface.up opt; sleep 7
grep -c '"job":"once"' "$results"; ip link del opt0; procd-event interface.down opt
sed -i '/^config job .bound/,$d' /etc/config/ktrxer; procd-event config.change ktrxer
""",
    "no-route": """
ip route del default; ip -6 route del default; procd-event interface.down wan
logged 'gateway waits for'; grep target /var/run/ktrxer/jobs
ip -6 route add default via fe80::1 dev eth0; procd-event interface.up wan6; grep -m1 "target 'fe80" /var/run/ktrxer/jobs
ip -6 route del default; ip -6 route add default via 2001:db8:1::1; ip route add default via 192.168.1.1; procd-event interface.up wan
grep -m1 "target '192" /var/run/ktrxer/jobs; running && echo up
""",
    "respawn": """
before=$(agent); kill -9 "$before"; sleep 2; await 10 running && [ "$(agent)" != "$before" ] && echo again
seen=$(records); await 20 more_than "$seen" && echo measured
""",
    "rotate": """
sed -i "s/option max_size .*/option max_size '4k'/; s/option keep .*/option keep '1'/" /etc/config/ktrxer
procd-event config.change ktrxer; sleep 70; ls -l /tmp/ktrxer
""",
    "memory-full": """
service ktrxer stop; sleep 1; mkdir -p /var/run/ktrxer
mount -t tmpfs -o size=4k tmpfs /var/run/ktrxer && dd if=/dev/zero of=/var/run/ktrxer/full bs=4k count=1 2> /dev/null
service ktrxer start; echo "status $?"; ls /var/run/ktrxer; running || echo "not running"
umount /var/run/ktrxer; service ktrxer start; sleep 1; running && echo up
""",
    "results-full": """
# Once full is gone, there is room for what "rotate" has: results.jsonl and results.jsonl.1, of a page each.
mkdir -p /etc/ktrxer; mount -t tmpfs -o size=16k tmpfs /etc/ktrxer; dd if=/dev/zero of=/etc/ktrxer/full bs=4k count=4 2> /dev/null
sed -i "s|option output .*|option output '/etc/ktrxer/results.jsonl'|" /etc/config/ktrxer
service ktrxer restart; sleep 25; running && echo up; logged '/etc/ktrxer/results.jsonl' | tail -n 1
rm /etc/ktrxer/full; sleep 25; cat /etc/ktrxer/results.jsonl* | wc -l
service ktrxer stop; umount /etc/ktrxer; rmdir /etc/ktrxer
sed -i "s|option output .*|option output '/tmp/ktrxer/results.jsonl'|" /etc/config/ktrxer; service ktrxer start
""",
    "upgrade": """
before=$(agent); cp /etc/config/ktrxer /tmp/mine
opkg install /agent-new.ipk; echo "status $?"
cmp /etc/config/ktrxer /tmp/mine && ls /etc/config/ktrxer-opkg && grep -c 'a new default' /etc/config/ktrxer-opkg
sleep 1; running && [ "$(agent)" != "$before" ] && echo "the new one runs"; ls /etc/rc.d
""",
    # What is to be there after a restart: all files that are not as they were in the image, whose times are 0. Memory is not.
    "shutdown": """
sed -i "s|option output .*|option output '/etc/ktrxer/results.jsonl'|" /etc/config/ktrxer
service ktrxer restart; sleep 25; echo "before $(records /etc/ktrxer/results.jsonl)"; ls -d /tmp/ktrxer /var/run/ktrxer
for script in /etc/rc.d/K*; do "$script" stop; done
find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /bed -o -path /modules \\) -prune -o \\
    ! -type d -newer /init -print > /tmp/changed
tar -czf /tmp/overlay.tar.gz $(cat /tmp/changed) 2> /dev/null && base64 /tmp/overlay.tar.gz
""",
}

#: After that: the same image, what was changed, and a new kernel.
STEPS_AFTER_RESTART = {
    "base again": STEPS["base"],
    "network again": devices.NETWORK,
    "boot": """
ls /tmp/ktrxer /var/run/ktrxer /dev/ktx 2> /dev/null; echo "found $(records /etc/ktrxer/results.jsonl)"
kmodloader; for script in /etc/rc.d/S*; do "$script" boot; done
sleep 25; running && echo "after $(records /etc/ktrxer/results.jsonl)"; ls /dev/ktx; cat /lib/upgrade/keep.d/ktrxer-agent
tail -n 1 /etc/ktrxer/results.jsonl
""",
    "cron": """
service ktrxer disable; service ktrxer stop
sed -i "s|option output .*|option output '/tmp/ktrxer/results.jsonl'|; s/option interval .*/option interval '2m'/; s/option max_size .*/option max_size '256k'/" /etc/config/ktrxer
rm -rf /etc/ktrxer /tmp/ktrxer; echo '* * * * * /etc/init.d/ktrxer due' > /etc/crontabs/root
crond -c /etc/crontabs -L /tmp/cron.log; sleep 250; echo "records $(records)"; running || echo "no process stays"
killall crond; rm /etc/crontabs/root
""",
    "jail": """
printf '#!/bin/sh\\n' > /sbin/ujail; chmod +x /sbin/ujail
service ktrxer start; cd /var/run/procd/ktrxer; cat jail capabilities no_new_privs
for path in $(cat mounts mounts_rw); do [ -e "$path" ] || echo "no $path"; done; cat mounts_rw; grep -c . mounts
service ktrxer stop; rm /sbin/ujail
""",
    "remove": """
service ktrxer enable; service ktrxer start; sleep 1
opkg remove kmod-ktrxer; echo "status $?"; lsmod | grep -c ktrxer; running && echo "the agent stays"
opkg remove ktrxer-agent; echo "status $?"; pidof ktrxer-agent || echo "no process"
rm -f /etc/config/ktrxer /etc/config/ktrxer-opkg /etc/config/ktrxer-module
files | diff /before -; ls -d /tmp/ktrxer /var/run/ktrxer
""",
}


@dataclasses.dataclass
class Life:
    results: dict
    kernel_log: str


def live(packages, newer, folder):
    """Runs all steps with the packages of a folder, and a newer package of the agent."""
    device = devices.DEVICES["router"]
    kernel = debian_kernels(device.architecture)[device.kernel]
    root = pathlib.Path(folder) / "root"
    subprocess.run([BEDS / "make-device-root.sh", root, device.architecture], check=True)
    (root / "var").rmdir()
    (root / "var").symlink_to("tmp")
    shutil.copytree(DEVICE, root, dirs_exist_ok=True)
    (agent,) = packages.glob("ktrxer-agent_*.ipk")
    (module,) = packages.glob("kmod-ktrxer_*.ipk")
    files = [
        ("/agent.ipk", agent), ("/module.ipk", module), ("/agent-new.ipk", newer),
        ("/resting.ko", kbed.built_module(devices.RESTING, device.kernel)),
        ("/kernel-package", ipk_reader.read(module.read_bytes()).fields["Depends"].encode() + b"\n"),
    ]  # fmt: skip
    done = _run(root, kernel, device, STEPS, files)
    results = dict(zip(STEPS, done.results))
    overlay = results["shutdown"].check().out.partition("/var/run/ktrxer\n")[2]
    subprocess.run(["tar", "-xzf", "-", "-C", root], input=base64.b64decode(overlay), check=True)
    again = _run(root, kernel, device, STEPS_AFTER_RESTART, files)
    return Life(results | dict(zip(STEPS_AFTER_RESTART, again.results)), done.kernel_log + again.kernel_log)


def _run(root, kernel, device, steps, files):
    return exact_run(
        root, kernel, [PRELUDE + script for script in steps.values()], cards=(device.card,) * 3, files=files, shift=1,
        memory=device.memory, timeout=400,
    )  # fmt: skip
