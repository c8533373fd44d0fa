# SPDX-License-Identifier: MIT
"""The index of a folder of packages, `Packages` and `Packages.gz`, which `opkg update` fetches."""

import gzip
import hashlib
import io
import tarfile


def write_index(folder):
    """Writes both files anew, of all packages that are in the folder."""
    text = "\n".join(_entry(path) for path in sorted(folder.glob("*.ipk")))
    (folder / "Packages").write_text(text)
    (folder / "Packages.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _entry(path):
    """A package's control file with what is known of its file in front of the description."""
    content = path.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        with tarfile.open(fileobj=package.extractfile("./control.tar.gz")) as control:
            text = control.extractfile("./control").read().decode()
    fields, description, rest = text.partition("Description:")
    where = f"Filename: {path.name}\nSize: {len(content)}\nSHA256sum: {hashlib.sha256(content).hexdigest()}\n"
    return f"{fields}{where}{description}{rest}"
