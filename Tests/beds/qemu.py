# SPDX-License-Identifier: MIT
"""Kernels of kernels.sh on emulated machines, with the root folder of make_root (x86_64) or of make_device_root as initial
file system: PC, router (Malta board with a 24Kc, both byte orders) and phone (the virt machine, ARMv7 and AArch64).

QemuGuest  runs scripts as they come; host and guest share a folder over 9p. Real time.
exact_run  runs scripts that are known from the start on a clock that counts instructions: what the guest measures, and
           what is captured outside it, comes out the same to the byte from run to run of the same kernel, root and qemu.

Network cards are all on one hub, with nothing else, or a card is a pair of its model and its hub's number. One that is alone
on its hub sends into the void, and of two the second can be moved into a network namespace of its own (`ip link set eth1 netns
far`), which makes a network inside the guest.
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import lzma
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from guest import BEDS, PATIENCE, BedFailure, Guest, Result, clipped
from kept import kept

KERNELS = BEDS.parent / "kernel" / "kernels.sh"
# In the order in which a test names them; their dependencies come along.
BASE_MODULES = ["virtio_pci", "virtio_net", "e1000"]
ROUTER_MODULES = [*BASE_MODULES, "pcnet32"]


@dataclasses.dataclass(frozen=True)
class Machine:
    """What qemu emulates, and how its kernel names its ports."""

    program: str
    options: tuple
    append: str
    #: Where results of exact_run go out, as qemu makes it and as the guest names it.
    port: tuple
    port_name: str
    modules: tuple = tuple(BASE_MODULES)


_SERIAL = ("-serial", "file:{results}")
# A hang at the first idle under -icount without nowait. For its idle time there is ../kernel/resting.
_MALTA = dict(options=("-M", "malta", "-cpu", "24Kc"), append="console=ttyS0 nowait", port=_SERIAL, port_name="/dev/ttyS1",
              modules=tuple(ROUTER_MODULES))
# The virt machine has one serial port of its own; the second is a PCI card.
_VIRT = dict(append="console=ttyAMA0", port=("-chardev", "file,id=results,path={results}", "-device", "pci-serial,chardev=results"),
             port_name="/dev/ttyS0")
MACHINES = {
    "amd64": Machine("qemu-system-x86_64", ("-M", "pc", "-cpu", "qemu64", "-accel", "tcg"),
                     # What processors have wrong need not be mended in an emulator.
                     "console=ttyS0 mitigations=off nokaslr", _SERIAL, "/dev/ttyS1"),
    # With KASLR an AArch64 kernel has page tables of its own (KPTI), which would be a third of the emulator's time.
    "arm64": Machine("qemu-system-aarch64", ("-M", "virt", "-cpu", "cortex-a53"), **_VIRT | {"append": f"{_VIRT['append']} nokaslr"}),
    "armhf": Machine("qemu-system-arm", ("-M", "virt,highmem=off", "-cpu", "cortex-a15"), **_VIRT),
    "mipsel": Machine("qemu-system-mipsel", **_MALTA),
    "mips": Machine("qemu-system-mips", **_MALTA),
}
#: A card that is at the USB. Its driver is none of the machines' modules.
USB_CARD, USB_MODULES = "usb-net", ["xhci_pci", "cdc_ether"]
#: From an exact virtio card's doorbell until it takes the frames.
VIRTIO_FETCH_NS = 1000
#: An emulator that is caught in a loop of its own does not hear that it is to end.
STOPS_WITHIN_S = 20
SHARED_FOLDER_MODULES = ["9pnet_virtio", "9p"]


@dataclasses.dataclass
class DebianKernel:
    """A kernel of kernels.sh that is in the cache. Names begin with the architecture unless it is amd64."""

    name: str
    release: str
    vmlinuz: pathlib.Path
    modules: pathlib.Path
    config: pathlib.Path

    @property
    def architecture(self):
        return self.name.rpartition("-")[0] or "amd64"

    @property
    def machine(self):
        return MACHINES[self.architecture]

    def with_dependencies(self, names):
        """The files of modules and of all that they need, in loading order. Built-in ones need no file."""
        needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, others = line.partition(":")
            needs[path] = others.split()
        by_name = {pathlib.PurePath(path).name.removesuffix(".ko").replace("-", "_"): path for path in needs}
        builtin = {
            pathlib.PurePath(line).name.removesuffix(".ko").replace("-", "_")
            for line in (self.modules / "modules.builtin").read_text().splitlines()
        }
        order = []
        for name in (name.replace("-", "_") for name in names):
            if name in builtin:
                continue
            if name not in by_name:
                raise BedFailure(f"Linux {self.release} has no module {name}")
            # modules.dep lists what is needed last first.
            for path in [*reversed(needs[by_name[name]]), by_name[name]]:
                if path not in order:
                    order.append(path)
        return [self.modules / path for path in order]


def _startable(kernel):
    """The file that qemu starts. Decompressing a PC's kernel takes the emulator longer than all else until the first script; the
    ELF file in it starts as well (PVH), and is kept in build/. So it is where the kernel is compressed by XZ: of Debian's, up to 6.1."""
    if kernel.architecture != "amd64" or not {"CONFIG_KERNEL_XZ=y", "CONFIG_PVH=y"} <= set(kernel.config.read_text().splitlines()):
        return kernel.vmlinuz
    packed = kernel.vmlinuz.read_bytes()

    def unpack(target):
        unpacker = lzma.LZMADecompressor()
        try:
            content = unpacker.decompress(packed[packed.find(b"\xfd7zXZ\0") :])
        except lzma.LZMAError as error:
            raise BedFailure(f"{kernel.vmlinuz} cannot be unpacked: {error}") from error
        if not unpacker.eof:
            raise BedFailure(f"{kernel.vmlinuz} ends too early")
        target.write_bytes(content)

    return kept(f"vmlinux-{kernel.name}", hashlib.sha256(packed).hexdigest()[:16], unpack)


