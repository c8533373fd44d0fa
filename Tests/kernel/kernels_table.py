# SPDX-License-Identifier: MIT
"""Builds the module for every kernel that is here, tries it in a guest, and writes the table of docs/kernels.md.

In the guest the module is loaded, sends through a card's driver, takes a storm of calls on both devices and is unloaded;
the kernel's log is judged. With --check nothing is built: the table names the kernels that kernels.sh knows, or it fails.
"""

import dataclasses
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import kbed
import kernel_log
import sending
from guest import BEDS, ROOT, BedFailure, make_root
from qemu import KERNELS, debian_kernels, exact_run

PAGE = ROOT / "docs" / "kernels.md"
BEGIN, END = "<!-- make kernels-table: begin -->", "<!-- make kernels-table: end -->"
COLUMNS = (
    "kernel", "Linux", "from", "processor, byte order", "compiler", "`ktrxer.ko`, bytes", "code", "data", "zeroed",
    "loads, sends, takes a storm, unloads", "all tests of",
)  # fmt: skip
MACHINES = {
    "amd64": "PC", "arm64": "phone, AArch64", "armhf": "phone, ARMv7", "mipsel": "router, little-endian", "mips": "router, big-endian",
}  # fmt: skip
PROCESSORS = {3: "i386", 8: "MIPS", 40: "ARM", 62: "x86_64", 183: "AArch64", 243: "RISC-V"}
# Of the emulated devices of Tests/devices, which the module is measured and judged on as a whole.
DEVICES = {"mips-6.1": "router", "mipsel-6.1": "router-le", "arm64-6.1": "phone", "armhf-6.1": "phone-32"}


def known():
    """[(name, suite, release or "-")] of kernels.sh."""
    return [tuple(line.split()) for line in subprocess.check_output([KERNELS, "list"], text=True).splitlines()]


def architecture(name):
    return name.rpartition("-")[0] or "amd64"


@dataclasses.dataclass(frozen=True)
class Module:
    """A built ktrxer.ko, stripped as packages ship it."""

    processor: str
    order: str
    compiler: str
    size: int
    code: int
    data: int
    zeroed: int


def measured(name, folder):
    """Builds the module for a kernel and measures it."""
    built = kbed.built_module(kbed.KMOD, name)
    comment = subprocess.check_output(["readelf", "-p", ".comment", built], text=True)
    compiler = re.search(r"GCC: \(.*?\) ([\d.]+)", comment)[1]
    stripped = folder / f"{name}.ko"
    shutil.copy(built, stripped)
    prefix = sending.COMPILERS[architecture(name)].removesuffix("gcc")
    subprocess.run(
        ["make", "-s", "-C", kbed.KMOD, "strip", f"MODULE={stripped}", f"CROSS_COMPILE={prefix}"], check=True,
    )  # fmt: skip
    content = stripped.read_bytes()
    order = {1: "little", 2: "big"}[content[5]]
    (machine,) = struct.unpack_from("<H" if order == "little" else ">H", content, 18)
    sizes = {"code": 0, "data": 0, "zeroed": 0}
    sections = subprocess.check_output(["readelf", "-SW", stripped], text=True)
    row = r"^ *\[ *\d+\] \S+ +(\w+) +[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]+) +\d+ +([A-Za-z]+) "
    for kind, length, flags in re.findall(row, sections, flags=re.MULTILINE):
        if "A" in flags and "X" in flags:
            sizes["code"] += int(length, 16)
        elif "A" in flags and "W" in flags:
            sizes["zeroed" if kind == "NOBITS" else "data"] += int(length, 16)
    return Module(PROCESSORS.get(machine, f"ELF machine {machine}"), order, compiler, len(content), **sizes)


