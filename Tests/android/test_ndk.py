# SPDX-License-Identifier: MIT
"""The bundle linked with Android's C library, where an NDK is named: a stand-in (ndk_stand_in.py), for Debian has none. What it
is called with is what Android's documents ask for, what comes out runs, and of the C library only what bionic has is used."""

import json
import shutil
import subprocess
import zipfile

import ndk_stand_in
import pytest
from guest import ROOT

#: Functions of ours that bionic exports at API level 21, by its libc/libc.map.txt ("introduced="), and for 32-bit programs with
#: 64-bit sizes of files. One that is not here: look there first, and into Sources/CKTRxer/bionic.h.
BIONIC = set("""
    __cmsg_nxthdr _exit abort bind clock_getres clock_gettime clock_nanosleep close connect dup2 fchmod flock fork free fstat
    fstat64 fsync ftruncate ftruncate64 getaddrinfo getenv geteuid getpagesize getpid getppid getrlimit getrlimit64
    getsockname getsockopt if_indextoname inet_pton ioctl kill localtime_r lstat lstat64 madvise malloc memcmp memcpy memmove memset
    mkdir mmap mmap64 munmap nanosleep open open64 pipe2 poll posix_memalign ppoll prctl pread pread64 read recv recvmsg
    rename send sendmsg sendto setsockopt sigaddset sigemptyset sigfillset sigismember signal signalfd sigpending sigprocmask socket stat stat64
    strchr strcmp strcpy strcspn strerror strlen strncmp strncpy strrchr strspn syscall uname unlink waitpid write
""".split())
#: What has another name there, or belongs to the compiler: errno, the start, the processor's features, memcmp for equality.
OTHERS = {"__errno_location", "__libc_start_main", "__getauxval", "bcmp"}


def make(*arguments):
    return subprocess.run(["make", "-s", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def ndk():
    """At the same place each time, so that what has not changed is not compiled again."""
    folder = ROOT / "build/ndk-stand-in"
    shutil.rmtree(folder, ignore_errors=True)
    return folder, ndk_stand_in.make(folder)


@pytest.fixture(scope="module")
def linked(ndk):
    """The bundle, and a list of arguments for each call of the NDK's clang: one of them compiles, the last links the agent."""
    folder, calls = ndk
    for path in "ktrxer-agent", "obj/sys_clock.o":
        (ROOT / "build/aarch64-android" / path).unlink(missing_ok=True)
    done = make("android", f"ANDROID_NDK_ROOT={folder}")
    assert done.returncode == 0, done.stderr
    path = ROOT / done.stdout.strip().splitlines()[-1].partition(":")[0]
    return path, [line.split() for line in calls.read_text().splitlines()]


def test_what_it_is_called_with(linked):
    _, calls = linked
    assert all("--target=aarch64-linux-android21" in call for call in calls)
    (compiled,) = [call for call in calls if "build/aarch64-android/obj/sys_clock.o" in call and "-c" in call]
    assert "-fPIE" in compiled and not any("musl" in word or word == "-nostdinc" for word in compiled)
    (link,) = [call for call in calls if "build/aarch64-android/ktrxer-agent.unstripped" in call]
    assert "-pie" in link and "-static" not in link and not any("wrap" in word or "resolv_conf" in word for word in link)
    assert "-Wl,-z,max-page-size=16384" in link


def test_program(linked):
    """A position-independent one that leaves the C library to the device, and runs."""
    program = ROOT / "build/aarch64-android/ktrxer-agent"
    said = subprocess.run(["aarch64-linux-gnu-readelf", "-hdW", program], capture_output=True, text=True, check=True).stdout
    assert "DYN (Position-Independent Executable file)" in said and "NEEDED" in said and "PIE" in said, said
    assert "TEXTREL" not in said
    seen = ndk_stand_in.run(program, "ping", "-T", "socket", "-c", "2", "-i", "20ms", "--resolver", "192.0.2.53", "127.0.0.1")
    assert "2 packets transmitted, 2 received, 0.0% packet loss" in seen.stdout, seen
    assert seen.stderr == "resolver is not used: names are looked up by Android itself\n"
    seen = ndk_stand_in.run(program, "doctor", "--json")
    assert json.loads(seen.stdout)["findings"]["name_server"]["value"] == "netd"


def test_functions_that_bionic_has(linked):
    program = ROOT / "build/aarch64-android/ktrxer-agent"
    said = subprocess.run(["aarch64-linux-gnu-nm", "-D", "-u", program], capture_output=True, text=True, check=True).stdout
    used = {line.split()[1].partition("@")[0] for line in said.splitlines() if line.split()[0] == "U"}
    assert len(used) > 50 and used <= BIONIC | OTHERS, used - BIONIC - OTHERS


def test_bundle_says_so(linked):
    with zipfile.ZipFile(linked[0]) as archive:
        assert archive.read("device/LIBC") == b"bionic\n"
        assert archive.read("device/ktrxer-agent") == (ROOT / "build/aarch64-android/ktrxer-agent").read_bytes()


def test_32_bits(ndk):
    """The commands alone: what is compiled for armeabi-v7a, and how it is linked."""
    done = make("-n", "-B", "build/armv7-android/ktrxer-agent", "TARGET=armv7", f"NDK={ndk[0]}")
    commands = done.stdout.replace("\\\n", " ").splitlines()
    compiled = [line for line in commands if "bin/clang --target=armv7a-linux-androideabi21" in line and "sys_file.c" in line]
    link = [line for line in commands if "ktrxer-agent.unstripped" in line and "bin/clang" in line]
    assert compiled and "-D_FILE_OFFSET_BITS=64" in compiled[0] and "-mthumb" in compiled[0], done.stderr
    assert link and " -pie " in link[0]
    # Swift's code is for the same one, or the linker would refuse it: its calls hand floating point over in other registers.
    assert any("-target armv7a-linux-androideabi21" in line and "-x ir" in line for line in commands)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["ANDROID_NDK_ROOT=/usr"], "/usr is no Android NDK (ANDROID_NDK_ROOT): no toolchains/llvm/prebuilt/linux-x86_64/bin/clang"),
        (["ANDROID_NDK_ROOT={ndk}", "ANDROID_API=99"], "has no libraries of API level 99; ANDROID_API says another one"),
    ],
)
def test_what_is_no_ndk(ndk, arguments, said):
    done = make("android", *(argument.format(ndk=ndk[0]) for argument in arguments))
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode != 0 and len(lines) == 1 and said in lines[0], done
