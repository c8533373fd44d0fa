# SPDX-License-Identifier: MIT
"""Guests of the tests: virtual machines that run shell scripts, one after the other, and tell what came of them.

UmlGuest   User Mode Linux: the machine's own programs on a kernel of ours, with virtual time or without.
QemuGuest  Debian's kernels on an emulated x86_64 machine; see qemu.py.

Host and guest share a folder, /bed in the guest. programs/bed-init.c, PID 1 there, is the other end of what
Guest.run does. Scripts run in busybox's shell, which takes its own applets (ip, ping) unless a path is given.
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
BEDS = ROOT / "Tests" / "beds"
CACHE = pathlib.Path(
    os.environ.get("KTRXER_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ktrxer"
)

SECOND = 1_000_000_000
#: Limits of time are there for what hangs. Machines that have much else to do take longer for what does not.
PATIENCE = 4
# Seconds since 1970 at which virtual clocks start: Monday, 1 January 2024, 00:00 UTC.
EPOCH = 1_704_067_200


class BedFailure(Exception):
    """The bed itself broke: it did not start, or did not come back from a command."""


def clipped(text, limit=20_000):
    if len(text) <= limit:
        return text.rstrip("\n")
    return f"{text[:limit // 2]}\n[... {len(text) - limit} characters left out ...]\n{text[-limit // 2:]}".rstrip("\n")


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
            f"--- standard output\n{clipped(self.out)}\n--- standard error\n{clipped(self.err)}"
        )


class Guest:
    """A running machine that executes what it finds in its folder. Used as a context manager, which ends it."""

    inside = "/bed"
    # Whether the machine is stopped between two scripts, so that nothing in it gets older meanwhile.
    paused = False
    kernel_log_text = ""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ktrxer-bed-"))
        self._count = 0
        self._log = self.folder / "kernel.log"
        self._process = None

    def start(self, command, **keywords):
        """Starts the emulator; what it prints is the kernel log."""
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, **keywords
            )

    @property
    def ended(self):
        """Whether the machine has gone."""
        return self._process is None or self._process.poll() is not None

    def run(self, script, namespace=None, timeout=60) -> Result:
        """Runs a shell script, in a network namespace of `ip netns` if one is named. `timeout` is real seconds, of a
        machine that does nothing else."""
        if self.ended:
            raise BedFailure("the guest has ended in an earlier test")
        self._count += 1
        number = self._count
        if namespace is not None:
            (self.folder / f"{number}.ns").write_text(namespace)
        command = self.folder / f"{number}.cmd"
        partial = self.folder / f"{number}.new"
        partial.write_text(script + "\n")
        partial.rename(command)
        done = self.folder / f"{number}.status"
        self._signal(signal.SIGCONT)
        end = time.monotonic() + PATIENCE * timeout
        pause = 0.0005
        while not done.exists():
            if self.ended:
                raise BedFailure(f"the guest ended during\n{script}\n--- kernel log\n{clipped(self.kernel_log())}")
            if time.monotonic() > end:
                out, err = self._said(number)
                self.close()
                raise BedFailure(
                    f"not done after {PATIENCE * timeout} s:\n{Result(script, -1, out, err)}\n"
                    f"--- kernel log\n{clipped(self.kernel_log_text)}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, 0.02)
        self._signal(signal.SIGSTOP)
        out, err = self._said(number)
        return Result(script, int(done.read_text()), out, err)

    def _signal(self, number):
        if self.paused:
            os.kill(self._process.pid, number)

    def _said(self, number):
        def text(kind):
            path = self.folder / f"{number}.{kind}"
            return path.read_text(errors="replace") if path.exists() else ""

        return text("out"), text("err")

    def write(self, name, content):
        """Puts a file where a script finds it; returns its path there."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content)
        return f"{self.inside}/{name}"

    def put(self, source, name=None):
        """Copies a file of the host, with its mode, to where a script finds it; returns its path there."""
        name = name or pathlib.Path(source).name
        shutil.copy(source, self.folder / name)
        return f"{self.inside}/{name}"

    def read(self, name):
        """A file that a script has left in the guest's folder."""
        return (self.folder / name).read_text()

    def kernel_log(self):
        """All that the kernel has said so far; after close, all that it ever said."""
        return self._log.read_text(errors="replace") if self._log.exists() else self.kernel_log_text

    def close(self):
        if not self.ended:
            (self.folder / "off").touch()
            self._signal(signal.SIGCONT)
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


class UmlGuest(Guest):
    """User Mode Linux over a root folder of make_root. `configuration` names its kernel (see uml.sh), `clock` its time:

    still   virtual: stands still while anything runs, jumps when all sleep. Exact delays. A loop in the kernel that
            waits for a time with interrupts off never ends.
    virtual virtual: passes as programs run, jumps when all sleep.
    real    the host's.
    """

    def __init__(self, root, memory="192M", configuration="network", clock="still"):
        super().__init__()
        self.kernel = uml_path(configuration)
        if not self.kernel.exists():
            raise BedFailure(f"no kernel at {self.kernel}; run: make setup")
        self.paused = clock == "still"
        travel = {"still": ["time-travel=inf-cpu"], "virtual": ["time-travel"], "real": ["BED_WAIT=1"]}[clock]
        if clock != "real":
            travel.append(f"time-travel-start={EPOCH * SECOND}")
        self.start(
            [
                str(self.kernel), f"mem={memory}", "rootfstype=hostfs", f"rootflags={root}", "ro", "init=/init",
                f"BED={self.folder}", "con=null", "con0=null,fd:2", "con1=null", *travel, f"umid={self.folder.name}",
                # A panic ends the guest at once instead of leaving it in a loop.
                "panic=-1", *(["kasan_multi_shot"] if configuration == "debug" else []),
            ],
            # UML keeps its memory in a file there, and its control socket in the home folder.
            env={"PATH": os.environ["PATH"], "TMPDIR": "/dev/shm", "HOME": str(self.folder)},
        )


def uml_path(configuration, what="path"):
    """Where the User Mode Linux kernel of this tree, or what modules for it are built against (kdir), is or would be."""
    return pathlib.Path(subprocess.check_output([BEDS / "uml.sh", what, CACHE, configuration], text=True).strip())


def make_root(folder, agent):
    """Assembles a guest's root folder."""
    made = subprocess.run([BEDS / "make-root.sh", folder, agent], capture_output=True, text=True)
    if made.returncode != 0:
        raise BedFailure(f"make-root.sh failed: {made.stderr}")
