#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the packages of the feed without OpenWrt's build system, from what `make build TARGET=…` has built:

    make_packages.py ipk|apk --target TARGET --architecture NAME --output FOLDER [--kdir TREE --cross-compile PREFIX]
        [--sign-key FILE]

With a kernel tree the module is built for it, too. ipk also writes the folder's index, and signs it if there is a secret key.
One line for each package: its size, and where it is.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import apk
import index
import ipk
import kernel_dependency
import signature
import staging
from failure import Failure
from staging import ROOT

#: ARCH as OpenWrt names it, from which the feed's Makefiles know the target.
OPENWRT_ARCH = {"mips_24kc": "mips", "mipsel_24kc": "mipsel", "armv7": "arm"}


def source_date_epoch():
    """The time that everything in the packages has: of the environment, or of the last commit."""
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    done = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure("no time for the files in the packages: this is no git checkout; set SOURCE_DATE_EPOCH, seconds since 1970")
    return int(done.stdout)


def build_module(kernel, target, cross_compile, folder):
    """Builds ktrxer.ko below folder/kmod, stripped as packages ship it."""
    architecture = kernel_dependency.kernel_architecture(target, kernel.tree)
    shutil.copytree(ROOT / "kmod", folder / "kmod", ignore=shutil.ignore_patterns("*.o", "*.ko", "*.cmd", "*.mod*", "Module.symvers"))
    prefix = "" if target == "x86_64" and not cross_compile else cross_compile
    command = ["make", "-s", "-C", folder / "kmod", f"KDIR={kernel.tree.resolve()}", f"ARCH={architecture}", f"CROSS_COMPILE={prefix}"]
    # The folder's name is another each time, and stays out of the module.
    command.append(f"KCFLAGS=-ffile-prefix-map={folder.resolve()}/kmod/=")
    for goal in "module", "strip":
        done = subprocess.run([*command, goal], capture_output=True, text=True, env=staging.plain_environment())
        if done.returncode != 0:
            raise Failure(f"ktrxer.ko cannot be built for {kernel.tree}: {' '.join(done.stderr.splitlines()[-3:])}")


def staged_packages(options, folder):
    """The packages that can be made, one after the other."""
    variables = {"ARCH": OPENWRT_ARCH.get(options.target, options.target)}
    for name in "ktrxer-agent", "libktrxer":
        yield staging.stage(name, folder / name, ROOT, **variables)
    if options.kdir:
        kernel = kernel_dependency.kernel_of(options.kdir)
        build_module(kernel, options.target, options.cross_compile, folder)
        module = staging.stage("kmod-ktrxer", folder / "kmod-ktrxer", folder, LINUX_RELEASE_NAME=kernel.release, **variables)
        module.depends.insert(0, kernel.dependency)
        module.version = kernel.module_version(module.version)
        yield module


def make(options):
    epoch = source_date_epoch()
    program = apk.apk_program() if options.format == "apk" else None
    if options.sign_key:
        if program:
            raise Failure("SIGN_KEY is for the index of ipk packages; apk signs its own: apk mkndx --sign-key")
        signature.signing_program()
    folder = options.output / options.architecture
    with tempfile.TemporaryDirectory(prefix="ktrxer-packages-") as name:
        scratch = pathlib.Path(name)
        for package in staged_packages(options, scratch):
            folder.mkdir(parents=True, exist_ok=True)
            if program:
                path = folder / f"{package.name}-{package.version}.apk"
                scripts = scratch / f"{package.name}-scripts"
                scripts.mkdir()
                apk.write_apk(program, package, options.architecture, epoch, scripts, path)
            else:
                # The folder holds one version of each package: an index with two would be a riddle.
                for old in folder.glob(f"{package.name}_*.ipk"):
                    old.unlink()
                path = folder / f"{package.name}_{package.version}_{options.architecture}.ipk"
                path.write_bytes(ipk.ipk_bytes(package, options.architecture, epoch))
            print(f"{path.stat().st_size:8} bytes  {path}")
    if not program:
        index.write_index(folder)
        signature.sign_index(folder, options.sign_key)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("format", choices=("ipk", "apk"))
    parser.add_argument("--target", required=True, choices=sorted(kernel_dependency.FITTING))
    parser.add_argument("--architecture", required=True)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--kdir")
    parser.add_argument("--cross-compile", default="")
    parser.add_argument("--sign-key")
    try:
        make(parser.parse_args())
    except (Failure, OSError) as failure:
        print(f"make_packages.py: {failure}", file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main())
