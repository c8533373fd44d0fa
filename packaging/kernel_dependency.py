# SPDX-License-Identifier: MIT
"""What a kernel module's package depends on: the package `kernel` in the one version that stands for the kernel's configuration.

OpenWrt's version of that package holds a hash: md5 of the sorted lines of the configuration that say y or m. Its build leaves
the hash in the tree as .vermagic; official builds have it in the name of the folder kmods/ beside their images."""

import dataclasses
import hashlib
import os
import pathlib
import re

from failure import Failure

#: The first Linux version (OpenWrt 24.10) with which the hash stands behind a tilde, and a module's version behind a dot.
TILDE_FROM = (6, 6)


@dataclasses.dataclass
class Kernel:
    """A kernel tree that modules are built against."""

    tree: pathlib.Path
    release: str
    version: str
    hash: str
    package_release: str

    @property
    def _tilde(self):
        return tuple(int(number) for number in self.version.split(".")[:2]) >= TILDE_FROM

    @property
    def dependency(self):
        """The `kernel` package, as Depends has it."""
        if self._tilde:
            return f"kernel (={self.version}~{self.hash}-r{self.package_release})"
        return f"kernel (={self.version}-{self.package_release}-{self.hash})"

    def module_version(self, version):
        """The version of a module's package, from the package's own."""
        number, _, release = version.rpartition("-r")
        return f"{self.version}.{number}-r{release}" if self._tilde else f"{self.version}+{number}-{release}"


def kernel_of(tree):
    """Reads a tree. KERNEL_HASH and KERNEL_PACKAGE_RELEASE in the environment go before what is found."""
    tree = pathlib.Path(tree)
    try:
        configuration = (tree / ".config").read_text()
        release = (tree / "include" / "config" / "kernel.release").read_text().strip()
    except OSError as error:
        raise Failure(f"KDIR {tree} is no configured kernel tree ({error.strerror}: {error.filename}); run there: make modules_prepare")
    version = re.match(r"[0-9.]+", release)[0].rstrip(".")
    found = os.environ.get("KERNEL_HASH") or _written(tree) or configuration_hash(configuration)
    if not re.fullmatch(r"[0-9a-f]{32}", found):
        raise Failure(f"the kernel's hash is '{found}', and should be 32 digits of hexadecimal; correct KERNEL_HASH")
    return Kernel(tree, release, version, found, os.environ.get("KERNEL_PACKAGE_RELEASE") or "1")


def configuration_hash(text):
    """md5 of the lines with =y or =m, sorted by their bytes."""
    lines = sorted(line for line in text.encode().splitlines() if b"=y" in line or b"=m" in line)
    return hashlib.md5(b"".join(line + b"\n" for line in lines)).hexdigest()


def _written(tree):
    path = tree / ".vermagic"
    return path.read_text().strip() if path.exists() else ""


#: What each architecture of the C compiler has in a kernel's configuration; "!" before what it must not have.
FITTING = {
    "mips_24kc": ("mips", ("CONFIG_MIPS", "CONFIG_CPU_BIG_ENDIAN", "!CONFIG_64BIT")),
    "mipsel_24kc": ("mips", ("CONFIG_MIPS", "CONFIG_CPU_LITTLE_ENDIAN", "!CONFIG_64BIT")),
    "armv7": ("arm", ("CONFIG_ARM", "CONFIG_CPU_V7")),
    "armv6": ("arm", ("CONFIG_ARM", "CONFIG_CPU_V6K")),
    "aarch64": ("arm64", ("CONFIG_ARM64",)),
    "x86_64": ("x86_64", ("CONFIG_X86_64",)),
    "i386": ("i386", ("CONFIG_X86_32",)),
    "riscv64": ("riscv", ("CONFIG_RISCV", "CONFIG_64BIT")),
}


def kernel_architecture(target, tree):
    """ARCH for the kernel's build; fails if the tree is of another machine than the target."""
    architecture, wanted = FITTING[target]
    set_to_yes = set(re.findall(r"^(CONFIG_\w+)=y$", (tree / ".config").read_text(), re.MULTILINE))
    for option in wanted:
        if (option.lstrip("!") in set_to_yes) == option.startswith("!"):
            raise Failure(f"KDIR {tree} is no kernel of {target} ({option.lstrip('!')}); give the tree of the device's kernel, or another TARGET")
    return architecture
