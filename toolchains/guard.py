#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names code that would be wrong on a big-endian processor, or through the donor's eyes (toolchains/README.md).

    guard.py sources             looks through the device sources and the headers of the C floor
    guard.py code FILE.ll...     looks through emitted intermediate code, as calls.sed gets it
    guard.py self-check          plants offences of each kind, and sees that each is found and clean code passes
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SWIFT = ["Sources/KTRxerLite", "Sources/ktrxer-agent", "Tests/SelfTest"]
HEADERS = "Sources/CKTRxer/include"

SWIFT_RULES = [
    (r"^\s*(?:@\w+\s+)*import\s+(?:\w+\s+)?(Foundation\w*|Glibc|Musl|Darwin|Bionic|WASILibc)\b", "import of a C library"),
    (r"(?<!\w)(bigEndian|littleEndian|byteSwapped)\b", "host byte order"),
    (r"(?<![\w.])(String|Substring|Character|Unicode|CustomStringConvertible)\b", "text that is no bytes"),
    (r'"[^"\n]*(\\\()', "string interpolation"),
]

# Names in emitted code: the standard library's text (SS: String, Ss: Substring, SJ: Character, and what is in them).
CODE_NAMES = re.compile(
    r'^\$[es](?:SS|Ss|SJ)|s1[13]_StringGutsV|s13_StringObjectV|s13_SmallString|s7UnicodeO|s9CharacterV|_swift_stdlib_(?:get|is)\w*'
    r"|11byteSwappedxvg|9bigEndianxvg|12littleEndianxvg"
)


def without_comments(text):
    """The same lines, with spaces where comments are."""
    blank = lambda found: re.sub(r"[^\n]", " ", found[0]) if found[0].startswith("/") else found[0]
    return re.sub(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.DOTALL)


def without_host_code(text):
    """The same lines, without what only the host's build compiles."""
    kept, states = [], []
    for line in text.split("\n"):
        word = line.split()[:1]
        if word == ["#if"]:
            embedded = "hasFeature(Embedded)" in line
            states.append((embedded, embedded and "!hasFeature" in line))
        elif word in (["#else"], ["#elseif"]) and states:
            states[-1] = (states[-1][0], states[-1][0] and not states[-1][1])
        elif word == ["#endif"] and states:
            states.pop()
        kept.append("" if any(hidden for _, hidden in states) else line)
    return "\n".join(kept)


def swift_offences(text):
    text = without_host_code(without_comments(text))
    for number, line in enumerate(text.split("\n"), 1):
        bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', line)
        for pattern, kind in SWIFT_RULES:
            found = re.search(pattern, line if "interpolation" in kind else bare)
            if found:
                yield number, kind, found[1]


def header_offences(text):
    """Prototypes that do not take and return integers and pointers."""
    text = without_comments(text)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.MULTILINE)
    for found in re.finditer(r"^([a-z][\w \t*]*?)\b(\w+)\(([^;{}]*?)\)\s*[;{]", text, flags=re.MULTILINE | re.DOTALL):
        result, name, parameters = found.groups()
        number = text.count("\n", 0, found.start()) + 1
        for part in [result] + parameters.split(","):
            part = " ".join(part.split())
            by_value = re.search(r"\b(?:struct|union|enum)\s+\w+", part) and "*" not in part and "[" not in part
            if by_value or re.search(r"\b(?:float|double|long|va_list)\b|\.\.\.", part):
                yield number, "value across the C floor", f"{name}: {part}"


def demangled(name):
    tool = pathlib.Path(subprocess.run(["which", "swiftc"], capture_output=True, text=True, check=True).stdout.strip())
    tool = tool.resolve().parent / "swift-demangle"
    if not tool.exists():
        return name
    shown = subprocess.run([tool, "--simplified", "--compact"], input=name, capture_output=True, text=True, check=True)
    return shown.stdout.strip()


def code_offences(text):
    """Functions that swap bytes, and names of the standard library's text."""
    function = "?"
    seen = set()
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("define "):
            found = re.search(r'@"?([^"(]+)"?\(', line)
            function = found[1] if found else "?"
            if CODE_NAMES.search(function) and function not in seen:
                seen.add(function)
                yield number, "text or byte order of the standard library", function
        elif "@llvm.bswap" in line and not line.startswith("declare") and ("swap", function) not in seen:
            seen.add(("swap", function))
            yield number, "host byte order", function
        elif "call " in line:
            found = re.search(r'@"?([^"(]+)"?\(', line)
            if found and CODE_NAMES.search(found[1]) and found[1] not in seen:
                seen.add(found[1])
                yield number, f"called by {demangled(function)}", found[1]


def report(path, offences, shown=20, names=lambda name: name):
    count = 0
    for number, kind, name in offences:
        count += 1
        if count <= shown:
            print(f"{path}:{number}: {kind}: {names(name)}", file=sys.stderr)
    if count > shown:
        print(f"{path}: {count - shown} more", file=sys.stderr)
    return count


