# SPDX-License-Identifier: MIT
"""Programs of the evaluation, and the root folder of its guests: made once for each architecture, and kept while this process runs."""

import functools
import pathlib
import subprocess
import tempfile
import threading

import kbed
import sending
from guest import BEDS, BedFailure

_TURN = threading.Lock()


@functools.cache
def _kept():
    return tempfile.TemporaryDirectory(prefix="ktrxer-programs-")


def _made(architecture, name, make):
    """The file or folder of that name; `make` makes it unless it is there. Two guests are prepared at the same time."""
    with _TURN:
        target = pathlib.Path(_kept().name) / architecture / name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            make(target)
        return target


def compiled(name, architecture, *sources, options=()):
    """A static program of C sources (and libraries); returns where it is on the host."""

    def make(target):
        done = subprocess.run(
            [sending.COMPILERS[architecture], "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
             "-I", kbed.KMOD / "uapi", *options, "-o", target, *sources],
            capture_output=True, text=True,
        )  # fmt: skip
        # The linker warns of what libpcap could look up, and nobody does.
        if done.returncode != 0:
            raise BedFailure(f"{name} does not compile for {architecture}:\n{done.stderr}")

    return _made(architecture, name, make)


def root(architecture):
    """The root folder of make-device-root.sh, not to be written to."""
    return _made(
        architecture, "root", lambda target: subprocess.run([BEDS / "make-device-root.sh", target, architecture], check=True)
    )
