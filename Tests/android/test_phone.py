# SPDX-License-Identifier: MIT
"""The bundle on an emulated phone, pushed, run and pulled by Android's adb: as root, and as the user that Android calls shell."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest

import phone as phones
from guest import ROOT

HOME = phones.HOME


@pytest.fixture(scope="module")
def unzipped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("computer") / "bundle"
    subprocess.run(["unzip", "-q", phones.bundle(), "-d", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    running = phones.Phone(tmp_path_factory.mktemp("phone"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    out = tmp_path_factory.mktemp("module")
    subprocess.run([ROOT / "Tests/kernel/kernels.sh", "build", "arm64-6.1", ROOT / "kmod", out], check=True, capture_output=True)
    return out / "ktrxer.ko"


def shell(phone, command, serial=None):
    return phone.adb("-s", serial or phone.shell, "shell", command)


def wait_for_records(phone, count):
    end = time.monotonic() + 240
    while True:
        said = shell(phone, f"cat {HOME}/results/results.jsonl 2> /dev/null").stdout
        records = [json.loads(line) for line in said.splitlines()]
        if len(records) >= count or time.monotonic() > end:
            return records
        time.sleep(0.5)


def test_nothing_to_pull_yet(phone, unzipped, tmp_path):
    seen = phone.script(unzipped / "pull.sh", "-s", phone.shell, tmp_path / "results")
    assert seen.returncode == 1 and "start jobs there" in seen.stderr, seen


def test_push_without_root(phone, unzipped):
    seen = phone.script(unzipped / "push.sh", "-s", phone.shell)
    assert seen.returncode == 0, seen
    said = dict(re.findall(r"^(\S+) +(.*)$", seen.stdout, re.MULTILINE))
    assert said["root"].startswith("no (uid 2000)") and said["SELinux"] == "none", seen
    assert said["works"] == "socket transport", seen
    assert said["module"].startswith("none here for 6.1."), seen
    # No property and no service told whom to ask: the router.
    assert said["names"] == "looked up at 192.0.2.1 (file resolver)", seen
    assert "'192.0.2.1'" in shell(phone, f"cat {HOME}/ktrxer.conf").stdout
    modes = shell(phone, f"stat -c '%a %n' {HOME}/bundle/*.sh {HOME}/bundle/ktrxer-agent").stdout
    assert all(line.startswith("755 ") for line in modes.splitlines()) and "ktrxer-agent" in modes, modes


def test_one_measurement_without_root(phone):
    seen = shell(phone, f"{HOME}/ktrxer ping -c 2 -i 20ms --json 192.0.2.1")
    record = json.loads(seen.stdout)
    assert seen.returncode == 0 and record["transport"] == "socket" and record["statistics"]["received"] == 2, seen
    # What netserver knows a name for.
    seen = shell(phone, f"{HOME}/ktrxer ping -c 1 --json nosuch.example")
    assert json.loads(seen.stdout)["error"]["id"] == "name_not_found", seen
    seen = shell(phone, f"{HOME}/ktrxer ping -T kernel -c 1 192.0.2.1")
    assert seen.returncode == 69 and seen.stderr.count("\n") == 1, seen


def test_jobs_run_until_they_are_stopped(phone, unzipped, tmp_path):
    seen = shell(phone, f"sh {HOME}/bundle/start.sh")
    assert seen.returncode == 0 and "runs as process" in seen.stdout, seen
    assert "runs already" in shell(phone, f"sh {HOME}/bundle/start.sh").stdout, shell(phone, f"cat {HOME}/agent.log; ps")
    records = wait_for_records(phone, 1)
    assert records and records[0]["job"] == "gateway" and records[0]["statistics"]["received"] == 10, records
    seen = phone.script(unzipped / "pull.sh", "-s", phone.shell, tmp_path / "results")
    assert seen.returncode == 0, seen
    pulled = (tmp_path / "results/results.jsonl").read_text()
    assert [json.loads(line) for line in pulled.splitlines()][: len(records)] == records
    assert shell(phone, f"sh {HOME}/bundle/stop.sh").returncode == 0
    # In brackets it stands while it has ended and nobody has asked how.
    assert "ktrxer-agent run" not in shell(phone, "ps").stdout
    seen = shell(phone, f"sh {HOME}/bundle/stop.sh")
    assert seen.returncode == 1 and "nothing runs" in seen.stdout, seen


def test_what_is_the_users_stays(phone, unzipped, tmp_path):
    mine = tmp_path / "mine.conf"
    mine.write_text((ROOT / "android-ndk/device/ktrxer.conf").read_text() + "# mine\n")
    assert phone.script(unzipped / "push.sh", "-s", phone.shell, "-f", mine, "-n", "192.0.2.1 2001:db8::53").returncode == 0
    assert phone.script(unzipped / "push.sh", "-s", phone.shell).returncode == 0
    assert shell(phone, f"tail -n 1 {HOME}/ktrxer.conf").stdout == "# mine\n"
    assert shell(phone, f"cat {HOME}/resolver").stdout == "192.0.2.1 2001:db8::53\n"
    assert shell(phone, f"test -s {HOME}/results/results.jsonl").returncode == 0
    assert shell(phone, f"ls {HOME}").stdout.split() == ["agent.log", "bundle", "ktrxer", "ktrxer.conf", "resolver", "results"]


def test_start_says_why_it_does_not(phone):
    assert shell(phone, f"chmod 0777 {HOME}/results").returncode == 0
    seen = shell(phone, f"sh {HOME}/bundle/start.sh")
    assert seen.returncode == 1 and "it ended at once" in seen.stderr and "anybody may change its folder" in seen.stderr, seen
    assert shell(phone, f"chmod 0755 {HOME}/results").returncode == 0
    assert shell(phone, f"echo nonsense >> {HOME}/ktrxer.conf; sh {HOME}/bundle/start.sh").returncode == 2
    assert shell(phone, f"sed -i '$d' {HOME}/ktrxer.conf").returncode == 0


def test_older_over_newer_is_refused(phone, unzipped):
    shell(phone, f"echo 99999999999 > {HOME}/bundle/MADE")
    seen = phone.script(unzipped / "push.sh", "-s", phone.shell)
    assert seen.returncode == 1 and "the bundle on the device is newer (0." in seen.stderr and "--force" in seen.stderr, seen
    assert shell(phone, f"cat {HOME}/bundle/MADE").stdout == "99999999999\n"
    assert phone.script(unzipped / "push.sh", "-s", phone.shell, "--force").returncode == 0
    assert shell(phone, f"cat {HOME}/bundle/MADE").stdout != "99999999999\n"


def test_damaged_on_the_way(phone, unzipped, tmp_path):
    """A file that arrives short: what was there goes on working."""
    copy = tmp_path / "bundle"
    subprocess.run(["cp", "-r", unzipped, copy], check=True)
    agent = copy / "device/ktrxer-agent"
    agent.write_bytes(agent.read_bytes()[:-4096])
    seen = phone.script(copy / "push.sh", "-s", phone.shell)
    assert seen.returncode == 1 and "what arrived on the device is not what was sent" in seen.stderr, seen
    assert shell(phone, f"{HOME}/ktrxer version").returncode == 0


def test_no_module_is_pushed_for_one(phone, unzipped):
    seen = phone.script(unzipped / "push.sh", "-s", phone.shell, "-m", ROOT / "README.md")
    assert seen.returncode == 1 and "is no kernel module" in seen.stderr, seen


def test_root_with_the_module(phone, unzipped, module):
    """A rooted phone: the module is loaded by start.sh, and the jobs go through it."""
    seen = phone.script(unzipped / "push.sh", "-s", phone.root, "-m", module)
    assert seen.returncode == 0, seen
    said = dict(re.findall(r"^(\S+) +(.*)$", seen.stdout, re.MULTILINE))
    assert said["root"] == "yes" and "start.sh loads it" in said["module"], seen
    assert said["symbols"] == "all that the module needs are there", seen
    assert said["works"].startswith("packet transport, socket transport; with the module"), seen
    shell(phone, f"rm -f {HOME}/results/*", phone.root)
    seen = shell(phone, f"sh {HOME}/bundle/start.sh", phone.root)
    assert seen.returncode == 0, seen
    records = wait_for_records(phone, 1)
    assert records and records[0]["transport"] == "kernel" and records[0]["statistics"]["received"] == 10, records
    said = shell(phone, f"sh {HOME}/bundle/preflight.sh", phone.root).stdout
    assert re.search(r"^module +loaded$", said, re.MULTILINE), said
    assert re.search(r"^works +kernel transport, packet", said, re.MULTILINE), said
    assert shell(phone, f"sh {HOME}/bundle/stop.sh --unload", phone.root).returncode == 0
    assert shell(phone, "ls /dev/ktx", phone.root).returncode != 0


def test_module_of_another_kernel(phone, unzipped, module, tmp_path):
    other = tmp_path / "ktrxer.ko"
    content = module.read_bytes()
    start = content.index(b"vermagic=6.1.0-")
    other.write_bytes(content[:start] + b"vermagic=5.4.0-" + content[start + 15 :])
    shell(phone, f"rm -rf {HOME}/bundle/modules", phone.root)
    seen = phone.script(unzipped / "push.sh", "-s", phone.root, "-m", other)
    said = dict(re.findall(r"^(\S+) +(.*)$", seen.stdout, re.MULTILINE))
    assert seen.returncode == 0 and re.match(r"5\.4\.0-\S+ is what the one here is for, not this kernel", said["module"]), seen
    assert said["works"] == "packet transport, socket transport", seen


def test_root_s_jobs_are_not_the_shell_users_to_end(phone):
    assert shell(phone, f"sh {HOME}/bundle/start.sh", phone.root).returncode == 0
    seen = shell(phone, f"sh {HOME}/bundle/stop.sh")
    assert seen.returncode == 2 and "it runs as root" in seen.stderr, seen
    assert "runs already" in shell(phone, f"sh {HOME}/bundle/start.sh", phone.root).stdout
    assert shell(phone, f"sh {HOME}/bundle/stop.sh", phone.root).returncode == 0


@pytest.mark.parametrize(
    "prepare, undo, named",
    [
        ("ln -s /data/other/victim agent.log", "rm agent.log", "./agent.log"),
        ("mv ktrxer.conf mine; ln -s /data/other/victim ktrxer.conf", "mv mine ktrxer.conf", "./ktrxer.conf"),
        ("ln -s /data/other results/records", "rm results/records", "./results/records"),
        ("touch bundle/odd; chown 1234 bundle/odd", "rm bundle/odd", "./bundle/odd"),
    ],
)  # fmt: skip
def test_root_follows_nobody_s_links(phone, unzipped, prepare, undo, named):
    """Whoever has the shell could have root write, or run, elsewhere: start.sh, stop.sh and a push say so, and change nothing."""
    shell(phone, f"echo precious > /data/other/victim; rm -f {HOME}/agent.log; cd {HOME} && {prepare}", phone.root)
    said = f"{named} is a link, or neither root's nor the shell user's, and root does not touch it; remove it, and push again"
    for script in "start.sh", "stop.sh":
        seen = shell(phone, f"sh {HOME}/bundle/{script}", phone.root)
        assert seen.returncode == 1 and seen.stdout == "" and seen.stderr == f"{script}: {said}\n", seen
    seen = phone.script(unzipped / "push.sh", "-s", phone.root)
    assert seen.returncode == 1 and f"settle.sh: {said}" in seen.stderr, seen
    assert shell(phone, "cat /data/other/victim; ls /data/other", phone.root).stdout == "precious\nvictim\n"
    assert shell(phone, f"cd {HOME} && {undo} && rm -r new", phone.root).returncode == 0


def test_folder_that_is_a_link(phone, unzipped):
    shell(phone, f"mv {HOME} /data/other/ktrxer; ln -s /data/other/ktrxer {HOME}", phone.root)
    seen = phone.script(unzipped / "push.sh", "-s", phone.root)
    assert seen.returncode == 1 and f"push.sh: {HOME} on the device is a link; remove it: adb shell rm {HOME}" in seen.stderr, seen
    seen = shell(phone, f"sh {HOME}/bundle/start.sh", phone.root)
    assert seen.returncode == 1 and f"start.sh: {HOME} is a link" in seen.stderr, seen
    assert shell(phone, f"rm {HOME} && mv /data/other/ktrxer {HOME}", phone.root).returncode == 0


def test_number_of_another_process(phone):
    """What agent.pid names after a restart of the phone may be anybody, with our name in its arguments."""
    seen = shell(phone, f"tail -f {HOME}/ktrxer.conf > /dev/null & echo $! > {HOME}/agent.pid; sh {HOME}/bundle/stop.sh; kill $!", phone.root)
    assert "nothing runs" in seen.stdout and "No such process" not in seen.stderr, seen


MODULE = "/data/adb/modules/ktrxer"
# What Magisk's installer does around customize.sh, and has for it.
INSTALL = f"""
umask 022
ui_print() {{ echo "$1"; }}
abort() {{ echo "$1"; exit 1; }}
MODPATH=/data/adb/modules_update/ktrxer
. $MODPATH/customize.sh
rm -rf {MODULE}; mkdir -p /data/adb/modules; mv $MODPATH {MODULE}
"""


def install_as_module(phone, unzipped, architecture="arm64"):
    shell(phone, "rm -rf /data/adb/modules_update; mkdir -m 0700 -p /data/adb; mkdir -p /data/adb/modules_update/ktrxer", phone.root)
    phone.adb("-s", phone.root, "push", f"{unzipped}/.", "/data/adb/modules_update/ktrxer")
    return shell(phone, f"ARCH={architecture}\n{INSTALL}", phone.root)


def test_as_a_module_of_a_module_manager(phone, unzipped):
    seen = install_as_module(phone, unzipped, "x64")
    assert seen.returncode == 1 and "! This is for arm64-v8a; the phone is x64" in seen.stdout, seen
    assert install_as_module(phone, unzipped).returncode == 0
    assert "-rwxr-xr-x" in shell(phone, f"ls -l {MODULE}/bundle/ktrxer-agent", phone.root).stdout
    shell(phone, "printf '#!/bin/sh\necho 1\n' > /bin/getprop; chmod 0755 /bin/getprop", phone.root)
    # A number of the time before the boot. The manager runs it in a session of its own, and adb's ends with its shell.
    shell(phone, f"echo 1 > {MODULE}/agent.pid; setsid sh {MODULE}/service.sh", phone.root)
    end = time.monotonic() + 60
    while not (said := shell(phone, f"cat {MODULE}/results/results.jsonl 2> /dev/null", phone.root).stdout) and time.monotonic() < end:
        time.sleep(0.5)
    assert json.loads(said.splitlines()[0])["statistics"]["received"] == 10, said
    # Nothing of it is where the shell user could put something else.
    assert shell(phone, f"cat {MODULE}/ktrxer.conf").returncode != 0
    assert "/data/local" not in shell(phone, f"cat {MODULE}/ktrxer.conf", phone.root).stdout
    shell(phone, f"sh {MODULE}/bundle/stop.sh; echo '# mine' >> {MODULE}/ktrxer.conf", phone.root)
    assert install_as_module(phone, unzipped).returncode == 0
    assert shell(phone, f"tail -n 1 {MODULE}/ktrxer.conf; ls {MODULE}/results", phone.root).stdout.startswith("# mine\nresults.jsonl")
    assert shell(phone, f"sh {MODULE}/bundle/start.sh; sh {MODULE}/uninstall.sh", phone.root).returncode == 0
    assert "ktrxer-agent run" not in shell(phone, "ps").stdout


def page_blocks():
    """The commands of docs/android.md, block by block."""
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "docs/android.md").read_text(), re.DOTALL | re.MULTILINE)


def test_page(phone, tmp_path):
    """The page as a new user follows it, from the folder with the sources, without root: every command succeeds."""
    making, running, *_, taking_off = page_blocks()
    first, _, rest = making.partition("\n")
    assert first.startswith("make setup-build android ") and phones.bundle().exists()
    shell(phone, f"rm -rf {HOME} /bin/getprop; echo '192.0.2.1 example.net' >> /etc/hosts", phone.root)
    (tmp_path / "dist").symlink_to(ROOT / "dist")
    # When it is taken off nothing runs any more, which stop.sh's status says.
    for strict, block, there in ("-e", rest, True), ("-e", running, True), ("+e", taking_off, False):
        seen = subprocess.run(
            ["bash", strict, "-c", block], cwd=tmp_path, env={**phone.environment, "ANDROID_SERIAL": phone.shell}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert seen.returncode == 0, seen
        assert (shell(phone, f"ls -d {HOME}").returncode == 0) == there
    (pulled,) = tmp_path.glob("ktrxer-results-*/results.jsonl")
    assert json.loads(pulled.read_text().splitlines()[0])["job"] == "gateway"
