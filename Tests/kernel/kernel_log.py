# SPDX-License-Identifier: MIT
"""The judge of the kernel's log: what in it means that the kernel or a module did wrong.

reports  the reports in a log: KASAN, UBSAN, lock validator, debug objects, reference counts, hung tasks, warnings, oopses
leaks    what kmemleak holds lost, from its file
"""

import dataclasses
import re

# The line that a report opens with or is known by. "Call Trace:" stands last for all that prints a stack and is not listed.
OPENINGS = [
    r"BUG: ", r"BUG at ", r"BUG \S+ \(", r"WARNING: ", r"KASAN: ", r"UBSAN: ", r"ODEBUG: ", r"refcount_t: ",
    r"INFO: task .* blocked for more than", r"INFO: rcu\w* .*(detected|self-detected)", r"INFO: trying to register non-static key",
    r"possible (recursive|circular) locking", r"inconsistent lock state", r"suspicious RCU usage", r"held lock freed",
    r"scheduling while atomic", r"sleeping function called from invalid context", r"DEBUG_LOCKS_WARN_ON",
    r"unregister_netdevice: waiting for", r"ref_tracker: ", r"list_(add|del) corruption", r"soft lockup", r"hard LOCKUP",
    r"Oops", r"general protection fault", r"[Uu]nable to handle", r"NULL pointer dereference", r"Kernel panic",
    r"double fault", r"invalid opcode", r"stack-protector", r"Objects remaining in", r"Kernel mode fault",
    r"NETDEV WATCHDOG", r"nobody cared", r"page allocation failure", r"vmalloc error", r"Call Trace:",
]
OPENING = re.compile("|".join(OPENINGS))
STAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[CT]\d+\])? ")
# Lines that match and mean nothing.
HARMLESS = re.compile(r"ODEBUG: \d+ of|ODEBUG: selftest|INFO: lockdep is turned off")
# What opens within so many lines of an opening belongs to the same report; its stack may come later.
REACH, STACK_REACH = 12, 40
SHOWN = 70


@dataclasses.dataclass(frozen=True)
class Report:
    """A report in the kernel's log: the line that gave it away, and what follows."""

    title: str
    text: str

    def __str__(self):
        return self.text


# Reports of kernels that are theirs alone: (what the title says, what else is in the text).
NOISE = [
    # User Mode Linux 6.1, when the first program starts.
    (r"suspicious RCU usage", r"force_flush_all"),
    # Its switch of stacks is at odds with KASAN when an interrupt comes in the middle of another.
    (r"KASAN: stack-out-of-bounds in (to|from)_irq_stack", r""),
]


def reports(log, tolerated=()):
    """The reports in a stretch of log, each once. `tolerated` are patterns of titles that a test provokes on purpose."""
    lines = [STAMP.sub("", line) for line in log.splitlines()]
    openings = []
    for number, line in enumerate(lines):
        if OPENING.search(line) and not HARMLESS.search(line):
            reach = STACK_REACH if line.startswith("Call Trace:") else REACH
            if openings and number - openings[-1][1] <= reach:
                openings[-1][1] = number
            else:
                openings.append([number, number])
    found = []
    for index, (first, _) in enumerate(openings):
        end = openings[index + 1][0] if index + 1 < len(openings) else len(lines)
        text = "\n".join(lines[max(first - 1, 0) : min(end, first + SHOWN)])
        report = Report(lines[first].strip(), text)
        noise = any(re.search(title, report.title) and re.search(content, report.text) for title, content in NOISE)
        if not noise and not any(re.search(pattern, report.title) for pattern in tolerated):
            found.append(report)
    return found


@dataclasses.dataclass(frozen=True)
class Leak:
    """An object that kmemleak holds lost: its size, and the functions that allocated it, innermost first.

    A function of a module reads `name [module]`; one of a module that is gone is a bare address, `0x...`."""

    size: int
    trace: tuple

    def names(self, module):
        return any(place.endswith(f"[{module}]") for place in self.trace)

    @property
    def nameless(self):
        return any(place.startswith("0x") for place in self.trace)

    def __str__(self):
        return f"{self.size} bytes lost, allocated by " + " < ".join(self.trace)


# Every allocation passes through these.
ALLOCATOR = re.compile(r"save_stack|stack_trace_save|set_track|__create_object|kmemleak_alloc|slab_post_alloc|kmem_cache_alloc|k[mz]alloc")


def leaks(text):
    """What is in /sys/kernel/debug/kmemleak."""
    found = []
    for block in re.split(r"^(?=unreferenced object )", text, flags=re.M):
        opening = re.match(r"unreferenced object 0x[0-9a-f]+ \(size (\d+)\)", block)
        if not opening:
            continue
        places = re.findall(r"^ +\[<[0-9a-f]+>\] (.+)$", block, re.M)
        # Offsets into functions differ between builds; the module in brackets stays.
        places = [re.sub(r"\+0x[0-9a-f]+/0x[0-9a-f]+", "", place).strip() for place in places]
        places = [place for place in places if not ALLOCATOR.search(place)]
        found.append(Leak(int(opening[1]), tuple(places)))
    return found
