# SPDX-License-Identifier: MIT
import os
import pathlib
import subprocess

import pytest

from guest import ROOT

TARGET = "mips_24kc"
KERNEL = "mips-6.1"


def pack(folder, *arguments, target=TARGET, architecture=TARGET, **environment):
    """Runs the packer on what is built for a target."""
    return subprocess.run(
        [ROOT / "packaging" / "make_packages.py", "ipk", "--target", target, "--architecture", architecture, "--output", folder,
         "--cross-compile", "mips-linux-gnu-", *arguments],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.fixture(scope="session")
def kdir():
    kernels = ROOT / "Tests" / "kernel" / "kernels.sh"
    return pathlib.Path(subprocess.check_output([kernels, "path", KERNEL, "kdir"], text=True).strip())


@pytest.fixture(scope="session")
def packages(tmp_path_factory, kdir):
    """The folder of the router's packages, made for the tests' kernel."""
    folder = tmp_path_factory.mktemp("dist")
    done = pack(folder, "--kdir", kdir)
    assert done.returncode == 0, done.stderr
    return folder / TARGET
