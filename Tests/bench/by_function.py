# SPDX-License-Identifier: MIT
"""Which functions a method's frames spend their instructions in, on a platform whose kernel tells its functions' names.

    by_function.py PLATFORM METHOD [-G FRAMES_A_SUBMIT] [-l PAYLOAD] [--least INSTRUCTIONS]

The guest sends train after train; meanwhile the emulator logs each instruction that it executes, for a second. A table comes out: instructions
a frame, in which function, of which module. What the program itself does is one row.
"""

import argparse
import bisect
import collections
import pathlib
import re
import socket
import tempfile
import threading
import time

import platforms

LOG_SECONDS = 1.0
#: What is done once for each frame, by driver.
ONCE_A_FRAME = {"e1000": "e1000_xmit_frame", "pcnet": "pcnet32_start_xmit", "virtio-net-pci": "start_xmit", "usb-net": "usbnet_start_xmit"}
TRACED = re.compile(rb"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")


class Monitor:
    """The emulator's own command line."""

    def __init__(self, path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(str(path))

    def say(self, *commands):
        for command in commands:
            self.connection.sendall(command.encode() + b"\n")


def _logged(monitor, log):
    # Instructions one by one, each looked up anew.
    monitor.say(f"logfile {log}", "singlestep on", "log exec,nochain")
    time.sleep(LOG_SECONDS)
    monitor.say("log none")


def _symbols(text):
    """(addresses, names) of functions, in order."""
    found = []
    for line in text.splitlines():
        address, _, name, *module = line.split()
        found.append((int(address, 16), name + (f" {module[0]}" if module else "")))
    found.sort()
    return [address for address, _ in found], [name for _, name in found]


def counted(log, addresses, names):
    """{function: instructions} of all that was logged, and how often each was entered."""
    spent, entered = collections.Counter(), collections.Counter()
    with open(log, "rb") as lines:
        for line in lines:
            traced = TRACED.match(line)
            if not traced:
                continue
            pc = int(traced[1], 16)
            at = bisect.bisect_right(addresses, pc) - 1
            name = names[at] if at >= 0 else "the program"
            spent[name] += 1
            entered[name] += at >= 0 and addresses[at] == pc
    return spent, entered


def profile(platform, method, group, payload, folder):
    log, monitor = folder / "log", folder / "monitor"
    call = f"/methods/{method} -r 1000000 -n 2000 -m 2000 -l {payload} -G {group}"
    scripts = ["grep ' [tT] ' /proc/kallsyms", call]
    begun = []

    def enough(said):
        if "2.status" in said and not begun:
            begun.append(threading.Timer(6, lambda: _logged(Monitor(monitor), log)))
            begun[0].start()
        return bool(begun) and not begun[0].is_alive()

    done = platforms.run(
        platform, scripts, methods=(method,), insert="rate_ceiling=0", timeout=120, only=enough,
        options=("-monitor", f"unix:{monitor},server,nowait"),
    )  # fmt: skip
    addresses, names = _symbols(done.results[0].out)
    return counted(log, addresses, names)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("platform", choices=platforms.PLATFORMS)
    parser.add_argument("method", choices=sorted(path.stem for path in platforms.METHODS.glob("*.c") if path.stem != "train"))
    parser.add_argument("-G", dest="group", type=int, default=64)
    parser.add_argument("-l", dest="payload", type=int, default=58)
    parser.add_argument("--least", type=float, default=5)
    chosen = parser.parse_args()
    platform = platforms.PLATFORMS[chosen.platform]
    with tempfile.TemporaryDirectory(prefix="ktrxer-by-function-") as folder:
        spent, entered = profile(platform, chosen.method, chosen.group, chosen.payload, pathlib.Path(folder))
    frames = sum(times for name, times in entered.items() if name.split()[0] == ONCE_A_FRAME[platform.model])
    if not frames:
        raise SystemExit(f"by_function: no frame entered the driver of {platform.model}; does this kernel tell names (CONFIG_KALLSYMS)?")
    print(f"{frames} frames, {sum(spent.values()) / frames:.0f} instructions a frame")
    for name, count in spent.most_common():
        if count / frames < chosen.least:
            break
        print(f"{count / frames:8.1f} {entered[name] / frames:7.2f}  {name}")


if __name__ == "__main__":
    main()
