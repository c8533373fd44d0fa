# SPDX-License-Identifier: MIT
"""The package format of OpenWrt from 25.12 on, apk version 3, made by `apk mkpkg` where that is at hand."""

import hashlib
import re
import shutil
import subprocess

from failure import Failure
from staging import POSTINST, PRERM


def apk_program():
    """The path of an apk that can make packages."""
    program = shutil.which("apk")
    if not program or subprocess.run([program, "mkpkg", "--help"], capture_output=True).returncode != 0:
        raise Failure("no apk-tools 3 (`apk mkpkg`) on the PATH; take staging_dir/host/bin/apk of OpenWrt's SDK, or make ipk")
    return program


def write_apk(program, package, architecture, epoch, scripts, target):
    """Makes a package file of a staged package; `scripts` is an empty folder to put its scripts into."""
    _write_listing(package)
    options = []
    for event, text in _scripts(package).items():
        path = scripts / event
        path.write_text(text)
        options += ["--script", f"{event}:{path}"]
    information = {
        "name": package.name, "version": package.version, "arch": architecture, "license": package.license,
        "description": " ".join(package.description.split()), "origin": f"feeds/ktrxer/{package.name}",
        "depends": " ".join(re.sub(r"[() ]", "", dependency) for dependency in package.depends),
    }  # fmt: skip
    for name, value in information.items():
        if value:
            options += ["--info", f"{name}:{value}"]
    made = subprocess.run(
        [program, "mkpkg", *options, "--files", package.root, "--output", target],
        capture_output=True, text=True, env={"SOURCE_DATE_EPOCH": str(epoch), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )  # fmt: skip
    if made.returncode != 0:
        raise Failure(f"apk could not make {target.name}: {made.stderr.strip()}")


def _write_listing(package):
    """What default_postinst and sysupgrade read on the device."""
    files = sorted(f"/{path.relative_to(package.root)}" for path in package.root.rglob("*") if not path.is_dir() or path.is_symlink())
    folder = package.root / "lib" / "apk" / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{package.name}.list").write_text("".join(f"{path}\n" for path in files))
    if package.conffiles:
        (folder / f"{package.name}.conffiles").write_text("".join(f"{path}\n" for path in package.conffiles))
        static = [(path, package.root / path.lstrip("/")) for path in package.conffiles]
        (folder / f"{package.name}.conffiles_static").write_text(
            "".join(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in static if path.is_file())
        )


def _scripts(package):
    """The device's own functions, then the package's script, in one for each event; in an upgrade they are told so."""
    names = f'export root="${{IPKG_INSTROOT}}"\nexport pkgname="{package.name}"\n'

    def whole(default, own):
        return default.replace("default_", f"{names}default_", 1) + _body(package.scripts.get(own, ""))

    installed = whole(POSTINST.replace(" $0 $@", ""), "postinst-pkg")
    scripts = {
        "post-install": installed,
        "post-upgrade": installed.replace("\n", "\nexport PKG_UPGRADE=1\n", 1),
        "pre-deinstall": whole(PRERM.replace(" $0 $@", ""), "prerm-pkg"),
    }
    if "preinst" in package.scripts:
        scripts["pre-install"] = package.scripts["preinst"]
        scripts["pre-upgrade"] = package.scripts["preinst"].replace("\n", "\nexport PKG_UPGRADE=1\n", 1)
    if "postrm" in package.scripts:
        scripts["post-deinstall"] = package.scripts["postrm"]
    return scripts


def _body(script):
    return "".join(line for line in script.splitlines(keepends=True) if not line.startswith("#!"))
