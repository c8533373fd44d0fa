# SPDX-License-Identifier: MIT
class Failure(Exception):
    """What keeps a package from being made, as one line that says what to do."""
