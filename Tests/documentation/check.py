#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages and the tour of the C library agree with ktrxer.h and the module: check.py [LIBRARY]

Each function that the header declares has a page or a stub for `man 3 NAME`, whose synopsis is the declaration; no page
is about anything else; the pages of the devices name each ioctl, that of the module each parameter; references among the
pages lead somewhere; the code of examples compiles, and links with the library, if one is named. In docs/c-api.md, C that does not stand on its own is an
excerpt of a program in examples/c.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "Sources/CKTRxer/include"
UAPI = ROOT / "kmod/uapi/ktrxer_uapi.h"
PARAMETERS = ROOT / "kmod/parameters.c"
PAGES = ROOT / "docs/man"
TOUR = ROOT / "docs/c-api.md"
COMPILER = ["musl-gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}"]


def declarations(header):
    """The functions: {name: (result type, [parameters])}."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    found = re.findall(r"^(\w[\w ]*\**) ?\b(ktrxer_\w+)\(([^()]*)\);", header, flags=re.MULTILINE)
    return {name: (result.strip(), [" ".join(one.split()) for one in parameters.split(",")])
            for result, name, parameters in found}


def synopsis(page):
    """The functions of a page: {name: (result type, [parameters])}."""
    found = re.findall(r"^\.Ft (.+)\n\.Fn (\w+)(.*)$", page, flags=re.MULTILINE)
    return {name: (result, re.findall(r'"([^"]*)"', parameters)) for result, name, parameters in found}


def page_problems(functions):
    pages = {path.stem: path for path in PAGES.glob("man3/*.3")}
    texts = {}
    for name, path in sorted(pages.items()):
        text = path.read_text()
        stub = re.fullmatch(r"\.so man3/(\w+)\.3\n", text)
        if stub and stub[1] not in pages:
            yield f"{path}: there is no page {stub[1]}"
        elif not stub:
            texts[name] = text
        if name not in functions and name != "libktrxer":
            yield f"{path}: ktrxer.h declares no such function"
    for name, declaration in functions.items():
        if name not in pages:
            yield f"{PAGES}/man3/{name}.3: is missing; ktrxer.h declares {name}"
            continue
        stub = re.match(r"\.so man3/(\w+)\.3", pages[name].read_text())
        page = texts.get(stub[1] if stub else name, "")
        if not re.search(rf"^\.Nm {name}( ,)?$", page, flags=re.MULTILINE):
            yield f"{pages[name]}: {name} is not among its names"
        if synopsis(page).get(name) != declaration:
            yield f"{pages[name]}: ktrxer.h has {name} as {declaration}, the page {synopsis(page).get(name)}"
    for name, text in texts.items():
        if name != "libktrxer" and not examples(text):
            yield f"{name}: has no example"


def reference_problems():
    """Every page has its sections, is where its own heading says, and refers to pages that there are."""
    for path in sorted(PAGES.glob("man?/*")):
        text = path.read_text()
        if text.startswith(".so "):
            continue
        name, number = path.stem, path.suffix[1:]
        if path.parent.name != f"man{number}" or f"\n.Dt {name.upper()} {number}\n" not in text:
            yield f"{path}: is not the page that its .Dt says"
        for target, section in re.findall(r"^\.Xr (\S*ktrxer\S*|ktx|krx) (\d)", text, flags=re.MULTILINE):
            if not (PAGES / f"man{section}" / f"{target}.{section}").exists():
                yield f"{path}: refers to {target}({section}), which there is not"
        for section in ["NAME", "DESCRIPTION", "SEE ALSO"] + ["SYNOPSIS"] * (number != "5"):
            if f"\n.Sh {section}\n" not in text:
                yield f"{path}: has no section {section}"


def device_problems():
    """/dev/ktx is told in ktx(4), /dev/krx in krx(4), what both have in both."""
    for prefix, devices in (("KTX", ["ktx"]), ("KRX", ["krx"]), ("KTRXER", ["ktx", "krx"])):
        calls = re.findall(rf"^#define ({prefix}_IOC_\w+) _IO", UAPI.read_text(), flags=re.MULTILINE)
        if not calls:
            yield f"{UAPI}: no {prefix}_IOC_"
        for device in devices:
            page = PAGES / f"man4/{device}.4"
            for call in calls:
                if f"\n.It Dv {call}\n" not in page.read_text():
                    yield f"{page}: does not name {call}"


def parameter_problems():
    """ktrxer(4) has the module's parameters, each with the value that it has at first."""
    source, page = PARAMETERS.read_text(), PAGES / "man4/ktrxer.4"
    names = re.findall(r"^module_param_named\((\w+), (\w+), (\w+),", source, flags=re.MULTILINE)
    if not names:
        yield f"{PARAMETERS}: no module_param_named()"
    told = dict(re.findall(r"^\.It Va (\w+)\n(?:(?!\.It).*\n)*?At first ([\w,]+)\.$", page.read_text(), flags=re.MULTILINE))
    first = {}
    for name, variable, kind in names:
        if kind == "charp":
            first[name] = re.search(rf'^char \*{variable} = "([^"]*)";$', source, flags=re.MULTILINE)[1]
            continue
        value = re.search(rf"^(?:unsigned int|bool) {variable}(?: = ([\d< ]+|true))?;$", source, flags=re.MULTILINE)
        factor, _, shift = (value[1] or "0").replace("true", "1").partition(" << ")
        first[name] = "NY"[int(factor)] if kind == "bool" else str(int(factor) << int(shift or 0))
    if told != first:
        yield f"{page}: the module has the parameters {first}, the page {told}"


