# SPDX-License-Identifier: MIT
"""What is handed to `apk mkpkg` for OpenWrt 25.12; a program that notes its arguments stands in for apk-tools, which Debian lacks."""

import hashlib
import subprocess

import pytest
from conftest import TARGET

import apk
import staging
from failure import Failure
from guest import ROOT


@pytest.fixture
def handed(tmp_path):
    """The package's folder and the arguments."""
    program = tmp_path / "apk"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\necho "$SOURCE_DATE_EPOCH" > {tmp_path}/epoch\n')
    program.chmod(0o755)
    package = staging.stage("ktrxer-agent", tmp_path / "stage", ROOT, ARCH="mips")
    package.depends = ["kernel (=6.12.1~0123-r1)"]
    (tmp_path / "scripts").mkdir()
    apk.write_apk(str(program), package, TARGET, 1_700_000_000, tmp_path / "scripts", tmp_path / "x.apk")
    assert (tmp_path / "epoch").read_text() == "1700000000\n"
    return package, (tmp_path / "arguments").read_text().splitlines()


def test_information(handed):
    _, arguments = handed
    assert arguments[0] == "mkpkg"
    given = [arguments[number + 1] for number, word in enumerate(arguments) if word == "--info"]
    assert {"name:ktrxer-agent", "version:0.1.0-r1", f"arch:{TARGET}", "depends:kernel=6.12.1~0123-r1"} <= set(given)


def test_listing(handed):
    """default_postinst and sysupgrade find the files and the configuration as it was shipped."""
    package, _ = handed
    folder = package.root / "lib/apk/packages"
    assert "/etc/init.d/ktrxer" in (folder / "ktrxer-agent.list").read_text().splitlines()
    digest = hashlib.sha256((package.root / "etc/config/ktrxer").read_bytes()).hexdigest()
    assert (folder / "ktrxer-agent.conffiles_static").read_text() == f"/etc/config/ktrxer {digest}\n"


def test_scripts(handed, tmp_path):
    """Each is one script of one shell: the device's functions, then ours; an upgrade is told to be one."""
    _, arguments = handed
    scripts = dict(arguments[number + 1].split(":", 1) for number, word in enumerate(arguments) if word == "--script")
    assert set(scripts) == {"post-install", "post-upgrade", "pre-deinstall", "post-deinstall"}
    for path in scripts.values():
        assert subprocess.run(["busybox", "ash", "-n", path]).returncode == 0
        assert open(path).read().count("#!") == 1
    installed = open(scripts["post-install"]).read()
    assert 'export pkgname="ktrxer-agent"' in installed and "default_postinst\n" in installed
    assert "export PKG_UPGRADE=1" in open(scripts["post-upgrade"]).read() and "PKG_UPGRADE=1" not in installed


def test_without_apk(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="no apk-tools 3"):
        apk.apk_program()