def debian_kernels(architecture="amd64"):
    """The kernels of an architecture that are here, by name."""
    found = {}
    for line in subprocess.check_output([KERNELS, "list"], text=True).splitlines():
        name, _, release = line.split()
        if release == "-" or (name.rpartition("-")[0] or "amd64") != architecture:
            continue

        def path(what):
            return pathlib.Path(subprocess.check_output([KERNELS, "path", name, what], text=True).strip())

        found[name] = DebianKernel(name, release, path("vmlinuz"), path("modules"), path("config"))
    return found


def make_initramfs(root, kernel, modules, target, files=()):
    """An initial file system: the root folder, modules with their dependencies, and files [(path inside, bytes or source)]."""
    with tempfile.TemporaryDirectory(prefix="ktrxer-initramfs-") as name:
        top = pathlib.Path(name)
        (top / "modules").mkdir()
        order = []
        for source in kernel.with_dependencies(modules):
            shutil.copy(source, top / "modules" / source.name)
            order.append(f"/modules/{source.name}\n")
        (top / "modules" / "order").write_text("".join(order))
        for inside, content in files:
            path = top / inside.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, pathlib.Path):
                shutil.copy(content, path)
            else:
                path.write_bytes(content)
        # Two archives, one behind the other, are one to the kernel. Inodes and times would differ from run to run.
        with open(target, "wb") as archive:
            for folder in pathlib.Path(root), top:
                names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
                for path in folder.rglob("*"):
                    os.utime(path, (0, 0), follow_symlinks=False)
                made = subprocess.run(
                    ["cpio", "--quiet", "--reproducible", "-o", "-H", "newc", "-R", "0:0"],
                    cwd=folder, input="\n".join(names) + "\n", text=True, stdout=archive, stderr=subprocess.PIPE,
                )
                if made.returncode != 0:
                    raise BedFailure(f"cpio failed: {made.stderr}")


