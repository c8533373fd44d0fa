# SPDX-License-Identifier: MIT
"""What the tests of /dev/ktx share: the statuses of its completions, and the program that sends and prints them."""

import dataclasses
import pathlib
import subprocess

import kbed

PROGRAMS = pathlib.Path(__file__).resolve().parent / "programs"
ODD = pathlib.Path(__file__).resolve().parent / "odd"

(SENT, LATE, BUSY, DOWN, NO_CARRIER, GONE, CANCELLED, NO_MEMORY, BAD_LENGTH, BAD_FRAME, BAD_FLAGS, BAD_QUEUE, DROPPED) = range(13)
# ktx_completion.flags
TIMED, REFERENCED, REACTION, HARDWARE = 1, 2, 4, 8
# ktx_descriptor.flags
DROP_LATE, COPY, QUEUE, STAMP = 1, 2, 4, 8
STAMP_NS = 20_000_000


@dataclasses.dataclass
class Sending:
    """What a run of the program ktx said."""

    completions: list
    statistics: dict
    missing: int
    cancelled: int
    error: str

    @property
    def statuses(self):
        return [done["status"] for done in self.completions]

    @property
    def slips(self):
        """ns between launch time and sending, of each frame that had one and left."""
        return [done["sent"] - done["launch"] for done in self.completions if done["launch"] and done["status"] == SENT]


def parsed(result):
    said = Sending([], {}, 0, -1, "")
    for row in result.json():
        if "cookie" in row:
            said.completions.append(row)
        elif "submitted" in row:
            said.statistics = row
        else:
            said.missing = row.get("missing", said.missing)
            said.cancelled = row.get("cancelled", said.cancelled)
            said.error = row.get("error", said.error)
    return said


COMPILERS = {
    "amd64": "gcc", "arm64": "aarch64-linux-gnu-gcc", "armhf": "arm-linux-gnueabihf-gcc", "mipsel": "mipsel-linux-gnu-gcc",
    "mips": "mips-linux-gnu-gcc",
}


def compiled(name, folder, architecture="amd64"):
    """A program of the folder programs, linked statically; returns where it is on the host."""
    target = pathlib.Path(folder) / name
    if not target.exists():
        subprocess.run(
            [COMPILERS[architecture], "-static", "-Os", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-pthread",
             "-I", kbed.KMOD / "uapi", "-o", target, PROGRAMS / f"{name}.c"],
            check=True,
        )
    return target


def send(guest, arguments, namespace=None, meanwhile="true", timeout=60):
    """Runs the program ktx, which was put into the guest, and a shell script at the same time."""
    result = guest.run(
        f"( {meanwhile} ) > /dev/null & {guest.inside}/ktx {arguments}; status=$?; wait; exit $status",
        namespace=namespace, timeout=timeout,
    )
    said = parsed(result)
    assert said.statistics or said.error, result
    return said


def set_odd(guest, **parameters):
    """Tells odd0 how to behave."""
    guest.run("\n".join(f"echo {value} > /sys/module/odd/parameters/{name}" for name, value in parameters.items())).check()


def odd(guest, name):
    """What odd0 has counted."""
    return int(guest.run(f"cat /sys/module/odd/parameters/{name}").check().out)
