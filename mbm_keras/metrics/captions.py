"""Scores of captions: BLEU, ROUGE-L and CIDEr-D, against reference captions."""

import collections
import math
from collections.abc import Sequence

_MAX_N = 4  # words of an n-gram


def caption_scores(
    captions: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, float]:
    """BLEU, ROUGE-L and CIDEr-D of a set of captions.

    Words are separated by spaces. BLEU is computed over the whole set, with brevity
    penalty by the reference that is nearest in length; a caption of fewer than n words
    has no n-gram. ROUGE-L is the mean over the captions of the best score over their
    references; both are in [0, 1]. CIDEr-D is in [0, 10].

    Source: Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine
    Translation", https://doi.org/10.3115/1073083.1073135; Lin 2004, "ROUGE: A Package
    for Automatic Evaluation of Summaries", https://aclanthology.org/W04-1013; Vedantam
    et al. 2015, "CIDEr: Consensus-based Image Description Evaluation",
    https://arxiv.org/abs/1411.5726, section 6; BLEU with the small constants of the
    code that evaluates COCO captions. Deviation: ROUGE-L is the harmonic mean of
    precision and recall, in that code recall has more weight.

    Args:
        captions: One caption per image.
        references: A list of reference captions per image, at least one each.

    Returns:
        A dict with `bleu_1` to `bleu_4`, `rouge_l` and `cider`.

    Raises:
        ValueError: If there is no caption, `references` has another length, or a list
            of references is empty.
        ImportError: If the extra `captions` is not installed.
    """
    if len(captions) != len(references) or not captions:
        raise ValueError(
            "Expected one list of references per caption, and at least one caption. "
            f"Received: {len(captions)} captions, {len(references)} lists."
        )
    empty = [i for i, several in enumerate(references) if not several]
    if empty:
        raise ValueError(
            "Expected at least one reference per caption. Received: none for the "
            f"captions {empty[:10]}."
        )
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise ImportError(
            "Expected the extra `captions`. Install it with "
            "`pip install 'mbm-keras[captions]'`."
        ) from error

    words = [caption.split() for caption in captions]
    reference_words = [[text.split() for text in several] for several in references]
    scores = {f"bleu_{n}": x for n, x in enumerate(bleu(words, reference_words), 1)}
    rouge = RougeScorer(["rougeL"], tokenizer=_SpaceTokenizer())
    best = [
        rouge.score_multi(several, caption)["rougeL"].fmeasure
        for caption, several in zip(captions, references, strict=True)
    ]
    scores["rouge_l"] = sum(best) / len(best)
    scores["cider"] = cider(words, reference_words)
    return scores


def bleu(
    captions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> list[float]:
    """BLEU-1 to BLEU-4, see `caption_scores`.

        BLEU-n = min(1, exp(1 - r / c)) (prod_k p_k)^(1 / n),       k = 1 ... n

    with p_k the share of the captions' k-grams that a reference has, each as often as
    in the reference where it is most frequent; c the number of words of the captions,
    and r that of the references nearest in length.

    Args:
        captions: A list of words per image.
        references: A list of lists of words per image.

    Returns:
        Four numbers in [0, 1]; about 0 where no k-gram is right.
    """
    right, made = [0] * _MAX_N, [0] * _MAX_N
    length = reference_length = 0
    for words, several in zip(captions, references, strict=True):
        most: collections.Counter = collections.Counter()
        for reference in several:
            most |= _count_ngrams(reference)
        counts = _count_ngrams(words)
        for gram, count in counts.items():
            made[len(gram) - 1] += count
            right[len(gram) - 1] += min(count, most[gram])
        length += len(words)
        # Of two that are as near, the shorter.
        reference_length += min((abs(len(x) - len(words)), len(x)) for x in several)[1]
    scores: list[float] = []
    product = 1.0
    for n in range(1, _MAX_N + 1):
        product *= max(right[n - 1], 1e-15) / max(made[n - 1], 1e-9)
        scores.append(product ** (1 / n))
    penalty = math.exp(min(0.0, 1 - reference_length / max(length, 1e-15)))
    return [score * penalty for score in scores]


def cider(
    captions: Sequence[Sequence[str]],
    references: Sequence[Sequence[Sequence[str]]],
    sigma: float = 6.0,
) -> float:
    """CIDEr-D, see `caption_scores`.

    Args:
        captions: A list of words per image.
        references: A list of lists of words per image.
        sigma: Standard deviation of the penalty on the difference in length, in words.

    Returns:
        The mean over the images, in [0, 10].
    """
    frequency: collections.Counter = collections.Counter()  # images with the n-gram
    for several in references:
        frequency.update({gram for words in several for gram in _count_ngrams(words)})
    log_images = math.log(len(references))

    def tf_idf(words):
        vectors = [{} for _ in range(_MAX_N)]
        for gram, count in _count_ngrams(words).items():
            idf = log_images - math.log(max(1, frequency[gram]))
            vectors[len(gram) - 1][gram] = count * idf
        return vectors

    total = 0.0
    for words, several in zip(captions, references, strict=True):
        vectors = tf_idf(words)
        for reference in several:
            similarity = sum(map(_clipped_cosine, vectors, tf_idf(reference))) / _MAX_N
            difference = len(words) - len(reference)
            similarity *= math.exp(-(difference**2) / (2 * sigma**2))
            total += 10.0 * similarity / len(several)
    return total / len(captions)


def _count_ngrams(words):
    return collections.Counter(
        tuple(words[i : i + n])
        for n in range(1, _MAX_N + 1)
        for i in range(len(words) - n + 1)
    )


def _clipped_cosine(caption, reference):
    """Cosine of two sparse vectors; an n-gram counts as often as in the reference."""
    norms = math.hypot(*caption.values()) * math.hypot(*reference.values())
    if not norms:
        return 0.0
    products = (min(caption.get(g, 0.0), w) * w for g, w in reference.items())
    return sum(products) / norms


class _SpaceTokenizer:
    """For rouge-score, whose own tokenizer knows ASCII only."""

    def tokenize(self, text):
        return text.split()
