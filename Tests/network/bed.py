# SPDX-License-Identifier: MIT
"""The two beds of the network tests: a place with a small internet in it where commands can be run.

VirtualBed  a User Mode Linux guest whose time is virtual: it stands still while programs run and jumps when
            all of them sleep. Delays are exact to the microsecond, and a day passes in seconds.
PlainBed    namespaces on the machine's own kernel: real time, no delays. Needs root.

Both run shell scripts, by default in the namespace of the home host, and return a Result. The guest's shell is
busybox: it takes its own ip, tc and ping unless the path is given (/bin/ip, /sbin/tc). What the small internet looks like is drawn in examples/small-internet.sh, which makes it in both.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import guest
from guest import EPOCH, ROOT, SECOND, BedFailure, Result, UmlGuest

SMALL_INTERNET = ROOT / "examples" / "small-internet.sh"
# Another agent than the one that was just built: KTRXER_AGENT.
AGENT = pathlib.Path(os.environ.get("KTRXER_AGENT") or ROOT / "build" / "x86_64" / "ktrxer-agent").resolve()

SERVER4, SERVER6 = "192.0.2.80", "2001:db8:80::80"
HOPS4 = ["192.168.1.1", "198.51.100.2", "198.51.100.6", "198.51.100.10", SERVER4]
HOPS6 = ["2001:db8:1::1", "2001:db8:a::2", "2001:db8:b::2", "2001:db8:c::2", SERVER6]
# Round-trip times from home to each of them, ns, where the kernel has netem.
HOP_RTT = [500_000, 8_500_000, 10_500_000, 16_500_000, 20_500_000]
SERVER_RTT = HOP_RTT[-1]


class Bed:
    """What both beds share. `name` is the small internet's; `folder` the host's view of `inside`."""

    virtual: bool
    name: str
    folder: pathlib.Path
    inside: str

    def run(self, script, node="home", timeout=60) -> Result:
        """Runs a shell script in a node's namespace. `timeout` is real seconds."""
        raise NotImplementedError

    def ns(self, node):
        """The name of a node's network namespace."""
        return f"{self.name}-{node}"

    def write(self, name, content):
        """Puts a file where the script finds it; returns its path there."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return f"{self.inside}/{name}"

    def read(self, name):
        """A file that a script has left in the bed's folder."""
        return (self.folder / name).read_text()

    def agent(self, arguments, **keywords):
        """ktrxer-agent with these arguments, in the home host."""
        return self.run(f"exec ktrxer-agent {arguments}", **keywords)


class VirtualBed(UmlGuest, Bed):
    """A running guest. Used as a context manager; the guest ends with it."""

    virtual = True

    def __init__(self, root, memory="192M", internet=True, **keywords):
        super().__init__(root, memory, **keywords)
        self.name = "ktrxer-bed"
        try:
            # No limit on ICMP errors here either: this one is of the whole kernel, not of a namespace.
            self.run(
                "echo 'nameserver 192.0.2.53' > /tmp/resolv.conf; echo 0 > /proc/sys/net/ipv4/route/error_cost", node=None
            ).check()
            if internet:
                # Links settle (addresses, queues) within a second or two of virtual time.
                self.run("bash /bin/small-internet up bed && sleep 3", node=None).check()
        except BaseException:
            self.close()
            raise

    def run(self, script, node="home", timeout=60):
        return super().run(script, node and self.ns(node), timeout)


class PlainBed(Bed):
    """The small internet on the machine's own kernel. Used as a context manager, which removes it."""

    virtual = False

    def __init__(self):
        if os.geteuid() != 0:
            raise BedFailure("network namespaces on the machine's own kernel need root")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ktrxer-plain-"))
        self.folder.chmod(0o755)
        self.inside = str(self.folder)
        up = subprocess.run([SMALL_INTERNET, "up"], capture_output=True, text=True)
        if up.returncode != 0:
            raise BedFailure(f"small-internet.sh up failed: {up.stderr}")
        self.name = up.stdout.strip()
        (self.folder / "ktrxer-agent").symlink_to(AGENT)

    def run(self, script, node="home", timeout=60):
        prefix = [] if node is None else ["ip", "netns", "exec", self.ns(node)]
        environment = dict(os.environ, PATH=f"{self.folder}:{os.environ['PATH']}:/usr/sbin:/sbin", LC_ALL="C")
        with subprocess.Popen(
            [*prefix, "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, errors="replace", env=environment, cwd=self.folder,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
                raise BedFailure(f"not done after {timeout} s:\n{Result(script, -1, out, err)}")
        return Result(script, process.returncode if process.returncode >= 0 else 128 - process.returncode, out, err)

    def close(self):
        subprocess.run([SMALL_INTERNET, "down", self.name], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def make_root(folder, agent=AGENT):
    """Assembles the guest's root folder."""
    guest.make_root(folder, agent)
