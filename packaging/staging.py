# SPDX-License-Identifier: MIT
"""What a package of the feed consists of, taken from its Makefile by make itself (openwrt/*.mk stand in for OpenWrt's build
system), so that packages made here and there hold the same."""

import dataclasses
import os
import pathlib
import subprocess

from failure import Failure

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEED = ROOT / "openwrt-feed"
STAND_IN = ROOT / "packaging" / "openwrt"
#: What opkg runs, besides the two that belong to every package (below).
SCRIPTS = ("preinst", "postinst-pkg", "prerm-pkg", "postrm")
#: They leave the work to the device's own functions, which know services, modules and configuration.
POSTINST = """#!/bin/sh
[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
default_postinst $0 $@
"""
PRERM = """#!/bin/sh
[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0
. "${IPKG_INSTROOT}/lib/functions.sh"
default_prerm $0 $@
"""


@dataclasses.dataclass
class StagedPackage:
    """A package that is not packed yet: its files below `root`, and what it says of itself."""

    name: str
    version: str
    section: str
    license: str
    depends: list
    description: str
    conffiles: list
    scripts: dict
    root: pathlib.Path


def stage(name, folder, build, **variables):
    """Has a package's Makefile install into `folder`. `build` is where its sources were built, variables go to make."""
    settings = {"TOPDIR": STAND_IN, "PKG_BUILD_DIR": build, "STAGE": folder, **variables}
    done = subprocess.run(
        ["make", "-s", "--no-print-directory", "-C", FEED / name, f"{name}.stage", *(f"{key}={value}" for key, value in settings.items())],
        capture_output=True, text=True, env=plain_environment(),
    )  # fmt: skip
    if done.returncode != 0:
        raise Failure(f"{FEED.name}/{name} cannot be installed from {build}: {done.stderr.strip()}")
    control = pathlib.Path(folder) / "control"
    fields = dict(line.split("=", 1) for line in (control / "fields").read_text().splitlines())
    package = StagedPackage(
        name=name, version=fields["Version"], section=fields["Section"], license=fields["License"],
        depends=[word.lstrip("+") for word in fields["Depends"].split()],
        description="\n".join(line.strip() for line in (control / "description").read_text().splitlines()).strip(),
        conffiles=_lines(control / "conffiles"),
        scripts={script: (control / script).read_text().rstrip("\n") + "\n" for script in SCRIPTS if (control / script).exists()},
        root=pathlib.Path(folder) / "root",
    )  # fmt: skip
    _keep_over_sysupgrade(package)
    return package


def _keep_over_sysupgrade(package):
    """Of conffiles, those that are no file of the package (folders) are named to sysupgrade, as OpenWrt's build does it."""
    kept = [path for path in package.conffiles if not (package.root / path.lstrip("/")).is_file()]
    if kept:
        listing = package.root / "lib" / "upgrade" / "keep.d" / package.name
        listing.parent.mkdir(parents=True, exist_ok=True)
        for folder in listing.parents:
            if folder == package.root:
                break
            folder.chmod(0o755)
        listing.write_text("".join(f"{path}\n" for path in kept))
        listing.chmod(0o644)


def _lines(path):
    return path.read_text().split() if path.exists() else []


def plain_environment():
    """Options of a make that called us are not for this one."""
    return {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
