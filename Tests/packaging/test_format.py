# SPDX-License-Identifier: MIT
"""The packages are what opkg takes, hold what the feed says, and come out the same each time."""

import base64
import gzip
import hashlib
import io
import re
import subprocess
import tarfile

import ipk_reader
import pytest
from conftest import TARGET, pack

import kernel_dependency
import signature
import staging
from failure import Failure
from guest import ROOT

AGENT, LIBRARY, MODULE = "ktrxer-agent", "libktrxer", "kmod-ktrxer"


def package_file(packages, name):
    (path,) = packages.glob(f"{name}_*.ipk")
    return path


@pytest.mark.parametrize("name", [AGENT, LIBRARY, MODULE])
def test_strict_reader(packages, name):
    path = package_file(packages, name)
    package = ipk_reader.read(path.read_bytes())
    assert package.fields["Package"] == name and package.fields["Architecture"] == TARGET
    assert path.name == f"{name}_{package.fields['Version']}_{TARGET}.ipk"
    sizes = [len(entry.content) for entry in package.files.values()]
    assert int(package.fields["Installed-Size"]) == sum(sizes)
    assert "default_postinst $0 $@" in package.scripts["postinst"].content.decode()
    assert "default_prerm $0 $@" in package.scripts["prerm"].content.decode()


def test_agent_holds(packages):
    package = ipk_reader.read(package_file(packages, AGENT).read_bytes())
    assert "Depends" not in package.fields
    assert package.conffiles == ["/etc/config/ktrxer", "/etc/ktrxer/"]
    modes = {path: entry.mode for path, entry in package.files.items() if entry.kind == "file"}
    assert modes == {
        "./usr/sbin/ktrxer-agent": 0o755, "./etc/init.d/ktrxer": 0o755, "./etc/config/ktrxer": 0o600,
        "./etc/capabilities/ktrxer.json": 0o644, "./lib/ktrxer/jobs.sh": 0o644, "./lib/ktrxer/jobs.awk": 0o644,
        "./lib/upgrade/keep.d/ktrxer-agent": 0o644,
    }  # fmt: skip
    assert package.files["./usr/sbin/ktrxer-agent"].content == (ROOT / "build" / TARGET / "ktrxer-agent").read_bytes()
    assert package.files["./lib/upgrade/keep.d/ktrxer-agent"].content == b"/etc/ktrxer/\n"


def test_module_holds(packages, kdir):
    package = ipk_reader.read(package_file(packages, MODULE).read_bytes())
    release = (kdir / "include/config/kernel.release").read_text().strip()
    module = package.files[f"./lib/modules/{release}/ktrxer.ko"]
    assert module.content[:6] == b"\x7fELF\x01\x02", "not for 32 bits, big-endian"
    assert package.files["./etc/modules.d/ktrxer"].content == b"ktrxer\n"
    lines = "".join(sorted(line + "\n" for line in (kdir / ".config").read_text().splitlines() if re.search("=[ym]", line)))
    assert package.fields["Depends"] == f"kernel (={release}-1-{hashlib.md5(lines.encode()).hexdigest()})"


def test_versions_agree(packages):
    """The feed's version is that of the agent and of the module."""
    number = re.search(r"^PKG_VERSION:=(.*)$", (ROOT / "openwrt-feed/ktrxer.mk").read_text(), re.MULTILINE)[1]
    assert f'"{number}"' in (ROOT / "Sources/ktrxer-agent/Version.swift").read_text()
    assert f'KTRXER_VERSION "{number}"' in (ROOT / "kmod/version.h").read_text()
    assert ipk_reader.read(package_file(packages, AGENT).read_bytes()).fields["Version"] == f"{number}-r1"


def test_same_again(packages, tmp_path, kdir):
    """From another time, as another file creation mask would have it, the packages are the same to the byte."""
    subprocess.run(["touch", ROOT / "openwrt-feed/ktrxer-agent/files/ktrxer.init"], check=True)
    done = subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "sh", ROOT / "packaging/make_packages.py", "ipk", "--target", TARGET,
                           "--architecture", TARGET, "--output", tmp_path, "--kdir", kdir, "--cross-compile", "mips-linux-gnu-"],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr

    def digests(folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    assert digests(tmp_path / TARGET) == digests(packages)


def test_other_programs_read_it(packages, tmp_path):
    """GNU tar and busybox's list and unpack the same."""
    path = package_file(packages, AGENT)
    listings = []
    for tar in (["tar"], ["busybox", "tar"]):
        folder = tmp_path / tar[0]
        folder.mkdir()
        subprocess.run([*tar, "-xzf", path], cwd=folder, check=True)
        subprocess.run([*tar, "-xzf", "data.tar.gz"], cwd=folder, check=True)
        listings.append(subprocess.check_output([*tar, "-tzf", "data.tar.gz"], cwd=folder, text=True))
        assert (folder / "usr/sbin/ktrxer-agent").read_bytes()[:4] == b"\x7fELF"
    assert listings[0] == listings[1]
    # An `ar` outside would be refused on the device.
    assert subprocess.run(["ar", "t", path], capture_output=True).returncode != 0


def test_index(packages):
    """Every package with its size and digest, in both files."""
    text = (packages / "Packages").read_text()
    assert gzip.decompress((packages / "Packages.gz").read_bytes()).decode() == text
    entries = [entry for entry in re.split(r"\n\n", text) if entry]
    assert len(entries) == 3
    for entry in entries:
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if not line.startswith(" "))
        content = (packages / fields["Filename"]).read_bytes()
        assert int(fields["Size"]) == len(content) and fields["SHA256sum"] == hashlib.sha256(content).hexdigest()
        own = ipk_reader.read(content).fields
        assert all(fields[name].strip() == own[name].splitlines()[0] for name in own)