def _card(model, number, exact):
    """A card's options. An exact one at virtio looks at its queue a moment after its doorbell, by the guest's clock, and in the
    processor's own thread, instead of when another thread of the emulator has its turn."""
    options = [model, f"netdev=n{number}", f"mac=02:00:00:00:00:{number + 1:02x}"]
    if model != USB_CARD:
        options.append("romfile=")
    if exact and model.startswith("virtio-net"):
        options += ["ioeventfd=off", "tx=timer", f"x-txtimer={VIRTIO_FETCH_NS}"]
    return ",".join(options)


def _machine(kernel, initramfs, cards, memory, append, processors=1, exact=False):
    machine = kernel.machine
    command = [
        machine.program, *machine.options, "-smp", str(processors), "-m", memory, "-nodefaults",
        "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(_startable(kernel)), "-initrd", str(initramfs),
        # A panic ends the guest at once. The kernel's ciphers need not be tested: that alone is a third of its start.
        "-append", f"{machine.append} panic=-1 cryptomgr.notests loglevel=7 {append}",
    ]
    cards = [card if isinstance(card, tuple) else (card, 0) for card in cards]
    if any(model == USB_CARD for model, _ in cards):
        command += ["-device", "qemu-xhci"]
    for number, (model, hub) in enumerate(cards):
        command += [
            "-netdev", f"hubport,id=n{number},hubid={hub}", "-device", _card(model, number, exact),
        ]
    hubs = [hub for _, hub in cards]
    for hub in sorted(set(hubs)):
        if hubs.count(hub) == 1:
            # Somebody who takes the frames: nobody listens there.
            command += [
                "-netdev", f"socket,id=void{hub},udp=127.0.0.1:9,localaddr=127.0.0.1:0", "-netdev", f"hubport,id=sink{hub},hubid={hub},netdev=void{hub}",
            ]
    return command


class QemuGuest(Guest):
    """A running guest. `modules` are loaded with their dependencies before the first script; `append` goes to the kernel's
    command line, `options` to qemu's. Its processors run at the same time, each in a thread of the host."""

    def __init__(self, root, kernel, cards=("e1000", "e1000"), modules=(), memory="256M", processors=1, append="", options=()):
        super().__init__()
        initramfs = self.folder.with_suffix(".cpio")
        try:
            make_initramfs(root, kernel, [*kernel.machine.modules, *SHARED_FOLDER_MODULES, *modules], initramfs)
            command = _machine(kernel, initramfs, cards, memory, f"BED=9p BED_WAIT=1 {append}", processors)
            command += ["-virtfs", f"local,path={self.folder},mount_tag=bed,security_model=none", *options]
            self.start(command)
            self.run("true", timeout=120).check()
        except BaseException:
            self.close()
            raise
        finally:
            initramfs.unlink(missing_ok=True)


@dataclasses.dataclass
class ExactRun:
    """What came of an exact run: a Result for each script, the kernel log, and what the dumped card saw (pcap)."""

    results: list
    kernel_log: str
    dump: bytes


