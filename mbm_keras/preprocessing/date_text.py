"""Dates as people write them to seconds since 1970, in a graph.

| written | read as |
|---|---|
| `2024-01-31`, `2024/1/31`, `2024.01.31` | year, month, day |
| `2024-01` | the first day of the month |
| `31.01.2024`, `1/31/2024`, `31-1-2024` | day and month in the order of the column |
| `1/31/24`, `1/31/70` | a year from 1970 to 2069 |
| `31 Jan 2024`, `Wed, Jan 31, 2024`, `31-January-2024` | the month by its name |
| `18:30`, `18:30:05.25`, `6:30 PM` | a time, alone or after a date and a space or `T` |
| `Z`, `UTC`, `+01:00`, `-0530` | its zone |
"""

from typing import NamedTuple

import tensorflow as tf

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun",
           "jul", "aug", "sep", "oct", "nov", "dec")  # fmt: skip
_NAME = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_YEAR, _SHORT = "([0-9]{4})", "([0-9]{1,2})"
_WEEKDAY = "(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,? +)?"
_TIME = (
    r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)? ?([ap]m)?"
    r" ?(z|utc|gmt|[+-][0-9]{2}:?[0-9]{2})?"
)
_AFTER = f"(?:(?:t|,? +){_TIME})?"
_CLOCK = r"|\4|\5|\6|\7|\8|\9"  # the groups of the time, which is the last part
# Patterns of lower-case text, and the groups of year, month and day.
_FIRST = (
    (f"{_YEAR}[-/.]{_SHORT}[-/.]{_SHORT}{_AFTER}", r"\1|\2|\3" + _CLOCK),
    (f"{_YEAR}[-/]([0-9]{{2}})", r"\1|\2|1||||||"),
    # A name says which one is the month.
    (
        f"{_WEEKDAY}{_SHORT}[-/. ]+({_NAME})[-/., ]+{_YEAR}{_AFTER}",
        r"\3|\2|\1" + _CLOCK,
    ),
    (
        f"{_WEEKDAY}({_NAME})[-/. ]+{_SHORT}[-/., ]+{_YEAR}{_AFTER}",
        r"\3|\1|\2" + _CLOCK,
    ),
)
_FIELDS = 9  # year, month, day, hour, minute, second, fraction, half of the day, zone
_DAY = 86_400


class Times(NamedTuple):
    """Times that were read from text.

    Args:
        utc: `(batch,)` float64, seconds since 1970; without a zone, of the local time.
        local: `(batch,)` float64, the same of the local time.
        has_date: `(batch,)` bool, False for a time of day alone.
        valid: `(batch,)` bool, False where a text is not a date or time.
    """

    utc: tf.Tensor
    local: tf.Tensor
    has_date: tf.Tensor
    valid: tf.Tensor


def parse(texts: tf.Tensor, day_first: bool) -> Times:
    """Reads dates and times.

    Args:
        texts: `(batch,)` strings.
        day_first: Whether the day is before the month where both are numbers and the
            year is last.
    """
    texts = tf.strings.lower(tf.strings.strip(texts))
    fields = tf.fill([tf.size(texts)], "")
    for pattern, rewrite in (*_FIRST, *_of_numbers(day_first)):
        fields = _rewrite(texts, fields, pattern, rewrite)
    has_date = fields != ""
    clock = "1970|1|1|" + "|".join(rf"\{i}" for i in range(1, 7))
    fields = _rewrite(texts, fields, _TIME, clock)
    matched = fields != ""
    empty = "|".join(["1970", "1", "1", *[""] * 6])
    parts = tf.strings.split(tf.where(matched, fields, empty), "|")
    parts = parts.to_tensor("", shape=(None, _FIELDS))  # (batch, 9)
    seconds, fits = _seconds(parts)
    zone, zone_fits = _zone(parts[:, 8])
    valid = matched & fits & zone_fits
    local = tf.where(valid, seconds, 0.0)
    return Times(local - tf.where(valid, zone, 0.0), local, has_date, valid)


def _of_numbers(day_first):
    """Patterns of dates whose year is last, and how they are rewritten."""
    day, month = (1, 2) if day_first else (2, 1)
    fields = rf"\3|\{month}|\{day}" + _CLOCK
    yield f"{_SHORT}[-/.]{_SHORT}[-/.]{_YEAR}{_AFTER}", fields
    for century, years in (("20", "[0-6][0-9]"), ("19", "[7-9][0-9]")):
        yield f"{_SHORT}/{_SHORT}/({years}){_AFTER}", century + fields


def _rewrite(texts, fields, pattern, rewrite):
    """Fills in the fields of the texts that match, where there are none yet."""
    pattern = f"^(?:{pattern})$"
    matches = (fields == "") & tf.strings.regex_full_match(texts, pattern)
    return tf.where(matches, tf.strings.regex_replace(texts, pattern, rewrite), fields)


def _seconds(parts):
    """Seconds since 1970, and which fields are those of a date that exists."""
    month_name = tf.strings.substr(parts[:, 1], 0, 3)
    named = month_name[:, None] == tf.constant(_MONTHS)  # (batch, 12)
    numbers = tf.constant([str(i) for i in range(1, 13)])
    month = tf.where(
        tf.reduce_any(named, axis=1),
        tf.gather(numbers, tf.argmax(tf.cast(named, tf.int32), axis=1)),
        parts[:, 1],
    )
    year, month, day = (_number(x) for x in (parts[:, 0], month, parts[:, 2]))
    hour, minute, second = (_number(parts[:, i]) for i in (3, 4, 5))
    half = parts[:, 7]
    fits = (half == "") | ((hour >= 1) & (hour <= 12))
    hour = tf.where(half == "", hour, hour % 12 + tf.where(half == "pm", 12, 0))
    fraction = tf.strings.to_number(tf.strings.join(["0.0", parts[:, 6]]), tf.float64)
    fraction *= 10.0  # "0.0" and the digits: a number also without any
    last = tf.gather(tf.constant([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]),
                     tf.clip_by_value(month - 1, 0, 11))  # fmt: skip
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last += tf.cast((month == 2) & is_leap, tf.int32)
    fits &= (month >= 1) & (month <= 12) & (day >= 1) & (day <= last)
    fits &= (hour <= 23) & (minute <= 59) & (second <= 60) & (year >= 1)
    in_day = tf.cast(hour * 3600 + minute * 60 + second, tf.float64)
    days = tf.cast(_days(year, month, day), tf.float64)
    return days * _DAY + in_day + fraction, fits


def _days(year, month, day):
    """Days since 1970 in the Gregorian calendar, `(batch,)` int64.

    Years begin in March, so that the day of a leap year is the last one.
    """
    year, month, day = (tf.cast(x, tf.int64) for x in (year, month, day))
    year -= tf.cast(month <= 2, tf.int64)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return 365 * year + year // 4 - year // 100 + year // 400 + day_of_year - 719_468


def _zone(texts):
    """Seconds ahead of UTC, and which are less than a day."""
    is_offset = tf.strings.regex_full_match(texts, "[+-].*")
    digits = tf.strings.regex_replace(tf.where(is_offset, texts, ""), "[^0-9]", "")
    number = _number(digits)  # hhmm
    minutes = number // 100 * 60 + number % 100
    sign = tf.where(tf.strings.regex_full_match(texts, "-.*"), -1, 1)
    fits = (minutes < 24 * 60) & (number % 100 < 60)
    return tf.cast(sign * minutes * 60, tf.float64), fits


def _number(texts):
    """Digits to int32, 0 for none."""
    return tf.strings.to_number(tf.strings.join(["0", texts]), tf.int32)