def tried(name, folder):
    """Runs the module in a guest; returns what is to stand in the table."""
    kind = architecture(name)
    kernel = debian_kernels(kind)[name]
    programs = [sending.compiled(program, folder / kind, kind) for program in ("ktx", "storm")]
    root = folder / kind / "root"
    if not root.exists():
        if kind == "amd64":
            make_root(root, ROOT / "build" / "x86_64" / "ktrxer-agent")
            for program in programs:
                shutil.copy(program, root / "bin")
        else:
            subprocess.run([BEDS / "make-device-root.sh", root, kind, *programs], check=True)
    scripts = {
        "loads": "insmod /ktrxer.ko && ls -l /dev/ktx /dev/krx",
        "sends": "ip link set eth0 up; sleep 3; ktx -i eth0 -n 3 -l 100",
        "takes a storm": "storm 1 500 3 eth0 lo",
        "unloads": "rmmod ktrxer",
    }
    card = "pcnet" if kind.startswith("mips") else "e1000"
    files = [("/ktrxer.ko", kbed.built_module(kbed.KMOD, name))]
    try:
        # qemu 7.2 cannot record ARMv7's 6.12 and 7 (an assertion of its own fails); whether a module works need not be told twice alike.
        done = exact_run(
            root, kernel, list(scripts.values()), cards=(card,), files=files, shift=1, timeout=300, repeatable=False
        )
    except BedFailure as failure:
        return f"does not: {str(failure).splitlines()[0]}", str(failure)
    results = dict(zip(scripts, done.results))
    failed = [step for step, result in results.items() if result.status != 0]
    if not failed and sending.parsed(results["sends"]).statuses != [sending.SENT] * 3:
        failed = ["sends"]
    if failed:
        return f"not: {failed[0]}", str(results[failed[0]])
    judged = kernel_log.reports(done.kernel_log)
    if judged:
        return f"not: {judged[0].title}", str(judged[0])
    return f"yes: {MACHINES[kind]}", ""


def row(name, suite, release, folder):
    """A line of the table, and what went wrong."""
    try:
        module = measured(name, folder)
    except BedFailure as failure:
        return [name, release, suite, "", "", "does not build", "", "", "", "", ""], str(failure)
    result, trouble = tried(name, folder)
    tests = "`make test-kernel`" if architecture(name) == "amd64" else "–"
    if name in DEVICES:
        tests = f"`make test-devices`, {DEVICES[name]}"
    return [
        name, release, suite, f"{module.processor}, {module.order}", f"gcc {module.compiler}", module.size, module.code, module.data,
        module.zeroed, result, tests,
    ], trouble  # fmt: skip


def written(rows):
    """Puts the table into the page."""
    lines = [COLUMNS, ["---:" if name in ("`ktrxer.ko`, bytes", "code", "data", "zeroed") else "---" for name in COLUMNS], *rows]
    table = "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


def names_in_page():
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    return re.findall(r"^\| ([\w.-]+) \|", table, flags=re.MULTILINE)[1:]


def check():
    wanted, found = [name for name, _, _ in known()], [name for name in names_in_page() if name != "---"]
    if wanted == found:
        print(f"lint: the table of {PAGE.relative_to(ROOT)} has the {len(wanted)} kernels that there are")
        return 0
    print(
        f"lint: {PAGE.relative_to(ROOT)} has the kernels {' '.join(found)}, kernels.sh {' '.join(wanted)}; "
        "run: make setup-kernels kernels-table", file=sys.stderr,
    )  # fmt: skip
    return 1


def main():
    if sys.argv[1:] == ["--check"]:
        return check()
    rows, failed = [], False
    with tempfile.TemporaryDirectory(prefix="ktrxer-kernels-") as directory:
        folder = pathlib.Path(directory)
        for kind in MACHINES:
            (folder / kind).mkdir()
        for name, suite, release in known():
            if release == "-":
                print(f"{name}: not here; run: make setup-kernels", flush=True)
                rows.append([name, "not here when this was written", suite, *[""] * (len(COLUMNS) - 3)])
                continue
            line, trouble = row(name, suite, release, folder)
            rows.append(line)
            print(f"{name}: {line[5]} bytes; {line[9]}", flush=True)
            if trouble:
                failed = True
                print(trouble, file=sys.stderr)
    written(rows)
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