def examples(page):
    """The code in a page's section EXAMPLES."""
    section = re.search(r"^\.Sh EXAMPLES\n(.*?)(?=^\.Sh )", page, flags=re.DOTALL | re.MULTILINE)
    blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", section[1], flags=re.DOTALL | re.MULTILINE) if section else []
    return [block.replace("\\e", "\\") for block in blocks]


def squeezed(code):
    return " ".join(code.split())


def code():
    """All code that is to compile: (where it is, the code)."""
    for path in sorted(PAGES.glob("man3/*.3")):
        for number, block in enumerate(examples(path.read_text()), 1):
            yield f"{path}: example {number}", block
    programs = [squeezed(path.read_text()) for path in (ROOT / "examples/c").glob("*.c")]
    blocks = re.findall(r"^```c\n(.*?)^```", TOUR.read_text(), flags=re.DOTALL | re.MULTILINE)
    if not blocks:
        yield f"{TOUR}: no C in it", "#error none"
    for number, block in enumerate(blocks, 1):
        if not any(squeezed(block) in program for program in programs):
            yield f"{TOUR}: block {number}, which is no excerpt of examples/c either", block


def compile_problems(library):
    with tempfile.TemporaryDirectory() as directory:
        source, main, program = Path(directory, "example.c"), Path(directory, "main.c"), Path(directory, "program")
        main.write_text("int main(void) { return 0; }\n")
        for where, block in code():
            source.write_text(block)
            command = COMPILER + [source]
            if library:
                # What an example defines is kept, and with it what it calls.
                kept = [f"-Wl,-u,{name}" for name in re.findall(r"^\w[\w *]*?(\w+)\(", block, flags=re.MULTILINE)]
                command += ["-static", *kept, "-o", program]
                command += ([] if "main" in " ".join(kept) else [main]) + [library]
            else:
                command += ["-fsyntax-only"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                yield f"{where}: does not {'link' if library else 'compile'}:\n{done.stderr}"


def main():
    if not shutil.which(COMPILER[0]):
        print(f"lint: no {COMPILER[0]} here; run: make setup", file=sys.stderr)
        return 69
    library = Path(sys.argv[1]).resolve(strict=True) if len(sys.argv) > 1 else None
    functions = declarations((INCLUDE / "ktrxer.h").read_text())
    problems = [*page_problems(functions), *reference_problems(), *device_problems(), *parameter_problems(),
                *compile_problems(library)]
    for problem in problems:
        print(f"lint: {problem}", file=sys.stderr)
    if not problems:
        print(f"lint: {len(functions)} functions have their manual pages, {len(list(code()))} examples "
              f"{'link' if library else 'compile'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
