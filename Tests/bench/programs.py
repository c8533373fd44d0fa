# SPDX-License-Identifier: MIT
"""Programs of the evaluation, and the root folder of its guests: made once for each architecture, and kept while this process runs."""

import functools
import pathlib
import shutil
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


def _made(architecture, name, command):
    """The file or folder of that name, which the command, a function of where it is to be, makes unless it is there. It is there
    only when it is whole. Two guests are prepared at the same time."""
    with _TURN:
        target = pathlib.Path(_kept().name) / architecture / name
        if not target.exists():
            partial = target.with_name(f"{name}.new")
            shutil.rmtree(partial, ignore_errors=True)
            target.parent.mkdir(exist_ok=True)
            done = subprocess.run(command(partial), capture_output=True, text=True)
            if done.returncode != 0:
                raise BedFailure(f"{name} cannot be made for {architecture}:\n{done.stderr}")
            partial.rename(target)
        return target


def compiled_once(name, architecture, *sources, options=()):
    """A static program of C sources and libraries, which are the same whenever it is asked for by this name; returns where it is on
    the host. The compiler's warnings are errors; the linker's are not shown: it warns of what libpcap could look up, and nobody does."""
    options = ["-static", "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-I", kbed.KMOD / "uapi", *options]
    return _made(architecture, name, lambda target: [sending.COMPILERS[architecture], *options, "-o", target, *sources])


def root(architecture):
    """The root folder of make-device-root.sh, not to be written to: several guests have it."""
    return _made(architecture, "root", lambda target: [BEDS / "make-device-root.sh", target, architecture])
