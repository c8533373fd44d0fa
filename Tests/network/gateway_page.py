# SPDX-License-Identifier: MIT
"""The commands of docs/gateway-cron.md, by section and by whom they are for."""

import re

from bed import ROOT

PAGE = ROOT / "docs/gateway-cron.md"


def sections():
    """[(number of the section, for whom, commands)], in the order of the page."""
    found, number = [], 0
    for part in re.split(r"^(?=## |```)", PAGE.read_text(), flags=re.MULTILINE):
        if heading := re.match(r"## (\d)\. ", part):
            number = int(heading[1])
        elif block := re.match(r"```(?:sh )?(\w+)\n(.*)", part, flags=re.DOTALL):
            found.append((number, block[1], block[2]))
    return found


def commands(number, reader):
    """The blocks of a section that are for one reader; there is at least one."""
    found = [block for section, whom, block in sections() if (section, whom) == (number, reader)]
    assert found, f"section {number} has nothing for {reader}"
    return found
