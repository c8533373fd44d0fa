# SPDX-License-Identifier: MIT
"""What the agent takes of a device, beside fping, mtr and scamper that do the same: bytes of the program, memory, and the
instructions that the processor spends in an hour, the kernel's share included.

    waiting  nothing is due: the agent waits for its next job, scamper's daemon for commands
    ping     five ICMP echo requests every minute
    trace    three probes to each hop every minute

The agent stays and has its schedule; the others are started each time, as cron would. What an hour costs without any of them is
taken off. The network is the one of ../devices: a router, and a server behind it, in namespaces of the same guest.
"""

import pathlib
import shutil
import subprocess
import tempfile

import capture
import devices
import kbed
import platforms
from guest import BEDS, CACHE, ROOT
from programs import compiled_once
from qemu import exact_run

NAME = "agent"
TARGET = "192.0.2.80"
MINUTES, QUICK_MINUTES = 12, 4
#: Instructions. A packet alone takes ten thousand.
LEAST_OF_A_JOB = 500_000
AGENT = "config agent\n\toption output '/tmp/{name}.jsonl'\nconfig job '{name}'\n\tlist target '" + TARGET + "'\n"
JOBS = {
    "waiting": "\toption kind 'ping'\n\toption cron '0 12 * * *'\n",
    "ping": "\toption kind 'ping'\n\toption count '5'\n\toption gap '200ms'\n\toption interval '1m'\n",
    "trace": "\toption kind 'trace'\n\toption probes '3'\n\toption interval '1m'\n",
}
OURS = ("kernel", "packet")
# tool -> (its programs, {job: (seconds from start to start or 0, command)})
OTHERS = {
    "fping": (("fping",), {"ping": (60, f"fping -q -c 5 -p 200 {TARGET}")}),
    "mtr": (("mtr", "mtr-packet"), {"trace": (60, f"mtr -n -r -c 3 {TARGET}")}),
    "scamper": (("scamper",), {
        "waiting": (0, "scamper -P 31337"),
        "ping": (60, f"scamper -I 'ping -c 5 -i 1 {TARGET}'"),
        "trace": (60, f"scamper -I 'trace -P icmp-paris -q 3 -Q {TARGET}'"),
    }),
}  # fmt: skip


def applies_to(names, quick):
    """One of each device, or just one."""
    # The little-endian router's kernel reckons idle time by ticks, which says nothing of what is done between two of them.
    devices_once = [name for name in capture.applies_to(names, quick) if not name.startswith("router-le")]
    return devices_once[:1] if quick else devices_once


def _readelf(path):
    return subprocess.check_output(["readelf", "-d", path], text=True)


def _needed(folder, programs):
    """The libraries that programs need."""
    found, waiting = set(), [folder / "bin" / name for name in programs]
    while waiting:
        for line in _readelf(waiting.pop()).splitlines():
            name = line.partition("[")[2].rstrip("]")
            if "(NEEDED)" in line and name not in found:
                found.add(name)
                waiting.append(folder / "lib" / name)
    return found


def _probers(platform):
    """The folder of the others' programs, or None: not all are there for every device."""
    if platform.architecture == "mips":
        return None
    folder = subprocess.check_output([platforms.BENCH / "probers.sh", "path", CACHE, platform.architecture], text=True).strip()
    folder = pathlib.Path(folder)
    if not (folder / "bin" / "scamper").exists():
        raise platforms.BedFailure(f"no fping, mtr and scamper for {platform.architecture} here; run: make setup-kernels")
    return folder


def _plan(probers):
    """[(tool, job, seconds from start to start, command)]; the first is nothing at all."""
    plan = [("", "", 0, "-")]
    for job, options in JOBS.items():
        for transport in OURS:
            plan.append((f"ktrxer-agent, {transport}", job, 0, f"ktrxer-agent run -f /jobs/{transport}-{job}"))
    if probers:
        plan += [(tool, job, *what) for tool, (_, jobs) in OTHERS.items() for job, what in jobs.items()]
    return plan


def _job_files():
    return [
        (f"/jobs/{transport}-{job}", f"{AGENT.format(name=f'{transport}_{job}')}\toption transport '{transport}'\n{options}".encode())
        for job, options in JOBS.items() for transport in OURS
    ]  # fmt: skip


def _sizes(platform, probers):
    """{tool: (bytes of its programs, of the libraries that they need)}."""
    agent = (ROOT / "build" / platform.target / "ktrxer-agent").stat().st_size
    sizes = {f"ktrxer-agent, {transport}": (agent, 0) for transport in OURS}
    for tool, (programs, _) in OTHERS.items() if probers else ():
        own = sum((probers / "bin" / name).stat().st_size for name in programs)
        sizes[tool] = own, sum((probers / "lib" / name).stat().st_size for name in _needed(probers, programs))
    return sizes


def _root(platform, folder, probers):
    agent = ROOT / "build" / platform.target / "ktrxer-agent"
    if not agent.exists():
        raise platforms.BedFailure(f"{agent} is not built; run: make build TARGET={platform.target}")
    hour = compiled_once("hour", platform.architecture, platforms.BENCH / "hours" / "hour.c")
    root = folder / "root"
    subprocess.run([BEDS / "make-device-root.sh", root, platform.architecture, agent, hour], check=True)
    if probers:
        shutil.copytree(probers, root, symlinks=True, dirs_exist_ok=True)
        # fping asks for the number of ICMP.
        shutil.copy("/etc/protocols", root / "etc" / "protocols")
    return root


def measure(platform, quick):
    probers = _probers(platform)
    minutes = QUICK_MINUTES if quick else MINUTES
    plan = _plan(probers)
    files = [("/ktrxer.ko", kbed.built_module(kbed.KMOD, platform.kernel)), *_job_files()]
    if platform.architecture.startswith("mips"):
        files.append(("/resting.ko", kbed.built_module(devices.RESTING, platform.kernel)))
    scripts = [f"{devices.NETWORK}\ninsmod /ktrxer.ko; sleep 60", *(f"hour {60 * minutes} {every} {command}" for *_, every, command in plan)]
    with tempfile.TemporaryDirectory(prefix="ktrxer-evaluation-") as folder:
        done = exact_run(
            _root(platform, pathlib.Path(folder), probers), platform.debian, scripts, cards=(platform.model,) * 3, files=files,
            shift=platform.shift, memory=platform.memory, timeout=1200,
        )  # fmt: skip
    done.results[0].check()
    said = [result.check().json()[0] for result in done.results[1:]]
    spent = [(each["ns"] - each["idle_ns"]) >> platform.shift for each in said]
    for (tool, job, *_), instructions in zip(plan, spent):
        if tool and job != "waiting" and instructions < spent[0] + LEAST_OF_A_JOB:
            raise AssertionError(f"{platform.name}: {tool}, {job}: {instructions - spent[0]} instructions cannot be all")
    sizes = _sizes(platform, probers)
    rows = [{"tool": "none", "job": "waiting", "minutes": minutes, "packets": said[0]["packets"], "instructions": spent[0]}]
    for (tool, job, _, command), each, instructions in list(zip(plan, said, spent))[1:]:
        program, libraries = sizes[tool]
        rows.append({
            "tool": tool, "job": job, "minutes": minutes, "packets": each["packets"], "runs": each["runs"], "instructions": instructions,
            "instructions_per_idle_hour": (instructions - spent[0]) * 60 // minutes, "program_bytes": program,
            "library_bytes": libraries, "resident_kb": each["resident_kb"], "most_kb": each["most_kb"], "command": command,
        })  # fmt: skip
    return rows