def check_sources():
    count = 0
    for folder in SWIFT:
        for path in sorted((ROOT / folder).rglob("*.swift")):
            count += report(path.relative_to(ROOT), swift_offences(path.read_text()))
    headers = sorted((ROOT / HEADERS).glob("*.h"))
    for path in headers:
        count += report(path.relative_to(ROOT), header_offences(path.read_text()))
    assert headers, "no headers"
    return count


def check_code(paths):
    count = 0
    for path in paths:
        text = pathlib.Path(path).read_text()
        assert "\ndefine " in text, f"{path} is no intermediate code"
        count += report(path, code_offences(text), names=demangled)
    return count


PLANTED_SWIFT = {
    "import Foundation": "Foundation",
    "@testable import Glibc": "Glibc",
    "let x = y.bigEndian": "bigEndian",
    "let x = UInt16(littleEndian: y)": "littleEndian",
    "f(x.byteSwapped)": "byteSwapped",
    'let s: String = "a"': "String",
    'let s = "a\\(b)"': "\\(",
    "func f(_ c: Character)": "Character",
    "#if hasFeature(Embedded)\nlet s: Substring\n#else\nlet t = 1\n#endif": "Substring",
}
CLEAN_SWIFT = """// A String in a comment, x.bigEndian
let a: StaticString = "String import Foundation"
#if hasFeature(Embedded)
let b = 1
#else
let c: String = ""
#endif
let d = stringByte
"""
PLANTED_HEADER = {
    "struct ktrxer_time ktrxer_now(void);": "ktrxer_now: struct ktrxer_time",
    "int32_t f(const char *a,\n\tstruct b c);": "f: struct b c",
    "int32_t g(enum h i);": "g: enum h i",
    "static inline double j(int32_t k)\n{": "j: static inline double",
    "int64_t l(long m);": "l: long m",
}
CLEAN_HEADER = """/* struct a f(struct b c); */
#define X(struct) struct
struct a { uint32_t b; };
int32_t f(const struct a *b, uint8_t c[16], void *d);
static inline uint64_t g(const uint64_t *h)
{
"""
PLANTED_CODE = {
    "public func f(_ x: UInt32) -> UInt32 { x.bigEndian }": "f(",
    "public func g(_ x: UInt16) -> UInt16 { UInt16(bigEndian: x) }": "g(",
    "public func h(_ x: Int) -> Int { let s = \"a\\(x)\"; return s.utf8.count }": "String",
    "public func i(_ x: UInt8) -> Bool { Character(Unicode.Scalar(x)).isLetter }": "_swift_stdlib_get",
}
CLEAN_CODE = "public func f(_ x: [UInt8]) -> UInt32 { UInt32(x[0]) << 24 | UInt32(x[1]) << 16 | UInt32(x[2]) << 8 | UInt32(x[3]) }"


def emitted(source, folder):
    path = pathlib.Path(folder) / "planted.swift"
    path.write_text(source + "\n")
    command = ["swiftc", "-target", "armv7-none-none-eabi", "-enable-experimental-feature", "Embedded", "-wmo", "-Osize"]
    command += ["-parse-as-library", "-module-name", "Planted", "-emit-irgen", str(path), "-o", str(path.with_suffix(".ll"))]
    subprocess.run(command, check=True, capture_output=True)
    return path.with_suffix(".ll").read_text()


def self_check():
    for source, name in PLANTED_SWIFT.items():
        assert name in [found for _, _, found in swift_offences(source)], f"not found in Swift: {source}"
    assert not list(swift_offences(CLEAN_SWIFT)), list(swift_offences(CLEAN_SWIFT))
    for source, name in PLANTED_HEADER.items():
        assert name in [found for _, _, found in header_offences(source)], f"not found in a header: {source}"
    assert not list(header_offences(CLEAN_HEADER)), list(header_offences(CLEAN_HEADER))
    with tempfile.TemporaryDirectory() as folder:
        for source, name in PLANTED_CODE.items():
            found = [demangled(symbol) for _, _, symbol in code_offences(emitted(source, folder))]
            assert any(name in symbol for symbol in found), f"not found in the code of: {source}: {found}"
        assert not list(code_offences(emitted(CLEAN_CODE, folder))), "clean code is refused"
    return 0


def main(arguments):
    if arguments == ["sources"]:
        count = check_sources()
    elif arguments[:1] == ["code"] and len(arguments) > 1:
        count = check_code(arguments[1:])
    elif arguments == ["self-check"]:
        count = self_check()
    else:
        print(__doc__, file=sys.stderr)
        return 64
    if count:
        print("guard: this would be wrong on big-endian or foreign targets; see toolchains/README.md", file=sys.stderr)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
