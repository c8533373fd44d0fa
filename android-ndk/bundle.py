#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts a phone's bundle together: bundle.py ABI PROGRAMS OUT, for make android.

PROGRAMS is the folder of one target's build (build/aarch64 or build/armv7), OUT the zip, which is the same to the byte for the
same input: its times are the last commit's (SOURCE_DATE_EPOCH, if set). Unzipped it is a folder with push.sh in it; as it is,
it is a module for Magisk and KernelSU.
"""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
EXECUTABLE, PLAIN = 0o100755, 0o100644


def version():
    text = (ROOT / "Sources/ktrxer-agent/Version.swift").read_text()
    return re.search(r'version: StaticString = "(.*)"', text)[1]


def made():
    """When what the bundle is made of was last changed, s since 1970: what tells a newer bundle from an older one."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or subprocess.check_output(["git", "-C", ROOT, "log", "-1", "--format=%ct"], text=True))


def device_files(abi, programs, epoch):
    """What goes to the device: {name: (content, mode)}."""
    files = {path.name: (path.read_bytes(), EXECUTABLE if path.suffix != ".conf" else PLAIN) for path in (HERE / "device").iterdir()}
    files["ktrxer-agent"] = ((programs / "ktrxer-agent").read_bytes(), EXECUTABLE)
    for example in ("ping", "pair"):
        files[f"examples/{example}"] = ((programs / "examples" / example).read_bytes(), EXECUTABLE)
    files["symbols.txt"] = ((HERE / "symbols.txt").read_bytes(), PLAIN)
    # Only toolchains/ndk.mk leaves such a file.
    libc = "bionic" if (programs / "ndk").exists() else "musl"
    for name, text in (("VERSION", version()), ("ABI", abi), ("MADE", epoch), ("LIBC", libc)):
        files[name] = (f"{text}\n".encode(), PLAIN)
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, (content, _) in sorted(files.items()))
    files["SHA256SUMS"] = (sums.encode(), PLAIN)
    return files


def module_properties(epoch):
    """module.prop of Magisk's and KernelSU's; the code is a number that grows."""
    return (
        f"id=ktrxer\nname=kTRxer\nversion={version()}\nversionCode={epoch // 60}\nauthor=kTRxer\n"
        "description=Scheduled ping, traceroute and packet trains, exact on small devices\n"
    ).encode()


def bundle_files(abi, programs, epoch):
    device = device_files(abi, programs, epoch)
    files = {f"device/{name}": entry for name, entry in device.items()}
    for name in ("VERSION", "ABI", "MADE"):
        files[name] = device[name]
    files["module.prop"] = (module_properties(epoch), PLAIN)
    for folder in ("host", "module"):
        for path in sorted((HERE / folder).rglob("*")):
            if path.is_file():
                mode = PLAIN if path.name == "updater-script" else EXECUTABLE
                files[str(path.relative_to(HERE / folder))] = (path.read_bytes(), mode)
    files["LICENSE"] = ((ROOT / "LICENSES/MIT.txt").read_bytes(), PLAIN)
    return files


def write(out, files, epoch):
    """A zip has local times without a zone: these are UTC."""
    stamp = time.gmtime(epoch)[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = zipfile.ZipInfo(name, stamp)
            entry.create_system = 3  # Unix: the upper half of the attributes is the mode.
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: bundle.py ABI PROGRAMS OUT")
    abi, programs, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    epoch = made()
    write(part, bundle_files(abi, programs, epoch), epoch)
    part.replace(out)
    print(f"{out}: {out.stat().st_size} bytes")


main()
