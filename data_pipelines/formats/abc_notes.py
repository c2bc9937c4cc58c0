"""Tunes in ABC notation, as the notes of their melody.

Source: Walshaw et al. 2011, "The abc music standard 2.1",
https://abcnotation.com/wiki/abc:standard:v2.1, sections 3 and 4. Deviations: one voice;
every repeat is read once, with all of its endings; of notes at the same time the
highest counts; chord symbols, grace notes, decorations and words are skipped.
"""

import dataclasses
import re
from fractions import Fraction

_DEGREES = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11), strict=True))
_FIFTHS = dict(zip("FCGDAEB", range(-1, 6), strict=True))  # sharps of the major key
_MODES = dict(lyd=1, maj=0, ion=0, mix=-1, dor=-2, m=-3, min=-3, aeo=-3, phr=-4, loc=-5)
_MIDDLE_C = 60
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}  # notes in the time of; others: 2, or 3
_NOTE = r"(?P<sign>[_^=]*)(?P<name>[A-Ga-gxz])(?P<octave>[,']*)"
_LENGTH = r"(?P<above>\d*)(?P<slashes>/*)(?P<below>\d*)"
_TOKENS = re.compile(
    rf"""(?P<skipped>"[^"]*"|\{{[^}}]*\}}|![^!]*!|\[[A-Za-z]:[^\]]*\]|[\s\\~.`Z]|[HLMOPSTuv])
    |(?P<bar>[|:]+[\]|:]*|\[\||\[?\d[\d,]*)
    |\((?P<tuplet>\d)(?::\d*)*
    |\[(?P<chord>(?:[\s+]*[_^=]*[A-Ga-gxz][,']*\d*/*\d*-?\s*)+)\](?P<times>\d*)
    |{_NOTE}{_LENGTH}
    |(?P<broken>[<>]+)
    |(?P<tie>-)
    |(?P<slur>[()])""",
    re.VERBOSE,
)


@dataclasses.dataclass(frozen=True)
class Note:
    """A note or a rest.

    Attributes:
        pitch: In semitones, 60 is the middle C; None for a rest.
        length: In whole notes.
    """

    pitch: int | None
    length: Fraction


@dataclasses.dataclass(frozen=True)
class Tune:
    """A tune.

    Attributes:
        title: Its first title.
        meter: As written, such as `"6/8"`.
        key: As written, such as `"Am"`.
        notes: The melody.
    """

    title: str
    meter: str
    key: str
    notes: tuple[Note, ...]


def read_tunes(text: str) -> list[Tune]:
    """Reads all tunes of a file.

    Args:
        text: The content of the file.

    Returns:
        The tunes in the order of the file.

    Raises:
        ValueError: If a key or a sign is not known.
    """
    return [read_tune(part) for part in split_tunes(text)]


def split_tunes(text: str) -> list[str]:
    """The text of each tune of a file, for one that has faults in some.

    Args:
        text: The content of the file.
    """
    return re.split(r"^X:.*$", text, flags=re.MULTILINE)[1:]


def read_tune(text: str) -> Tune:
    """Reads one tune.

    Args:
        text: Its fields and lines.

    Raises:
        ValueError: If a key or a sign is not known.
    """
    header: dict[str, str] = {}
    melody = _Melody()
    for line in text.splitlines():
        line = line.partition("%")[0].rstrip()
        field = re.match(r"([A-Za-z]):(?![|:])(.*)", line)
        if field is None:
            melody.read(line)
            continue
        name, value = field[1], field[2].strip()
        header.setdefault(name, value)
        if name == "K":
            melody.set_key(value)
        elif name == "L":
            melody.unit = Fraction(value)
        elif name == "M":
            melody.set_meter(value, "L" not in header)
    title, meter, key = (header.get(name, "") for name in "TMK")
    return Tune(title, meter, key, tuple(melody.notes))


