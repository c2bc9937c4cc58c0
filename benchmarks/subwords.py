"""Subwords in the graph and Hugging Face's `tokenizers`: ids and strings per second.

Lines are 3,000 of Snips (MBM_DATA_DIR) and 3,000 of this repository. Vocabularies are
learned from them, or read with `--folders A,B` from local Hugging Face folders. CPU
seconds are those of all threads. Goals: no line with other ids (8 for Unigram), the
strings per CPU second of the peer at batch 64, and a single string under 0.5 ms.
"""

import json
import os
import pathlib
import random
import statistics
import tarfile
import time

import common
import tensorflow as tf
import tokenizers

from mbm_keras.preprocessing.subwords import Subwords
from mbm_keras.preprocessing.subwords.folder import read_json
from mbm_keras.preprocessing.subwords.learn import train

BATCH = 64
SIZE = 8_000  # pieces of a vocabulary


def main():
    """Compares every vocabulary on every set of lines."""
    arguments = common.options(
        __doc__, folders=(str, "", "folders with `tokenizer.json`, comma separated")
    )
    count = 640 if arguments.quick else 3_000
    lines = {"snips": read_snips()[:count], "code": read_code()[:count]}
    texts = [line for some in lines.values() for line in some]
    folders = [pathlib.Path(f) for f in arguments.folders.split(",") if f]
    contents = {f.name: json.loads((f / "tokenizer.json").read_text()) for f in folders}
    contents |= {
        f"learned {kind}": train(texts, kind, SIZE)
        for kind in ("wordpiece", "bpe", "unigram")
    }
    result = {}
    for name, content in contents.items():
        for source, some in lines.items():
            found = compare(content, some, 2 if arguments.quick else 5)
            result |= {f"{name}, {source}: {k}": v for k, v in found.items()}
    common.show(result, arguments.json)


def read_snips():
    """Sentences of the training split."""
    path = pathlib.Path(os.environ["MBM_DATA_DIR"]) / "snips.tar.gz"
    with tarfile.open(path) as archive:
        return archive.extractfile("snips/train/seq.in").read().decode().splitlines()


def read_code():
    """Lines of the documents and programs of this repository, in random order."""
    root = pathlib.Path(__file__).parent.parent
    paths = [p for end in ("md", "py") for p in sorted(root.rglob(f"*.{end}"))]
    paths = [p for p in paths if ".venv" not in p.parts]
    lines = [line for p in paths for line in p.read_text().split("\n")]
    lines = [line for line in lines if line.strip()]
    random.Random(0).shuffle(lines)
    return lines


def compare(content, lines, rounds):
    """Ids and seconds of one vocabulary.

    Args:
        content: Of a `tokenizer.json`.
        lines: Strings.
        rounds: How often each is timed, in turn; the best counts.
    """
    peer = tokenizers.Tokenizer.from_str(json.dumps(content))
    peer.no_padding()
    peer.no_truncation()
    start = time.process_time()
    ours = Subwords(read_json(content), 128)
    result = {"seconds to read": time.process_time() - start}
    expected = [e.ids for e in peer.encode_batch(lines, add_special_tokens=False)]
    values, splits, _ = ours(tf.constant(lines))
    found = tf.RaggedTensor.from_row_splits(values, splits).to_list()
    special = [t["content"] for t in content.get("added_tokens") or ()]
    differ = [
        not any(piece in line for piece in special)  # stays text, see `Subwords`
        for line, a, b in zip(lines, found, expected, strict=True)
        if a != b
    ]
    result["lines with other ids"] = sum(differ)
    result["lines with a special piece"] = len(differ) - sum(differ)

    signature = [tf.TensorSpec([None], tf.string)]
    decode = tf.function(ours.decode, input_signature=signature)
    decode = decode.get_concrete_function()
    starts = range(0, len(lines) - BATCH + 1, BATCH)
    tensors = [tf.constant(lines[i : i + BATCH]) for i in starts]
    lists = [lines[i : i + BATCH] for i in starts]
    seconds = {"ours": [], "peer": [], "peer without threads": []}
    for _ in range(rounds):
        seconds["ours"].append(cpu(decode, tensors))
        seconds["peer"].append(cpu(peer.encode_batch, lists))
        alone = [[line] for some in lists for line in some]
        seconds["peer without threads"].append(cpu(peer.encode_batch, alone))
    best = {name: min(s) / BATCH / len(lists) for name, s in seconds.items()}
    result |= {f"{name}, strings per CPU second": 1 / s for name, s in best.items()}
    result["ratio"] = min(s for n, s in best.items() if n != "ours") / best["ours"]
    ones = [tf.constant([line]) for line in lines[:256]]
    result["single string, milliseconds"] = 1000 * statistics.median(
        min(wall(decode, one) for _ in range(3)) for one in ones
    )
    return result


def cpu(function, batches):
    """CPU seconds of all threads for all batches."""
    start = time.process_time()
    for batch in batches:
        function(batch)
    return time.process_time() - start


def wall(function, batch):
    """Seconds of one call."""
    start = time.perf_counter()
    function(batch)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
