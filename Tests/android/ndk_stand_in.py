# SPDX-License-Identifier: MIT
"""A folder laid out as Android's NDK, which Debian does not have: its programs are those of the Swift toolchain (the same clang
and binary tools), its C library is glibc of Debian's cross compilers. What it is called with is written down; Android's triple
becomes Debian's in place of it, so that the result runs in qemu."""

import pathlib
import shutil
import subprocess

#: Android's triple, without the API level: (Debian's, the NDK's folder of libraries, flags that make Debian's the same ABI).
TRIPLES = {
    "aarch64-linux-android": ("aarch64-linux-gnu", "aarch64-linux-android", ""),
    "armv7a-linux-androideabi": ("arm-linux-gnueabi", "arm-linux-androideabi", "-march=armv7-a -mfloat-abi=softfp -mfpu=neon"),
}
CLANG = """#!/bin/bash
echo "$*" >> {calls}
for word; do
    case $word in
{cases}
    *) words+=("$word") ;;
    esac
done
exec {swift}/clang -D__ANDROID__ -D__ANDROID_API__="$level" "${{words[@]}}"
"""
CASE = "    --target={android}*) level=${{word#--target={android}}}; words+=(--target={debian} {flags}) ;;"


def make(folder, level=21):
    """Makes it; returns the file that gets a line of arguments for each call of its clang."""
    host = folder / "toolchains/llvm/prebuilt/linux-x86_64"
    programs, calls = host / "bin", folder / "calls"
    programs.mkdir(parents=True)
    swift = pathlib.Path(shutil.which("swiftc")).resolve().parent
    cases = "\n".join(CASE.format(android=android, debian=debian, flags=flags) for android, (debian, _, flags) in TRIPLES.items())
    _program(programs / "clang", CLANG.format(calls=calls, cases=cases, swift=swift))
    # One program, by the name that it is called by.
    _program(programs / "llvm-strip", f'#!/bin/bash\nexec -a llvm-strip {swift}/llvm-objcopy "$@"\n')
    for name in "llvm-objcopy", "llvm-ar":
        (programs / name).symlink_to(swift / name)
    for debian, libraries, _ in TRIPLES.values():
        libraries = host / "sysroot/usr/lib" / libraries / str(level)
        libraries.mkdir(parents=True)
        (libraries / "libc.so").symlink_to(f"/usr/{debian}/lib/libc.so")
    return calls


def _program(path, text):
    path.write_text(text)
    path.chmod(0o755)


# In a network of its own, with the loopback interface alone.
ALONE = ["unshare", "-rn", "bash", "-c", 'ip link set lo up && echo 0 0 > /proc/sys/net/ipv4/ping_group_range && exec "$@"', "-"]


def run(program, *arguments):
    """Runs a 64-bit program that was linked with it, on Debian's C library."""
    command = [*ALONE, "qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