class _Melody:
    """The notes so far, and what the next one depends on."""

    def __init__(self):
        self.notes = []
        self.unit = Fraction(1, 8)
        self.is_compound = False
        self.key = {}  # semitones by name of a note
        self.bar = {}  # those of this bar
        self.tuplet = (0, Fraction(1))  # notes that are left, and their factor
        self.broken = Fraction(1)  # factor of the next note
        self.tied = False

    def set_meter(self, value, sets_unit):
        """The unit is a sixteenth where a bar is shorter than three quarters."""
        numbers = re.fullmatch(r"(\d+)/(\d+)", value)
        length = Fraction(int(numbers[1]), int(numbers[2])) if numbers else Fraction(1)
        self.is_compound = bool(numbers) and int(numbers[1]) in (6, 9, 12)
        if sets_unit:
            self.unit = Fraction(1, 16 if length < Fraction(3, 4) else 8)

    def set_key(self, value):
        found = re.match(r"([A-G])([#b]?)\s*([A-Za-z]{0,3})", value)
        mode = found[3].lower() if found else ""
        if not found or mode not in ("", *_MODES):
            raise ValueError(f"Expected a key, such as Am. Received: key={value!r}.")
        sharps = _FIFTHS[found[1]] + 7 * {"#": 1, "b": -1, "": 0}[found[2]]
        sharps += _MODES.get(mode, 0)
        order = "FCGDAEB" if sharps > 0 else "BEADGCF"
        self.key = dict.fromkeys(order[: abs(sharps)], 1 if sharps > 0 else -1)

    def read(self, line):
        """Reads a line of music."""
        position = 0
        while position < len(line):
            token = _TOKENS.match(line, position)
            if token is None:
                raise ValueError(
                    f"Expected notes in ABC notation. Received: {line[position:]!r}."
                )
            position = token.end()
            self._take(token)

    def _take(self, token):
        if token["bar"]:
            self.bar = {}
        elif token["tuplet"]:
            number = int(token["tuplet"])
            time = _TUPLETS.get(number, 3 if self.is_compound else 2)
            self.tuplet = (number, Fraction(time, number or 1))
        elif token["chord"]:
            found = list(re.finditer(_NOTE + _LENGTH, token["chord"]))
            notes = [(self._pitch(x), self._length(x)) for x in found]
            pitch, length = max(notes, key=lambda note: note[0] or 0)
            self._add(pitch, length * int(token["times"] or 1))
            self.tied = "-" in token["chord"]
        elif token["name"]:
            self._add(self._pitch(token), self._length(token))
        elif token["broken"] and self.notes:
            more = Fraction(1, 2 ** len(token["broken"]))
            longer, shorter = 2 - more, more
            first = longer if token["broken"][0] == ">" else shorter
            last = self.notes[-1]
            self.notes[-1] = Note(last.pitch, last.length * first)
            self.broken = 2 - first
        elif token["tie"]:
            self.tied = True

    def _pitch(self, token):
        name, sign, octave = token["name"], token["sign"], token["octave"]
        if name in "xz":
            return None
        place = name + octave
        if sign:
            self.bar[place] = sign.count("^") - sign.count("_")
        change = self.bar.get(place, self.key.get(name.upper(), 0))
        octaves = name.islower() + octave.count("'") - octave.count(",")
        return _MIDDLE_C + _DEGREES[name.upper()] + change + 12 * octaves

    def _length(self, token):
        above, below = token["above"], token["below"]
        length = self.unit * int(above or 1)
        if below:
            return length / int(below)
        return length / 2 ** len(token["slashes"])

    def _add(self, pitch, length):
        left, factor = self.tuplet
        length *= self.broken * (factor if left else 1)
        self.tuplet = (max(left - 1, 0), factor)
        self.broken = Fraction(1)
        is_same = self.notes and self.notes[-1].pitch == pitch
        if self.tied and is_same and pitch is not None:
            self.notes[-1] = Note(pitch, self.notes[-1].length + length)
        else:
            self.notes.append(Note(pitch, length))
        self.tied = False
