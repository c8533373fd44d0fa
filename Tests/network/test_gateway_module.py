# SPDX-License-Identifier: MIT
"""What docs/gateway-cron.md says of dkms, command by command: the module is built and installed for Debian's kernel, and all of it
goes again. The folders that this changes are empty ones of the test's own; loading is not done here but in Tests/kernel."""

import os
import pathlib
import re
import subprocess

import pytest

from bed import ROOT
from gateway_page import commands

FOLDERS = "/usr/src /var/lib/dkms /lib/modules /etc/modules-load.d"
VERSION = re.search(r'^#define KTRXER_VERSION "(.*)"$', (ROOT / "kmod/version.h").read_text(), re.MULTILINE)[1]


@pytest.mark.skipif(os.geteuid() != 0, reason="makes mounts of its own: run as root")
def test_dkms(tmp_path):
    kernel = subprocess.check_output([ROOT / "Tests/kernel/kernels.sh", "path", "6.1", "kdir"], text=True).strip()
    release = pathlib.Path(kernel).resolve().name.removeprefix("linux-headers-")
    # The kernel is not the one that runs here.
    for name, script in {
        "uname": f'[ "$*" = -r ] && echo {release} || exec /bin/uname "$@"',
        "apt-get": f'[ "$*" = "install dkms linux-headers-{release} linux-headers-amd64" ]',
        "modprobe": f'[ "$*" = ktrxer ] && modinfo -k {release} ktrxer > {tmp_path}/loaded',
        "rmmod": '[ "$*" = ktrxer ]',
        "ktrxer-agent": '[ "$*" = doctor ]',
    }.items():
        path = tmp_path / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
    (install,), (remove,) = commands(6, "dkms"), commands(8, "dkms")
    look = f"find {FOLDERS} -name '*ktrxer*' | sort"
    script = f"""
        set -e
        for folder in {FOLDERS}; do mkdir -p $folder; mount -t tmpfs none $folder; done
        mkdir -p /lib/modules/{release}
        ln -s {kernel} /lib/modules/{release}/build
        {install}
        {look} > {tmp_path}/installed
        {remove}
        {look} > {tmp_path}/left
    """
    seen = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script], cwd=ROOT, capture_output=True, text=True,
        env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
    )
    assert seen.returncode == 0, seen.stdout[-3000:] + seen.stderr[-3000:]
    loaded = dict(re.findall(r"^(\w+): +(.*)$", (tmp_path / "loaded").read_text(), re.MULTILINE))
    assert loaded["version"] == VERSION and loaded["vermagic"].startswith(f"{release} "), loaded
    installed = (tmp_path / "installed").read_text().split()
    assert loaded["filename"] in installed and "/etc/modules-load.d/ktrxer.conf" in installed, installed
    assert (tmp_path / "left").read_text() == ""
