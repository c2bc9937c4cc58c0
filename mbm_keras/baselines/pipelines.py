"""The plain pipeline of a modality, for each kind of answer."""

import copy
import dataclasses
from typing import Any

import numpy as np

from mbm_keras.baselines import statistics
from mbm_keras.tasks import Classification
from mbm_keras.tasks import MultiLabel

_SMALLEST = 1e-6  # probability
_MOST_VALUES, _DIRECTIONS = 200, 100  # of more values, these many main directions
_MANY_CLASSES, _FEW_TREES = 5, 30


@dataclasses.dataclass(frozen=True)
class Pipeline:
    """An estimator of scikit-learn whose answers have the form of a task's output.

    Args:
        estimator: The estimator. Of several labels or numbers each has a copy of it.
        task: The task.
        fitted: The fitted estimators, in the order of the labels or numbers, one for
            classes; None in place of one that had nothing to learn.
        constant: Their means in the rows learned from, such as the share of a label.
    """

    estimator: Any
    task: Any
    fitted: tuple = ()
    constant: Any = None

    def fit(self, values: Any, targets: np.ndarray) -> "Pipeline":
        """A fitted copy.

        Args:
            values: What the estimator takes, one per row.
            targets: Encoded targets of the rows, `(rows,)` or `(rows, labels)`.
        """
        columns = targets.reshape(len(targets), -1).T
        # A classifier of scikit-learn refuses targets that are all the same.
        fitted = tuple(
            copy.deepcopy(self.estimator).fit(values, column)
            if np.ptp(column)
            else None
            for column in columns
        )
        return dataclasses.replace(self, fitted=fitted, constant=columns.mean(axis=1))

    def output(self, values: Any) -> np.ndarray:
        """Logits `(rows, classes)`, or numbers `(rows, units)`."""
        rows = len(values) if isinstance(values, list) else values.shape[0]
        pairs = zip(self.fitted, self.constant, strict=True)
        if isinstance(self.task, MultiLabel):
            yes = [self._share(one, const, values, rows) for one, const in pairs]
            share = np.clip(np.stack(yes, axis=1), _SMALLEST, 1 - _SMALLEST)
            return np.log(share / (1 - share))
        if not isinstance(self.task, Classification):
            numbers = [
                np.full(rows, mean) if one is None else one.predict(values)
                for one, mean in pairs
            ]
            return np.stack(numbers, axis=1)
        (estimator,) = self.fitted
        # A class without a row to learn from is never the answer.
        logits = np.full((rows, self.task.size), np.log(_SMALLEST))
        if estimator is None:
            logits[:, int(self.constant[0])] = 0.0
        else:
            known = estimator.predict_proba(values)
            logits[:, estimator.classes_.astype(int)] = np.log(known + _SMALLEST)
        return logits

    def _share(self, estimator, constant, values, rows):
        if estimator is None:
            return np.full(rows, constant)
        return estimator.predict_proba(values)[:, 1]


def pipeline_for(column: Any, task: Any, seed: int) -> tuple[str, Pipeline]:
    """The pipeline of a column, and what it is called.

    Args:
        column: A `Column`.
        task: The task.
        seed: Seed of what is random.
    """
    line = "logistic regression" if _is_labels(task) else "ridge regression"
    if column.modality == "text":
        return f"TF-IDF + {line}", Pipeline(_words(column, task, seed), task)
    if column.modality == "table":
        return "gradient boosting", Pipeline(_boosting(column, task, seed), task)
    what = {
        "image": "pixels, colors and gradients",
        "audio": "mean and spread of log-mel and cepstra",
    }.get(column.modality, "numbers")
    return f"{what} + {line}", linear(task, seed, *column.learn.shape)


def describe(modality: str, values: Any) -> Any:
    """What the pipeline of a modality takes.

    Args:
        modality: The modality of an input.
        values: Its arrays; strings for text.

    Returns:
        `(rows, n)` float64; text and tables as they are.
    """
    if modality in ("text", "table"):
        return values
    make = {"image": statistics.of_images, "audio": statistics.of_spectrograms}
    return make.get(modality, statistics.of_vectors)(np.asarray(values))


def linear(task: Any, seed: int, num_rows: int, num_values: int) -> Pipeline:
    """A linear model of standardized values, of their main directions if they are many.

    Args:
        task: The task.
        seed: Seed of what is random.
        num_rows: Rows to learn from.
        num_values: Numbers per row.
    """
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps: list[Any] = [StandardScaler()]
    if num_values > _MOST_VALUES:
        number = max(1, min(_DIRECTIONS, num_rows // 2))  # a fold has fewer rows
        steps.append(PCA(number, svd_solver="randomized", random_state=seed))
    estimator = make_pipeline(*steps, _line(task, seed, strength=0.1))
    return Pipeline(estimator, task)


def _line(task, seed, strength):
    """Logistic regression for labels, ridge regression for numbers.

    The penalty of the ridge is chosen by leaving rows out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.linear_model import RidgeCV

    if _is_labels(task):
        return LogisticRegression(C=strength, max_iter=100, random_state=seed)
    return RidgeCV(np.logspace(-2, 4, 13))


def _words(column, task, seed):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    # A word of one letter is a word; scripts without spaces are read by character.
    tokens = r"\S" if _has_no_spaces(column.learn) else r"\w+|[^\w\s]"
    vectors = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        token_pattern=tokens,
        # All texts may be empty: every text has one token at least.
        preprocessor=lambda text: f"{text.lower()} .",
    )
    return make_pipeline(vectors, _line(task, seed, strength=10.0))


def _boosting(column, task, seed):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.ensemble import HistGradientBoostingRegressor

    make = (
        HistGradientBoostingClassifier
        if _is_labels(task)
        else HistGradientBoostingRegressor
    )
    # Each step grows a tree per class.
    many = isinstance(task, Classification) and task.size > _MANY_CLASSES
    return make(
        max_iter=_FEW_TREES if many else 100,
        categorical_features=column.categories,
        random_state=seed,
        early_stopping=False,
    )


def _is_labels(task):
    return isinstance(task, Classification | MultiLabel)


def _has_no_spaces(texts):
    some = [text for text in texts if text][:200]
    return 30 * sum(text.count(" ") for text in some) < sum(map(len, some))
