# SPDX-License-Identifier: MIT
"""The ipk format of OpenWrt's opkg: a gzip'd tar of debian-binary, data.tar.gz and control.tar.gz. Tars are GNU's (opkg takes
pax for empty), entries sorted, of owner 0:0 without a name, and of one time, so that the same content is the same package."""

import gzip
import io
import tarfile

from staging import POSTINST, PRERM


def control_text(package, architecture, epoch):
    """The control file: fields, one a line, the description last."""
    installed = sum(path.stat().st_size for path in package.root.rglob("*") if path.is_file() and not path.is_symlink())
    fields = [
        ("Package", package.name), ("Version", package.version), ("Depends", ", ".join(package.depends)),
        ("Source", f"feeds/ktrxer/{package.name}"), ("SourceName", package.name), ("License", package.license),
        ("Section", package.section), ("SourceDateEpoch", str(epoch)), ("Architecture", architecture),
        ("Installed-Size", str(installed)),
    ]  # fmt: skip
    lines = [f"{name}: {value}" for name, value in fields if value]
    first, *others = package.description.splitlines()
    return "\n".join([*lines, f"Description:  {first}", *(f" {line}" for line in others)]) + "\n"


def ipk_bytes(package, architecture, epoch):
    """The package file."""
    control = {"control": (control_text(package, architecture, epoch), 0o644), "postinst": (POSTINST, 0o755), "prerm": (PRERM, 0o755)}
    for name, text in package.scripts.items():
        control[name] = (text, 0o755)
    if package.conffiles:
        control["conffiles"] = ("".join(f"{path}\n" for path in package.conffiles), 0o644)
    entries = [(f"./{name}", text.encode(), mode) for name, (text, mode) in sorted(control.items())]
    members = [
        ("./debian-binary", b"2.0\n", 0o644),
        ("./data.tar.gz", _gzip(_tar(_tree(package.root), epoch)), 0o644),
        ("./control.tar.gz", _gzip(_tar([("./", None, 0o755), *entries], epoch)), 0o644),
    ]
    return _gzip(_tar(members, epoch))


def _tree(root):
    """(name, content, mode) of all below a folder; a folder has no content, a link its target as text."""
    yield "./", None, 0o755
    for path in sorted(root.rglob("*")):
        name = f"./{path.relative_to(root)}"
        if path.is_symlink():
            yield name, str(path.readlink()), 0o777
        elif path.is_dir():
            yield f"{name}/", None, 0o755
        else:
            yield name, path.read_bytes(), path.stat().st_mode & 0o777


def _tar(entries, epoch):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content, mode in entries:
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.mode = epoch, mode
            if content is None:
                entry.type = tarfile.DIRTYPE
                archive.addfile(entry)
            elif isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _gzip(data):
    return gzip.compress(data, 9, mtime=0)
