# SPDX-License-Identifier: MIT
# sed -E -f: makes unit tests a part of the self-test. On a device there are neither the testing library nor its macros,
# errors have their type, and there is no String: text stays what it is in the program, and no comment on a failure
# is put together; its line says which it was. Lines keep their numbers.
s/^@testable import KTRxerLite|^import Testing|^import KTRxerLite/import KTRxerLite/
s/^( *)@Suite struct/\1struct/
s/@Test\(arguments: .*\) func/func/
s/@Test func/func/
s/^ *@Test\(arguments: .*\)$//
s/, "\\\([a-z]*\)"\)$/)/
s/#expect\(throws: FrameError(\.[a-zA-Z]+)\) \{/expectError(\1) { () throws(FrameError) in/
s/#expect\(/expect(/
s/try #require\(/try required(/
s/([)]) throws( \{| ->|$)/\1 throws(FrameError)\2/
s/: String([,)]|$)/: StaticString\1/
s/ByteText\(("[^"]*")\.utf8\)/ByteText(\1)/g
