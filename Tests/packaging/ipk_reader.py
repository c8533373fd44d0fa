# SPDX-License-Identifier: MIT
"""A reader of ipk files that takes nothing but what OpenWrt's opkg is sure to take, written from the formats of gzip (RFC 1952) and
tar (POSIX ustar, GNU) alone. read(bytes) returns a Package, or raises FormatError with what is wrong."""

import dataclasses
import re
import zlib

FIELDS = {
    "Package", "Version", "Depends", "Source", "SourceName", "License", "Section", "SourceDateEpoch", "Architecture",
    "Installed-Size", "Description",
}  # fmt: skip
SCRIPTS = {"preinst", "postinst", "prerm", "postrm", "postinst-pkg", "prerm-pkg"}


class FormatError(Exception):
    pass


@dataclasses.dataclass
class Entry:
    """One of a tar: its kind is "file", "folder" or "link"."""

    name: str
    kind: str
    mode: int
    time: int
    content: bytes = b""
    target: str = ""


@dataclasses.dataclass
class Package:
    fields: dict
    conffiles: list
    scripts: dict
    files: dict


def read(data):
    members = read_tar(gunzip(data))
    names = [entry.name for entry in members]
    if names != ["./debian-binary", "./data.tar.gz", "./control.tar.gz"]:
        raise FormatError(f"the package holds {names}")
    if members[0].content != b"2.0\n":
        raise FormatError(f"debian-binary is {members[0].content}")
    control = {entry.name: entry for entry in read_tar(gunzip(members[2].content))}
    if any(entry.kind != "file" for name, entry in control.items() if name != "./"):
        raise FormatError("something in control.tar.gz is no file")
    unknown = set(control) - {"./", "./control", "./conffiles", *(f"./{script}" for script in SCRIPTS)}
    if unknown or "./control" not in control:
        raise FormatError(f"control.tar.gz holds {sorted(control)}")
    files = {}
    for entry in read_tar(gunzip(members[1].content)):
        path = entry.name.rstrip("/")
        if path != "." and path.rpartition("/")[0] not in files:
            raise FormatError(f"{entry.name} comes before its folder")
        files[path] = entry
    conffiles = control["./conffiles"].content.decode().splitlines() if "./conffiles" in control else []
    if any(not line.startswith("/") or line != line.strip() for line in conffiles):
        raise FormatError(f"conffiles are {conffiles}")
    scripts = {name[2:]: entry for name, entry in control.items() if name[2:] in SCRIPTS}
    for name, entry in scripts.items():
        if entry.mode != 0o755 or not entry.content.startswith(b"#!/bin/sh\n"):
            raise FormatError(f"{name} is no executable shell script")
    return Package(read_control(control["./control"].content), conffiles, scripts, files)


def gunzip(data):
    """One member, without a name or a comment, and nothing behind it."""
    if data[:3] != b"\x1f\x8b\x08" or data[3] != 0:
        raise FormatError("no plain gzip")
    if data[4:8] != bytes(4):
        raise FormatError("gzip with a time of its own")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    content = inflater.decompress(data[10:])
    end = inflater.unused_data
    if not inflater.eof or len(end) != 8:
        raise FormatError(f"gzip with {len(end)} bytes behind its data")
    if int.from_bytes(end[:4], "little") != zlib.crc32(content) or int.from_bytes(end[4:], "little") != len(content):
        raise FormatError("gzip with a wrong checksum or length")
    return content


def read_tar(data):
    entries, offset, names = [], 0, set()
    while data[offset : offset + 512] != bytes(512):
        block = data[offset : offset + 512]
        if len(block) < 512:
            raise FormatError("the tar ends without its two blocks of zeros")
        entry, size = _header(block)
        offset += 512
        entry.content = data[offset : offset + size]
        rest = data[offset + size : offset + (size + 511) // 512 * 512]
        if len(entry.content) < size or rest.strip(b"\0"):
            raise FormatError(f"{entry.name} is not padded as it should be")
        offset += (size + 511) // 512 * 512
        if entry.name in names:
            raise FormatError(f"{entry.name} comes twice")
        names.add(entry.name)
        entries.append(entry)
    if len(data) - offset < 1024 or data[offset:].strip(b"\0"):
        raise FormatError("there is something behind the end of the tar")
    return entries


def _header(block):
    if sum(block[:148]) + sum(block[156:]) + 8 * 32 != _octal(block[148:156]):
        raise FormatError("a tar header with a wrong checksum")
    if block[257:265] not in (b"ustar  \0", b"ustar\x0000"):
        raise FormatError(f"a tar of the kind {block[257:265]}")
    kinds = {b"0": "file", b"5": "folder", b"2": "link"}
    kind = kinds.get(block[156:157])
    if kind is None:
        # Extensions among them: x and g are pax, which opkg skips, with all that follows.
        raise FormatError(f"a tar entry of type {block[156:157]}")
    name = _text(block[:100])
    if not re.fullmatch(r"\./(?:[\w@+.=~-]+(?:/[\w@+.=~-]+)*/?)?", name) or "/../" in f"{name}/":
        raise FormatError(f"a file called {name!r}")
    if (kind == "folder") != name.endswith("/"):
        raise FormatError(f"{name} is a {kind}")
    owner = _octal(block[108:116]), _octal(block[116:124])
    if owner != (0, 0) or block[265:329].strip(b"\0"):
        raise FormatError(f"{name} is of {owner} {_text(block[265:297])}")
    mode, size, time = _octal(block[100:108]), _octal(block[124:136]), _octal(block[136:148])
    if kind != "file" and size:
        raise FormatError(f"{name} is a {kind} with content")
    return Entry(name, kind, mode, time, target=_text(block[157:257])), size


def _octal(field):
    text = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]+", text):
        raise FormatError(f"{field} is no octal number")
    return int(text, 8)


def _text(field):
    return field.partition(b"\0")[0].decode("ascii")


def read_control(data):
    text = data.decode("utf-8")
    if "\r" in text or "\t" in text or not text.endswith("\n") or "\n\n" in text:
        raise FormatError("control has tabs, carriage returns, empty lines, or no end of its last line")
    fields = {}
    for line in text.splitlines():
        if line.startswith(" "):
            if list(fields)[-1:] != ["Description"]:
                raise FormatError(f"only the description has several lines, not {list(fields)[-1:]}")
            fields["Description"] += "\n" + line.strip()
            continue
        name, colon, value = line.partition(": ")
        if name not in FIELDS or not colon or not value.strip() or name in fields:
            raise FormatError(f"a control field {line!r}")
        fields[name] = value.strip()
    for name in "Package", "Version", "Architecture", "Installed-Size", "Description":
        if name not in fields:
            raise FormatError(f"no field {name}")
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", fields["Package"]) or not re.fullmatch(r"[0-9][\w.+~-]*", fields["Version"]):
        raise FormatError(f"a package {fields['Package']} {fields['Version']}")
    for dependency in filter(None, fields.get("Depends", "").split(", ")):
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+( \((=|<=|>=|<<|>>) ?[\w.+~-]+\))?", dependency):
            raise FormatError(f"a dependency {dependency!r}")
    return fields
