# SPDX-License-Identifier: MIT
"""The two beds of the network tests: a place with a small internet in it where commands can be run.

VirtualBed  a User Mode Linux guest whose time is virtual: it stands still while programs run and jumps when
            all of them sleep. Delays are exact to the microsecond, and a day passes in seconds.
PlainBed    namespaces on the machine's own kernel: real time, no delays. Needs root.

Both run shell scripts, by default in the namespace of the home host, and return a Result. The guest's shell is
busybox: it takes its own ip, tc and ping unless the path is given (/bin/ip, /sbin/tc). What the small internet looks like is drawn in examples/small-internet.sh, which makes it in both.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL_INTERNET = ROOT / "examples" / "small-internet.sh"
# Another agent than the one that was just built: KTRXER_AGENT.
AGENT = pathlib.Path(os.environ.get("KTRXER_AGENT") or ROOT / "build" / "x86_64" / "ktrxer-agent").resolve()
CACHE = pathlib.Path(
    os.environ.get("KTRXER_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ktrxer"
)

SERVER4, SERVER6 = "192.0.2.80", "2001:db8:80::80"
HOPS4 = ["192.168.1.1", "198.51.100.2", "198.51.100.6", "198.51.100.10", SERVER4]
HOPS6 = ["2001:db8:1::1", "2001:db8:a::2", "2001:db8:b::2", "2001:db8:c::2", SERVER6]
# Round-trip times from home to each of them, ns, where the kernel has netem.
HOP_RTT = [500_000, 8_500_000, 10_500_000, 16_500_000, 20_500_000]
SERVER_RTT = HOP_RTT[-1]

SECOND = 1_000_000_000
# Seconds since 1970 at which the virtual clock starts: Monday, 1 January 2024, 00:00 UTC.
EPOCH = 1_704_067_200


class BedFailure(Exception):
    """The bed itself broke: it did not start, or did not come back from a command."""


@dataclasses.dataclass(repr=False)
class Result:
    """What a script did. Prints as everything it said, for the message of a failing assertion."""

    script: str
    status: int
    out: str
    err: str

    def json(self):
        """The JSON records on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    def check(self, *statuses):
        assert self.status in (statuses or (0,)), f"unexpected exit status\n{self}"
        return self

    def __repr__(self):
        return (
            f"--- script\n{self.script.strip()}\n--- exit status {self.status}\n"
            f"--- standard output\n{_clipped(self.out)}\n--- standard error\n{_clipped(self.err)}"
        )


def _clipped(text, limit=20_000):
    if len(text) <= limit:
        return text.rstrip("\n")
    return f"{text[:limit // 2]}\n[... {len(text) - limit} characters left out ...]\n{text[-limit // 2:]}".rstrip("\n")


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


class VirtualBed(Bed):
    """A running guest. Used as a context manager; the guest ends with it."""

    virtual = True
    inside = "/bed"

    def __init__(self, root, memory="192M", internet=True):
        self.kernel = kernel_path()
        if not self.kernel.exists():
            raise BedFailure(f"no kernel at {self.kernel}; run: make setup")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ktrxer-bed-"))
        self.name = "ktrxer-bed"
        self._count = 0
        self._log = self.folder / "kernel.log"
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                [
                    str(self.kernel), f"mem={memory}", "rootfstype=hostfs", f"rootflags={root}", "ro", "init=/init",
                    f"BED={self.folder}", "con=null", "con0=null,fd:2", "con1=null", "time-travel=inf-cpu",
                    f"time-travel-start={EPOCH * SECOND}", f"umid={self.folder.name}",
                    # A panic ends the guest at once instead of leaving it in a loop.
                    "panic=-1",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                # UML keeps its memory in a file there, and its control socket in the home folder.
                env={"PATH": os.environ["PATH"], "TMPDIR": "/dev/shm", "HOME": str(self.folder)},
            )
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
        if self._process.poll() is not None:
            raise BedFailure("the guest has ended in an earlier test")
        self._count += 1
        number = self._count
        if node is not None:
            (self.folder / f"{number}.ns").write_text(self.ns(node))
        command = self.folder / f"{number}.cmd"
        partial = self.folder / f"{number}.new"
        partial.write_text(script + "\n")
        partial.rename(command)
        done = self.folder / f"{number}.status"
        os.kill(self._process.pid, signal.SIGCONT)
        end = time.monotonic() + timeout
        pause = 0.0005
        while not done.exists():
            if self._process.poll() is not None:
                raise BedFailure(f"the guest ended during\n{script}\n--- kernel log\n{_clipped(self.kernel_log())}")
            if time.monotonic() > end:
                out, err = self._said(number)
                self.close()
                raise BedFailure(
                    f"not done after {timeout} s:\n{Result(script, -1, out, err)}\n"
                    f"--- kernel log\n{_clipped(self.kernel_log_text)}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        # The guest spins while it has nothing to do; it can do so when it is asked again.
        os.kill(self._process.pid, signal.SIGSTOP)
        out, err = self._said(number)
        return Result(script, int(done.read_text()), out, err)

    def _said(self, number):
        def text(kind):
            path = self.folder / f"{number}.{kind}"
            return path.read_text(errors="replace") if path.exists() else ""

        return text("out"), text("err")

    def kernel_log(self):
        return self._log.read_text(errors="replace")

    def close(self):
        if self._process.poll() is None:
            (self.folder / "off").touch()
            os.kill(self._process.pid, signal.SIGCONT)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        if self.folder.exists():
            self.kernel_log_text = self.kernel_log()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


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


def kernel_path():
    """Where the User Mode Linux kernel of this tree is, or would be."""
    script = ROOT / "Tests" / "beds" / "uml.sh"
    return pathlib.Path(subprocess.check_output([script, "path", CACHE], text=True).strip())


def make_root(folder, agent=AGENT):
    """Assembles the guest's root folder."""
    script = ROOT / "Tests" / "beds" / "make-root.sh"
    made = subprocess.run([script, folder, agent], capture_output=True, text=True)
    if made.returncode != 0:
        raise BedFailure(f"make-root.sh failed: {made.stderr}")
