# SPDX-License-Identifier: MIT
"""The signature of an index, `Packages.sig`, which opkg asks for: Ed25519 in the form of OpenBSD's signify, which OpenWrt's usign
shares. Either program makes it."""

import shutil
import subprocess

from failure import Failure

PROGRAMS = ("usign", "signify-openbsd", "signify")


def sign_index(folder, key):
    """Signs with a secret key; without one, a signature of an index that was there before goes."""
    signature = folder / "Packages.sig"
    signature.unlink(missing_ok=True)
    if not key:
        return
    command = [signing_program(), "-S", "-s", key, "-m", folder / "Packages", "-x", signature]
    made = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if made.returncode != 0 or not signature.exists():
        signature.unlink(missing_ok=True)
        raise Failure(f"the index cannot be signed with {key}: {' '.join(made.stderr.split())}")


def signing_program():
    for program in PROGRAMS:
        if shutil.which(program):
            return program
    raise Failure("no usign and no signify on the PATH to sign the index with; install signify-openbsd, or leave SIGN_KEY out")