def _key(path):
    """The bytes of a key or a signature: a line of comment, a line of base64."""
    comment, line = path.read_text().splitlines()
    assert comment.startswith("untrusted comment: ")
    return base64.b64decode(line, validate=True)


def test_signature(tmp_path):
    """What usign reads (its struct pubkey and struct sig: "Ed", the key's number, the rest), true for this index and no other."""
    secret, public = tmp_path / "my.sec", tmp_path / "my.pub"
    subprocess.run(["signify-openbsd", "-G", "-n", "-c", "routers", "-s", secret, "-p", public], check=True)
    assert pack(tmp_path, "--sign-key", secret).returncode == 0
    index, made = tmp_path / TARGET / "Packages", tmp_path / TARGET / "Packages.sig"
    key, signed = _key(public), _key(made)
    assert (len(key), len(signed)) == (2 + 8 + 32, 2 + 8 + 64)
    assert key[:2] == signed[:2] == b"Ed" and key[2:10] == signed[2:10]
    verify = ["signify-openbsd", "-V", "-p", public, "-m", index, "-x", made]
    assert subprocess.run(verify, capture_output=True).returncode == 0
    index.write_text(index.read_text() + "\n")
    assert subprocess.run(verify, capture_output=True).returncode != 0
    # A signature of another index does not stay beside a new one.
    assert pack(tmp_path).returncode == 0 and index.exists() and not made.exists()


def test_signature_cannot_be_made(tmp_path, monkeypatch):
    """A key that is none, and no program: one line, no signature."""
    (tmp_path / "none.sec").write_text("nothing\n")
    done = pack(tmp_path, "--sign-key", tmp_path / "none.sec")
    assert done.returncode == 69 and "cannot be signed with" in done.stderr and done.stderr.count("\n") == 1, done
    assert not list(tmp_path.rglob("*.sig"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="install signify-openbsd"):
        signature.signing_program()


def _spoilt(packages, change):
    """An agent's package with its outer tar remade in another way."""
    content = package_file(packages, AGENT).read_bytes()
    members = [(entry.name, entry.content) for entry in ipk_reader.read_tar(ipk_reader.gunzip(content))]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=change.get("format", tarfile.GNU_FORMAT)) as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid = len(data), change.get("uid", 0)
            entry.mtime = change.get("mtime", 0)
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), mtime=change.get("stamp", 0))


@pytest.mark.parametrize("change", [
    {"format": tarfile.PAX_FORMAT, "mtime": 1.5}, {"uid": 1000}, {"stamp": 1},
])  # fmt: skip
def test_reader_refuses(packages, change):
    """The strict reader is one: what opkg would take for empty, or unpack as somebody else's, is an error."""
    ipk_reader.read(_spoilt(packages, {}))
    with pytest.raises(ipk_reader.FormatError):
        ipk_reader.read(_spoilt(packages, change))


@pytest.mark.parametrize("control", [
    b"Package: x\r\n", b"Package: x", b"Package: x\nVersion: 1\n", b"Package: X\nVersion: 1\nArchitecture: a\nInstalled-Size: 1\nDescription: d\n",
    b"Package: xx\nVersion: 1\nArchitecture: a\nInstalled-Size: 1\nDepends: kernel(=1)\nDescription: d\n",
])  # fmt: skip
def test_reader_refuses_control(control):
    with pytest.raises(ipk_reader.FormatError):
        ipk_reader.read_control(control)


def _tree(folder, release, extra=""):
    (folder / "include/config").mkdir(parents=True)
    (folder / "include/config/kernel.release").write_text(f"{release}\n")
    (folder / ".config").write_text(f"CONFIG_MIPS=y\nCONFIG_CPU_BIG_ENDIAN=y\n{extra}")
    return folder


def test_kernel_dependency(tmp_path):
    """Before 24.10 and from then on, with the hash of OpenWrt's build, of the user, or of the configuration."""
    digest = "0123456789abcdef0123456789abcdef"
    new = _tree(tmp_path / "new", "6.6.73", "CONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=\"x\"\nCONFIG_A=y\n")
    found = kernel_dependency.kernel_of(new)
    expected = hashlib.md5(b"CONFIG_A=y\nCONFIG_B=m\nCONFIG_CPU_BIG_ENDIAN=y\nCONFIG_MIPS=y\n").hexdigest()
    assert found.dependency == f"kernel (=6.6.73~{expected}-r1)"
    assert found.module_version("0.1.0-r1") == "6.6.73.0.1.0-r1"
    (new / ".vermagic").write_text(f"{digest}\n")
    assert kernel_dependency.kernel_of(new).dependency == f"kernel (=6.6.73~{digest}-r1)"
    old = kernel_dependency.kernel_of(_tree(tmp_path / "old", "5.15.167"))
    assert re.fullmatch(r"kernel \(=5\.15\.167-1-[0-9a-f]{32}\)", old.dependency)
    assert old.module_version("0.1.0-r1") == "5.15.167+0.1.0-1"


def test_wrong_kernel_tree(tmp_path):
    """A folder that is none, and the tree of another machine: one line, and no package at all."""
    for tree, said in ((tmp_path, "no configured kernel tree"), (_tree(tmp_path / "x", "6.6.1", "CONFIG_64BIT=y\n"), "no kernel of mips_24kc")):
        done = pack(tmp_path / "dist", "--kdir", tree)
        assert done.returncode == 69 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr
        assert not list((tmp_path / "dist").rglob("*kmod*"))


def test_not_built(tmp_path):
    """Files that are missing are named in one line."""
    with pytest.raises(Failure, match="ktrxer-agent cannot be installed from"):
        staging.stage("ktrxer-agent", tmp_path / "stage", tmp_path, ARCH="mips")


