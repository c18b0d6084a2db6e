"""What a user would try first, in the same folds as the models: their training items, their test items, no tuning."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ml.corpora.types import LabelledUtterance
from ml.experiments.egemaps import ExtraMissing, egemaps
from ml.experiments.outcomes import Outcome
from ml.training.features import SpeechReader, SpeechSet, TextReader, TextSet
from ml.training.splits import Fold

MAJORITY, EGEMAPS, POOLED = "majority class", "eGeMAPS + SVM", "mean-pooled encoder + linear"
TFIDF = "TF-IDF + logistic regression"
#: Baselines by side. The mel-input model, the fourth one of speech, is a variant and is trained like the others.
SPEECH, TEXT = (MAJORITY, EGEMAPS, POOLED), (MAJORITY, TFIDF, POOLED)

#: Learns from rows and labels, predicts the labels of other rows.
Classify = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]], NDArray[np.int64]]


def support_vectors(
    rows: NDArray[np.float32], labels: NDArray[np.int64], tested: NDArray[np.float32]
) -> NDArray[np.int64]:
    """A support vector machine with Gaussian kernel over standardised features, classes weighted alike."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    model = make_pipeline(StandardScaler(), SVC(class_weight="balanced")).fit(rows, labels)
    return np.asarray(model.predict(tested), dtype=np.int64)


def linear(rows: NDArray[np.float32], labels: NDArray[np.int64], tested: NDArray[np.float32]) -> NDArray[np.int64]:
    """Logistic regression over standardised features, classes weighted alike."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
    model = make_pipeline(StandardScaler(), classifier).fit(rows, labels)
    return np.asarray(model.predict(tested), dtype=np.int64)


def plain_linear(
    rows: NDArray[np.float32], labels: NDArray[np.int64], tested: NDArray[np.float32]
) -> NDArray[np.int64]:
    """Logistic regression as scikit-learn has it, the usual first try on texts, whose metric is weighted F1."""
    from sklearn.linear_model import LogisticRegression

    return np.asarray(LogisticRegression(max_iter=2000).fit(rows, labels).predict(tested), dtype=np.int64)


def majority(labels: NDArray[np.int64], folds: Sequence[Fold]) -> Outcome:
    """The class that is most frequent in training, whatever is heard or read."""
    predicted = [np.full(len(fold.test), np.bincount(labels[_all_but_test(fold)]).argmax()) for fold in folds]
    return _outcome(MAJORITY, folds, predicted)


def over_rows(
    name: str, rows: NDArray[np.float32], labels: NDArray[np.int64], folds: Sequence[Fold], classify: Classify
) -> Outcome:
    """A classifier over one row of features per item."""
    predicted = [
        classify(rows[_all_but_test(fold)], labels[_all_but_test(fold)], rows[fold.test]).astype(np.int64)
        for fold in folds
    ]
    return _outcome(name, folds, predicted)


def pooled_states(data: SpeechSet) -> NDArray[np.float32]:
    """[N, D]: the plain mean over layers and frames of the encoder's hidden states."""
    reader = SpeechReader(data)
    return np.stack([reader.states(i, 0, data.frames[i]).mean(dim=(0, 1)).numpy() for i in range(len(data))])


def pooled_tokens(data: TextSet) -> NDArray[np.float32]:
    """[N, D]: the mean over the token vectors of each text; zeros for a text without a token."""
    reader = TextReader(data)
    rows = [reader.tokens(i) for i in range(len(data))]
    width = max(row.shape[1] for row in rows)
    return np.stack([row.mean(axis=0) if len(row) else np.zeros(width, np.float32) for row in rows])


def tfidf(items: Sequence[LabelledUtterance], labels: NDArray[np.int64], folds: Sequence[Fold]) -> Outcome:
    """Logistic regression over TF-IDF of words and pairs of words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = [item.text or "" for item in items]
    predicted = []
    for fold in folds:
        train = _all_but_test(fold)
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), min_df=2), LogisticRegression(max_iter=2000))
        model.fit([texts[i] for i in train], labels[train])
        predicted.append(np.asarray(model.predict([texts[i] for i in fold.test]), dtype=np.int64))
    return _outcome(TFIDF, folds, predicted)


def speech_baseline(name: str, items: Sequence[LabelledUtterance], data: SpeechSet, folds: Sequence[Fold]) -> Outcome:
    """A baseline of `SPEECH`; an extra that is not installed gives an empty outcome that says how to install it."""
    if name == MAJORITY:
        return majority(data.labels, folds)
    if name == POOLED:
        return over_rows(POOLED, pooled_states(data), data.labels, folds, linear)
    try:
        rows = egemaps(items, data)
    except ExtraMissing as exc:
        none = np.zeros(0, dtype=np.int64)
        return Outcome(EGEMAPS, none, none, kind="missing", notes=(f"{exc}. {exc.hint}",))
    return over_rows(EGEMAPS, rows, data.labels, folds, support_vectors)


def text_baseline(name: str, items: Sequence[LabelledUtterance], data: TextSet, folds: Sequence[Fold]) -> Outcome:
    """A baseline of `TEXT`."""
    if name == MAJORITY:
        return majority(data.labels, folds)
    if name == TFIDF:
        return tfidf(items, data.labels, folds)
    return over_rows(POOLED, pooled_tokens(data), data.labels, folds, plain_linear)


def _all_but_test(fold: Fold) -> NDArray[np.int64]:
    """Baselines stop nowhere early, so the development items train as well."""
    return np.sort(np.concatenate([fold.train, fold.development]))


def _outcome(name: str, folds: Sequence[Fold], predicted: Sequence[NDArray[np.int64]]) -> Outcome:
    items = np.concatenate([fold.test for fold in folds])
    return Outcome(name, items, np.concatenate(list(predicted)), kind="baseline")
