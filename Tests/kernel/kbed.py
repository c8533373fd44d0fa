# SPDX-License-Identifier: MIT
"""Guests for kernel modules: a machine with one kernel or another, the module in it, and a judge of its log.

UmlKernel    the debug kernel of User Mode Linux: finds wrong memory accesses, lock orders, sleeps, leaks. Starts in a second.
DebianGuest  a Debian kernel on an emulated x86_64 machine.

Both are what guest.Guest is, and KernelGuest on top.
"""

import contextlib
import hashlib
import pathlib
import subprocess
import time

import kernel_log
from guest import CACHE, ROOT, BedFailure, UmlGuest
from kept import kept
from qemu import KERNELS, QemuGuest, debian_kernels

KMOD = ROOT / "kmod"
FAULTY = ROOT / "Tests" / "kernel" / "faulty"
KMEMLEAK = "/sys/kernel/debug/kmemleak"


class KernelMisbehaved(AssertionError):
    """The kernel's log, or its leak detector, shows what must not be."""


def built_module(source, kernel):
    """Builds the module in a folder for a kernel ("uml" or a name of kernels.sh), once for each content; returns the .ko."""
    source = pathlib.Path(source)
    kdir = subprocess.check_output([KERNELS, "path", kernel, "kdir"], text=True).strip()
    content = hashlib.sha256(kdir.encode())
    for path in sorted(source.rglob("*")):
        if path.is_file() and (path.suffix in (".c", ".h") or path.name in ("Kbuild", "Makefile")) and ".mod." not in path.name:
            content.update(str(path.relative_to(source)).encode() + b"\0" + path.read_bytes())

    def build(folder):
        built = subprocess.run([KERNELS, "build", kernel, source, folder], capture_output=True, text=True)
        if built.returncode != 0:
            raise BedFailure(f"{source} does not build for {kernel}:\n{built.stdout}{built.stderr}")

    (module,) = kept(f"{source.name}-{kernel}", content.hexdigest()[:16], build).glob("*.ko")
    return module


class KernelGuest:
    """What is said of the kernel, whichever it is. Mixed into a Guest."""

    kind: str
    leak_detector = False

    def begin(self):
        """From here on the log is judged."""
        self._settle_log()
        self._mark = len(self.kernel_log())
        self._tolerated = []

    def _settle_log(self):
        """Kernels of late print in a thread of their own: waits until all that was said so far is in the log."""
        if self.ended:
            return
        self._lines = getattr(self, "_lines", 0) + 1
        line = f"bed: line {self._lines} of the tests"
        self.run(f"echo '<5>{line}' > /dev/kmsg").check()
        end = time.monotonic() + 10
        while line not in self.kernel_log():
            if time.monotonic() > end:
                raise BedFailure(f"the kernel ({self.kind}) does not print any more")
            time.sleep(0.005)

    def log_since(self):
        """What the kernel has said since begin."""
        self._settle_log()
        return self.kernel_log()[self._mark :]

    def tolerate(self, *patterns):
        """Reports whose title matches are provoked on purpose, until the next begin."""
        self._tolerated += patterns

    def reports(self):
        """What in the log since begin means that something is wrong."""
        return kernel_log.reports(self.log_since(), self._tolerated)

    def judge(self):
        """Raises KernelMisbehaved if there are reports."""
        found = self.reports()
        if found:
            raise KernelMisbehaved(
                f"the kernel ({self.kind}) reported {len(found)} thing(s):\n" + "\n-----\n".join(map(str, found[:5]))
            )

    def load(self, source=KMOD, parameters=""):
        """Builds a module for this kernel, and loads it. Returns its name."""
        module = built_module(source, self.kind)
        name = module.stem
        self.run(f"insmod {self.put(module)} {parameters}").check()
        return name

    def load_failing(self, source=KMOD, parameters=""):
        """Has each allocation and each copy from user space fail in turn while the module loads. Returns the errno that
        each attempt came to, 0 if it was done without. Unloads it."""
        self.tolerate(r"page allocation failure", r"vmalloc error")
        seen = self.run(f"load-failing {self.put(built_module(source, self.kind))} '{parameters}'", timeout=300).check()
        *attempts, last = seen.out.splitlines()
        if last != "whole":
            raise BedFailure(f"load-failing did not come to an end\n{seen}")
        return [int(line.split()[1]) for line in attempts]

    def unload(self, name="ktrxer"):
        self.run(f"rmmod {name}").check()

    def suspects(self):
        """What kmemleak holds lost now. Objects younger than 5 s are not looked at, and one scan only notes them."""
        if not self.leak_detector:
            return []
        seen = self.run(f"sleep 6; echo scan > {KMEMLEAK}; echo scan > {KMEMLEAK}; cat {KMEMLEAK}").check()
        return kernel_log.leaks(seen.out)

    def note_leaks(self):
        """What is lost already is the kernel's own affair, and what is lost in the same way later."""
        self._known_leaks = {leak.trace for leak in self.suspects()}
        if self.leak_detector:
            self.run(f"echo clear > {KMEMLEAK}").check()

    def judge_leaks(self):
        """Raises KernelMisbehaved if something was lost since note_leaks. While the module is loaded, its functions have names."""
        found = [leak for leak in self.suspects() if leak.trace not in self._known_leaks]
        if found:
            raise KernelMisbehaved(f"kmemleak ({self.kind}):\n" + "\n".join(map(str, found[:20])))


class UmlKernel(KernelGuest, UmlGuest):
    """User Mode Linux with the debug kernel. `clock` as in UmlGuest."""

    kind = "uml"
    leak_detector = True

    def __init__(self, root, clock="virtual", memory="512M"):
        super().__init__(root, memory, "debug", clock)
        with _closing_on_failure(self):
            # Injected failures strike allocations that may sleep, too, and each prints no stack.
            self.run(
                "for each in /sys/kernel/debug/fail*; do echo 0 > $each/verbose; done\n"
                "for each in /sys/kernel/debug/fail*/ignore-gfp-*; do echo N > $each; done\n"
                "echo 0 > /sys/kernel/debug/fail_page_alloc/min-order"
            ).check()
            self.begin()
            self.note_leaks()


class DebianGuest(KernelGuest, QemuGuest):
    """An emulated machine with the kernel of that name; cards and modules as in QemuGuest."""

    def __init__(self, root, kind, **keywords):
        self.kind = kind
        self.debian = debian_kernels()[kind]
        super().__init__(root, self.debian, **keywords)
        self.begin()
        self._known_leaks = set()


@contextlib.contextmanager
def _closing_on_failure(guest):
    try:
        yield
    except BaseException:
        guest.close()
        raise


def available_kinds():
    """The kernels that are in the cache: uml, then Debian's by name."""
    return ["uml", *debian_kernels()]


def started(kind, root, **keywords):
    """A guest of that kind."""
    return UmlKernel(root, **keywords) if kind == "uml" else DebianGuest(root, kind, **keywords)
