# SPDX-License-Identifier: MIT
"""What takes long to make and depends on its inputs alone, kept in build/kernel."""

import fcntl
import shutil

from guest import ROOT


def kept(name, key, make):
    """build/kernel/NAME-KEY, a file or folder that make(path) makes unless it is there, instead of that NAME with another key. It is
    there only when it is whole. Several test processes may want it at the same time."""
    target = ROOT / "build" / "kernel" / f"{name}-{key}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            for old in target.parent.glob(f"{name}-*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            partial = target.with_name(f"{target.name}.new")
            make(partial)
            partial.rename(target)
    return target
