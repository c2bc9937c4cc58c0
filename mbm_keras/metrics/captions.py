"""How close written captions come to those that people gave."""

import collections
import math

_LONGEST = 4  # words of an n-gram


def caption_scores(written, references):
    """BLEU, ROUGE-L and CIDEr-D of a set of captions.

    Words are what stands between spaces. BLEU is that of the whole set, with the
    brevity penalty; ROUGE-L the mean of the best over the references; both in [0, 1].
    CIDEr-D is in [0, 10].

    Sources: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine
    Translation", https://doi.org/10.3115/1073083.1073135; Lin 2004, "ROUGE: A Package
    for Automatic Evaluation of Summaries", https://aclanthology.org/W04-1013; Vedantam
    et al. 2015, "CIDEr: Consensus-based Image Description Evaluation",
    https://arxiv.org/abs/1411.5726, section 6. Deviation: ROUGE-L by its harmonic mean.

    Args:
        written: One caption per picture.
        references: A list of captions per picture, at least one each.

    Returns:
        A dict with `bleu_1` to `bleu_4`, `rouge_l` and `cider`.

    Raises:
        ValueError: If there are not as many lists of references as captions, or one of
            them is empty.
        ImportError: If the extra `captions` is not installed.
    """
    if len(written) != len(references) or not written:
        raise ValueError(
            "There is a list of references for every caption. "
            f"Received: {len(written)} captions, {len(references)} lists."
        )
    empty = [i for i, several in enumerate(references) if not several]
    if empty:
        raise ValueError(f"No reference for the captions {empty[:10]}.")
    try:
        from nltk.translate.bleu_score import SmoothingFunction
        from nltk.translate.bleu_score import corpus_bleu
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ImportError(
            "Captions are scored with `pip install 'mbm-keras[captions]'`."
        ) from error

    said = [caption.split() for caption in written]
    given = [[caption.split() for caption in several] for several in references]
    scores = {}
    for n in range(1, _LONGEST + 1):
        # Where not one n-gram is right the score is as good as 0, without a warning.
        scores[f"bleu_{n}"] = corpus_bleu(
            given,
            said,
            weights=[1 / n] * n,
            smoothing_function=SmoothingFunction(epsilon=1e-12).method1,
        )
    rouge = RougeScorer(["rougeL"], tokenizer=_Words())
    each = [
        rouge.score_multi(several, caption)["rougeL"].fmeasure
        for caption, several in zip(written, references, strict=True)
    ]
    return {**scores, "rouge_l": sum(each) / len(each), "cider": cider(said, given)}


def cider(said, given, sigma=6.0):
    """CIDEr-D, see `caption_scores`.

    Args:
        said: A list of words per picture.
        given: A list of lists of words per picture.
        sigma: How much a difference in length is forgiven, in words.

    Returns:
        The mean over the pictures, in [0, 10].
    """
    shown = collections.Counter()  # in the references of how many pictures
    for several in given:
        shown.update({gram for words in several for gram in _grams(words)})
    pictures = math.log(len(given))

    def weighted(words):
        vectors = [{} for _ in range(_LONGEST)]
        for gram, count in _grams(words).items():
            rare = pictures - math.log(max(1, shown[gram]))
            vectors[len(gram) - 1][gram] = count * rare
        return vectors

    total = 0.0
    for words, several in zip(said, given, strict=True):
        mine = weighted(words)
        for reference in several:
            alike = sum(map(_alike, mine, weighted(reference))) / _LONGEST
            apart = len(words) - len(reference)
            alike *= math.exp(-(apart**2) / (2 * sigma**2))
            total += 10.0 * alike / len(several)
    return total / len(said)


def _grams(words):
    return collections.Counter(
        tuple(words[i : i + n])
        for n in range(1, _LONGEST + 1)
        for i in range(len(words) - n + 1)
    )


def _alike(mine, theirs):
    """The cosine of two sparse vectors, no n-gram counted more often than it stands."""
    norms = math.hypot(*mine.values()) * math.hypot(*theirs.values())
    if not norms:
        return 0.0
    return sum(min(mine.get(g, 0.0), w) * w for g, w in theirs.items()) / norms


class _Words:
    """For rouge-score, whose own tokenizer knows ASCII alone."""

    def tokenize(self, text):
        return text.split()