def exact_run(root, kernel, scripts, cards=("e1000", "e1000"), modules=(), files=(), shift=3, memory="256M",
              dump=None, dump_bytes=65536, timeout=120, only=None, options=(), repeatable=True):
    """Runs scripts in a guest of their own. One instruction takes 2^shift ns. `dump` is the number of the card to capture at,
    so many bytes of each frame. `options` are further ones of qemu's. Without `repeatable`, two runs need not be the same.
    With `only`, the guest is ended after so many scripts; up to there everything is as if it were not. It may be a function that
    says so of what the scripts have reported, {"NUMBER.out": content and so on}; it is asked several times a second."""
    with tempfile.TemporaryDirectory(prefix="ktrxer-exact-") as name:
        folder = pathlib.Path(name)
        contents = [(f"/bed/{number}.cmd", script.encode() + b"\n") for number, script in enumerate(scripts, 1)]
        make_initramfs(root, kernel, [*kernel.machine.modules, *modules], folder / "initramfs", [*contents, *files])
        command = _machine(kernel, folder / "initramfs", cards, memory, f"BED=batch BED_PORT={kernel.machine.port_name}", exact=True)
        # Recorded only because the emulator's two threads then take turns: the clock could leap, when nothing is to do, before
        # the instructions up to there were counted.
        turns = f",rr=record,rrfile={os.devnull}" if repeatable else ""
        command += [
            "-icount", f"shift={shift},align=off,sleep=off{turns}", "-rtc", "base=2024-01-01,clock=vm", "-seed", "1",
            *(option.format(results=folder / "results") for option in kernel.machine.port), *options,
        ]
        if dump is not None:
            command += ["-object", f"filter-dump,id=dump,netdev=n{dump},file={folder / 'dump'},maxlen={dump_bytes}"]
        with _a_processor() as processor:
            log = _ended([*_keeps_its_turn(), "taskset", "-c", processor, *command], folder, timeout, only)
        said = _said(folder)
        results = []
        if callable(only):
            only = sum(f"{number}.status" in said for number in range(1, len(scripts) + 1))
        for number, script in enumerate(scripts[:only], 1):
            if f"{number}.status" not in said:
                raise BedFailure(f"the guest ended during\n{script}\n--- kernel log\n{clipped(log)}")
            text = {kind: said[f"{number}.{kind}"].decode(errors="replace") for kind in ("out", "err", "status")}
            results.append(Result(script, int(text["status"]), text["out"], text["err"]))
        return ExactRun(results, log, (folder / "dump").read_bytes() if dump is not None else b"")


@functools.cache
def _keeps_its_turn():
    """What an exact guest is started by, if that may be done here: of its threads, which only take turns, none takes the other's
    away by waking up. A third of the time was switching."""
    batch = ["chrt", "--batch", "0"]
    return batch if subprocess.run([*batch, "true"], capture_output=True).returncode == 0 else []


@contextlib.contextmanager
def _a_processor():
    """A processor of the host's that no other exact guest has, as taskset names it; all, if none is left. The threads of such a
    guest only take turns, and on one processor they do so in half the time."""
    processors = sorted(os.sched_getaffinity(0))
    for processor in processors:
        with open(pathlib.Path(tempfile.gettempdir()) / f"ktrxer-guest-on-{processor}.{os.getuid()}", "a") as taken:
            try:
                fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield str(processor)
            return
    yield ",".join(map(str, processors))


def _ended(command, folder, timeout, only):
    """Runs the emulator until it ends, or has reported as much as is wanted; returns the kernel log."""
    enough = only if callable(only) else lambda said: only and f"{only}.status" in said
    path = folder / "kernel.log"
    end = time.monotonic() + PATIENCE * timeout
    with open(path, "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=dict(os.environ, TZ="UTC"),
        )
    try:
        while process.poll() is None and not enough(_said(folder)):
            if time.monotonic() > end:
                raise BedFailure(f"not done after {PATIENCE * timeout} s\n--- kernel log\n{clipped(path.read_text(errors='replace'))}")
            time.sleep(0.1)
    finally:
        # What it has captured is in the file when it ends of its own accord, and when it is asked to.
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return path.read_text(errors="replace")


def _said(folder):
    """{name: content} of what bed-init has reported in full: a line "NAME LENGTH", then the bytes."""
    path = folder / "results"
    stream = path.read_bytes() if path.exists() else b""
    files = {}
    while b"\n" in stream:
        head, _, stream = stream.partition(b"\n")
        name, length = head.decode().split()
        if len(stream) < int(length):
            break
        files[name], stream = stream[: int(length)], stream[int(length):]
    return files
