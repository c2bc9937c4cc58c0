"""Words that are not used in code, docs, errors, notebooks and results.

`python tests/test_words.py [paths]` prints `file:line: word -> what to write`.
"""

import ast
import io
import pathlib
import re
import subprocess
import sys
import tokenize

# A word of letters alone: `told_apart`, `Told` and "told." all contain "told".
WORDS = {
    "absurd": "the limit, as a number",
    "beside": "next to, with, and",
    "behind": "after",
    "can_embed": "can_precompute",
    "field_stages": "standard_stages",
    "frames_mask": "nonzero_steps",
    "keep_present": "zero_absent",
    "leaned": "rely on",
    "looker": "attention_model",
    "nobody": "no input, no row",
    "OnlyPresent": "ZeroAbsent",
    "parted": "split, separated",
    "places": "positions, steps, index, row_index",
    "present_or_ones": "ones_for_absent",
    "RealPlaces": "ValidMask",
    "rest_of": "without_towers",
    "rows_mask": "nonzero_rows",
    "somebody": "a person, an active speaker",
    "standing": "is, remains",
    "stands": "is",
    "stood": "was",
    "Teller": "CaptionDecoder",
    "told": "reported, given, separated",
    "whoever": "anyone who",
    "WithMask": "AttachMask",
    # Old names of arguments and functions that no sentence needs.
    "checked_parts": "decode_values",
    "Embedded": "FrozenTowerOutputs, embeddings",
    "Placed": "PositionAndModality",
    "Repeated": "NearestFrames",
}
CASE_MATTERS = {"Embedded", "Placed", "Repeated"}
PHRASES = {
    r"gone on with": "continued",
    r"go(es|ing)? on with": "continue",
    r"at hand": "available",
    r"not to be had": "unreadable, missing",
    r"(is|are|be|been|was|were) had": "is available",
    r"what (is|are) no": "anything that is not",
    r"(?<=[a-z`] )(?<!there )(is|are) no(?= [a-z`])(?! longer| more| less)": "is not a",
    r"(?<!there )(?<!if )(?<!value )(is|are) (?-i:none)(?! of)": "is not one",
    r"of ours": "of this package",
}
BRITISH = {
    r"\w*colour\w*": "color",
    r"\w*neighbour\w*": "neighbor",
    r"\w*behaviour\w*": "behavior",
    r"\w*favour\w*": "favor",
    r"honour\w*": "honor",
    r"cent(re|res|red)": "center",
    r"grey\w*": "gray",
    r"artefacts?": "artifact",
    r"catalogues?": "catalog",
    r"analys(e|es|ed|ing)": "analyze",
    r"(label|model|travel|cancel|channel|signal)l(ed|ing)": "one l",
    r"\w*(optim|normal|standard|serial|initial|general|quant|vector|token|summar"
    r"|regular|visual|categor|random|minim|maxim|recogn|util|organ|memor|parametr"
    r"|synchron|digit|equal|factor|factori|binar|local|real|character|special"
    r"|emphas|penal|final|discret|symbol|prior|prioriti|linear)is"
    r"(e|es|ed|er|ers|ing|able|ation|ations)": "-ize, -ization",
}
# `here` is fine in a sentence, and no name. Participles are no names of functions.
NOT_A_NAME = {"here": "valid, mask"}
PARTICIPLE = re.compile(r"_?([a-z]+ed|told|drawn|made|written|kept|seen|given|done)")
VERBS = {"embed", "exceed", "feed", "need", "proceed", "seed", "speed", "succeed"}

SUFFIXES = {".cfg", ".ipynb", ".jinja", ".md", ".py", ".toml", ".txt", ".yml"}
LETTER = r"[A-Za-z]"


def _words():
    for word, better in WORDS.items():
        flags = 0 if word in CASE_MATTERS else re.IGNORECASE
        yield re.compile(rf"(?<!{LETTER}){word}(?!{LETTER})", flags), better


def _phrases(phrases):
    for phrase, better in phrases.items():
        yield re.compile(rf"(?<!\w){phrase}(?!{LETTER})", re.IGNORECASE), better


OF_ONE_WORD = [*_words(), *_phrases(BRITISH)]
OF_SEVERAL = list(_phrases(PHRASES))


def offenses(path, text):
    """Yields the line, the word and what to write, for each unused word in a file."""
    for match, better in _matches(path.stem):
        yield 0, match, f"{better} (name of the file)"
    lines = text.splitlines()
    # A longer line is a picture in a notebook.
    lines = [line if len(line) < 2_000 else "" for line in lines]
    if _has_matches("\n".join(lines)):
        for number, line in enumerate(lines, 1):
            for match, better in _matches(line):
                yield number, match, better
    if path.suffix == ".py":
        yield from _names(text)
        if "tests" not in path.parts:  # a helper of a test may be called by its value
            yield from _functions(text)


def _has_matches(text):
    """Looks at each different word once: most files have no match."""
    words = "\n".join(set(re.findall(r"\w+", text)))
    return any(pattern.search(words) for pattern, _ in OF_ONE_WORD) or any(
        pattern.search(text) for pattern, _ in OF_SEVERAL
    )


def _matches(line):
    for pattern, better in (*OF_ONE_WORD, *OF_SEVERAL):
        for match in pattern.finditer(line):
            yield match.group(), better


def _names(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in NOT_A_NAME:
            better = NOT_A_NAME[token.string]
            yield token.start[0], f"the name {token.string!r}", better


def _functions(text):
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        is_property = any(
            "property" in ast.unparse(decorator) for decorator in node.decorator_list
        )
        if not is_property and node.name.strip("_") not in VERBS:
            if PARTICIPLE.fullmatch(node.name):
                yield node.lineno, f"the function {node.name!r}", "a verb"


def tracked(folder, paths=()):
    """Text files that git tracks below `paths`, but for this one."""
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "--full-name", "-z", "--", *paths],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in listed:
        path = folder / name
        if path.suffix in SUFFIXES or name == ".ci/run":
            if path.name != "test_words.py" and path.is_file():
                yield path


def report(folder, paths=()):
    """Lines `file:line: word -> what to write`."""
    return [
        f"{path.relative_to(folder)}:{line}: {word} -> {better}"
        for path in tracked(folder, paths)
        for line, word, better in sorted(offenses(path, path.read_text("utf-8")))
    ]


def test_unused_words():
    found = report(pathlib.Path(__file__).resolve().parent.parent)
    assert not found, "\n".join([f"{len(found)} words", *found])


def test_every_kind_of_unused_word_is_found():
    text = "def learned(here):\n    '''What is told behind the Colour is no JPEG.'''\n"
    found = [word for _, word, _ in offenses(pathlib.Path("a.py"), text)]
    assert sorted(found) == sorted(
        ["told", "behind", "Colour", "is no", "the name 'here'"]
        + ["the function 'learned'"]
    )
    assert not list(offenses(pathlib.Path("a.md"), "Retold here: no word is withheld."))


if __name__ == "__main__":
    folder = subprocess.run(
        ["git", "rev-parse", "--show-toplevel"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    prefix = pathlib.Path.cwd().resolve().relative_to(folder)
    lines = report(pathlib.Path(folder), [str(prefix / p) for p in sys.argv[1:]])
    sys.stdout.write("\n".join([*lines, f"{len(lines)} words\n"]))
    sys.exit(bool(lines))
