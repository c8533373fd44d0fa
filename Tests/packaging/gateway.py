# SPDX-License-Identifier: MIT
"""A home gateway with Debian's systemd, in an emulated PC: this machine's own programs, read only, below folders of its own for
all that is written. systemd is PID 1 of a container there, with the guest's kernel, its module, control groups and devices.

          eth0 192.0.2.7 ──── 192.0.2.1 the provider's router, a network namespace
"""

import subprocess

import kbed
import qemu
from guest import BEDS, ROOT

PROVIDER = "192.0.2.1"
#: Of what systemd would start by itself: what a machine has to do with hardware, users and consoles, which is not there.
MASKED = """
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket
    systemd-hwdb-update.service systemd-logind.service getty.target systemd-binfmt.service systemd-sysusers.service
    ldconfig.service
    systemd-journal-flush.service systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-update-utmp.service
    systemd-update-utmp-runlevel.service systemd-user-sessions.service systemd-journal-catalog-update.service
    systemd-modules-load.service systemd-sysctl.service systemd-random-seed.service systemd-tmpfiles-clean.timer
"""
SETUP = f"""
set -e
mkdir /machine /keep
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro machine /machine
for file in passwd group nsswitch.conf ld.so.cache; do cp /machine/etc/$file /keep/; done
for folder in etc var usr/local root tmp; do mount -t tmpfs none /machine/$folder; done
cp /keep/* /machine/etc/
mkdir -p /machine/etc/systemd/system /machine/var/log /machine/var/lib /machine/tmp/bed
ln -s /run /machine/var/run; chmod 1777 /machine/tmp
mount -o bind /bed /machine/tmp/bed
echo 0123456789abcdef0123456789abcdef > /machine/etc/machine-id; echo gateway > /machine/etc/hostname
echo '{PROVIDER} example.net' > /machine/etc/hosts
for unit in {" ".join(MASKED.split())}; do ln -s /dev/null /machine/etc/systemd/system/$unit; done
insmod /bed/ktrxer.ko
unshare -n sh -c 'echo $$ > /tmp/provider; exec sleep 1000000' > /dev/null 2>&1 &
sleep 1
ip link set eth1 netns $(cat /tmp/provider)
provider="nsenter -n -t $(cat /tmp/provider)"
$provider ip link set eth1 up; $provider ip addr add {PROVIDER}/24 dev eth1
ip link set lo up; ip link set eth0 up; ip addr add 192.0.2.7/24 dev eth0; ip route add default via {PROVIDER}
"""
ENVIRONMENT = "/usr/bin/env -i HOME=/root container=bed PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT = f"""
chroot /machine {ENVIRONMENT} /usr/bin/unshare --fork --pid --mount --cgroup \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=console > /tmp/systemd.log 2>&1 &
"""
# The first of this name: while it starts, it has children that are not yet what they will be.
FIRST = "$(pidof systemd | tr ' ' '\\n' | sort -n | head -n 1)"
# A unit of the machine's own that fails here is not what is tested.
READY = "timeout 240 systemctl is-system-running --wait || [ $? != 124 ]"


class Gateway:
    """The machine, with the archive of docs/gateway-cron.md in root's home."""

    def __init__(self, folder):
        root = folder / "root"
        subprocess.run([BEDS / "make-device-root.sh", root, "amd64"], check=True)
        machine = ["-fsdev", "local,id=machine,path=/,security_model=none,readonly=on,multidevs=remap",
                   "-device", "virtio-9p-pci,fsdev=machine,mount_tag=machine"]  # fmt: skip
        self.guest = qemu.QemuGuest(root, qemu.debian_kernels()["6.1"], memory="512M", options=machine)
        self.guest.put(kbed.built_module(ROOT / "kmod", "6.1"))
        self.guest.put(archive(folder))
        self.guest.run(SETUP, timeout=60).check()
        self.boot()
        self.run("cp /tmp/bed/ktrxer-gateway.tar.gz /root").check()

    def boot(self):
        self.guest.run(BOOT).check()
        self.guest.run(f"until [ -e /proc/{FIRST}/root/run/systemd/private ]; do sleep 1; done", timeout=60).check()
        self.run(READY, timeout=90).check()

    def run(self, script, timeout=60):
        """Runs commands as root does who has just logged in."""
        self.guest.write("commands", "set -e -o pipefail; cd\n" + script)
        inside = f"nsenter -t {FIRST} -m -p chroot /machine {ENVIRONMENT} bash /tmp/bed/commands"
        return self.guest.run(f"cd /; {inside}", timeout=timeout)

    def reboot(self):
        """systemd ends all that runs, and itself; then another one starts. /run is new."""
        self.run("systemctl reboot").check()
        self.guest.run("while pidof systemd > /dev/null; do sleep 1; done", timeout=60).check()
        self.boot()

    def close(self):
        self.guest.close()


def archive(folder):
    """As the page's first section makes it."""
    installed = folder / "installed"
    subprocess.run(["make", "-s", "-C", ROOT, "install", f"DESTDIR={installed}"], check=True, capture_output=True)
    path = folder / "ktrxer-gateway.tar.gz"
    options = ["--owner=root", "--group=root", "-czf", path]
    subprocess.run(["tar", "-C", installed / "usr/local", *options, "bin", "lib", "share"], check=True)
    return path
