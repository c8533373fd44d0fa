# SPDX-License-Identifier: MIT
"""The phones' bundle as a zip, and its scripts where nothing of Android is needed."""

import hashlib
import os
import shutil
import subprocess
import zipfile

import pytest

import phone
from guest import ROOT

WANTED = {
    "push.sh", "pull.sh", "module.prop", "service.sh", "uninstall.sh", "customize.sh", "ABI", "VERSION", "MADE", "LICENSE",
    "META-INF/com/google/android/update-binary", "META-INF/com/google/android/updater-script", "device/ktrxer",
    "device/ktrxer-agent", "device/preflight.sh", "device/start.sh", "device/stop.sh", "device/running.sh", "device/owned.sh",
    "device/settle.sh", "device/ktrxer.conf",
    "device/examples/ping", "device/examples/pair", "device/symbols.txt", "device/SHA256SUMS", "device/VERSION", "device/ABI",
    "device/MADE", "device/LIBC",
}


@pytest.fixture(scope="module", params=["arm64-v8a", "armeabi-v7a"])
def made(request):
    return request.param, phone.bundle(request.param)


def test_content(made):
    abi, path = made
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == WANTED
        assert archive.read("ABI").decode().strip() == abi
        program = archive.read("device/ktrxer-agent")
        # ELF: class and machine of the ABI.
        assert program[:5] == b"\x7fELF" + (b"\2" if abi == "arm64-v8a" else b"\1")
        assert int.from_bytes(program[18:20], "little") == (183 if abi == "arm64-v8a" else 40)
        sums = dict(reversed(line.split("  ")) for line in archive.read("device/SHA256SUMS").decode().splitlines())
        for name in WANTED:
            if name.startswith("device/") and name != "device/SHA256SUMS":
                assert sums[name.removeprefix("device/")] == hashlib.sha256(archive.read(name)).hexdigest()
        for entry in archive.infolist():
            script = archive.read(entry)[:2] == b"#!" or entry.filename.endswith(".sh")
            assert not script or entry.external_attr >> 16 == 0o100755, entry.filename
        properties = dict(line.split("=", 1) for line in archive.read("module.prop").decode().splitlines())
        assert properties["id"] == "ktrxer" and int(properties["versionCode"]) > 0


def test_made_twice_it_is_the_same(made):
    abi, path = made
    before = path.read_bytes()
    path.unlink()
    assert phone.bundle(abi).read_bytes() == before


def test_wrong_abi_is_refused():
    seen = subprocess.run(["make", "-s", "android", "ABI=mips"], cwd=ROOT, capture_output=True, text=True)
    assert seen.returncode != 0 and "there are: arm64-v8a armeabi-v7a" in seen.stderr, seen


def test_symbols_are_those_that_the_module_asks_for():
    kernel = ROOT / "Tests/kernel/kernels.sh"
    names = (ROOT / "android-ndk/symbols.txt").read_text().split()
    assert names == sorted(set(names)) and len(names) > 50
    out = subprocess.run(["mktemp", "-d"], capture_output=True, text=True, check=True).stdout.strip()
    try:
        subprocess.run([kernel, "build", "arm64-6.1", ROOT / "kmod", out], check=True, capture_output=True)
        asked = subprocess.run(["aarch64-linux-gnu-nm", "-u", f"{out}/ktrxer.ko"], check=True, capture_output=True, text=True).stdout
        assert set(names) <= set(asked.replace(" U ", " ").split())
    finally:
        shutil.rmtree(out)


@pytest.fixture
def unzipped(tmp_path):
    subprocess.run(["python3", "-m", "zipfile", "-e", phone.bundle(), tmp_path / "bundle"], check=True)
    for path in (tmp_path / "bundle").glob("*.sh"):
        path.chmod(0o755)
    return tmp_path / "bundle"


def fake_adb(folder, script):
    """An adb that answers as told: for devices that are not there to be had."""
    folder.mkdir()
    (folder / "adb").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "adb").chmod(0o755)
    return dict(os.environ, PATH=f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    "script, said",
    [
        ("echo 'error: no devices/emulators found' >&2; exit 1", "no device: error: no devices/emulators found; switch USB debugging on"),
        ("echo unauthorized", "the device is unauthorized"),
        ("case $1 in get-state) echo device ;; *) echo x86_64 ;; esac", "this bundle is for arm64-v8a, the device is x86_64; get ktrxer-"),
        # Unplugged in the middle.
        ("case $1 in get-state) echo device ;; push) exit 1 ;; shell) case $2 in *getprop*) echo aarch64 ;; esac ;; esac",
         "the push did not finish; what was on the device is as it was"),
    ],
)
def test_push_says_what_is_wrong(unzipped, tmp_path, script, said):
    seen = subprocess.run([unzipped / "push.sh"], env=fake_adb(tmp_path / "bin", script), capture_output=True, text=True)
    assert seen.returncode == 1 and said in seen.stderr and seen.stderr.count("\n") == 1, seen


def test_push_names_the_bundle_beside_it(unzipped, tmp_path):
    other = tmp_path / "ktrxer-0.1.0-android-armeabi-v7a"
    other.mkdir()
    (other / "push.sh").write_text("")
    (other / "push.sh").chmod(0o755)
    environment = fake_adb(tmp_path / "bin", "case $1 in get-state) echo device ;; *) echo armeabi-v7a ;; esac")
    seen = subprocess.run([unzipped / "push.sh"], env=environment, capture_output=True, text=True)
    assert seen.returncode == 1 and "run: " in seen.stderr and "android-armeabi-v7a/push.sh" in seen.stderr, seen


def test_usage(unzipped):
    seen = subprocess.run([unzipped / "push.sh", "--what"], capture_output=True, text=True)
    assert seen.returncode == 64 and "usage: push.sh [-s SERIAL]" in seen.stderr, seen


SCRIPTS = [path for path in sorted((ROOT / "android-ndk").rglob("*")) if path.is_file() and (path.suffix == ".sh" or path.name in ("ktrxer", "update-binary"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_script(path):
    """dash is the closest that shellcheck knows to a phone's shell."""
    checked = subprocess.run(["shellcheck", "-s", "dash", "-e", "SC1091", path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    assert subprocess.run(["busybox", "ash", "-n", path]).returncode == 0
