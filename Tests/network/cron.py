# SPDX-License-Identifier: MIT
"""When a crontab's five fields are due, worked out minute by minute: slow, plain, and not our code under test."""

import datetime

NAMES = {
    name: number
    for names, first in ((("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1),
                         (("sun", "mon", "tue", "wed", "thu", "fri", "sat"), 0))
    for number, name in enumerate(names, first)
}


def values(field, low, high):
    found = set()
    for part in field.split(","):
        part, _, step = part.partition("/")
        first, _, last = part.partition("-")
        if first == "*":
            first, last = low, high
        first = NAMES.get(first, first)
        last = NAMES.get(last, last) if last != "" else (high if step else first)
        found.update(range(int(first), int(last) + 1, int(step or 1)))
    return found


def due(expression, begin, end):
    """The minutes (seconds since 1970, UTC) from begin, exclusive of its own minute, to end."""
    minute, hour, day, month, weekday = expression.split()
    minutes, hours = values(minute, 0, 59), values(hour, 0, 23)
    days, months = values(day, 1, 31), values(month, 1, 12)
    weekdays = {number % 7 for number in values(weekday, 0, 7)}
    found = []
    for at in range(begin // 60 * 60 + 60, end, 60):
        time = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        if time.minute not in minutes or time.hour not in hours or time.month not in months:
            continue
        on_day, on_weekday = time.day in days, time.isoweekday() % 7 in weekdays
        # Both restricted: either will do.
        either = day[0] != "*" and weekday[0] != "*"
        if (on_day or on_weekday) if either else (on_day and on_weekday):
            found.append(at)
    return found
