"""A frozen encoder in front of a model: what it gives, keeps and refuses."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from mbm_keras import export
from mbm_keras.auto.published import build_embedding
from mbm_keras.inputs import InputSpec
from mbm_keras.models import late_fusion
from mbm_keras.preprocessing import Embedding
from mbm_keras.preprocessing import Features
from mbm_keras.preprocessing import WordIds
from mbm_keras.tasks import Classification
from tests.encoders.checkpoints import DATA
from tests.helpers import numpy

TEXTS = ["one two three", "two", "five four three two one and some more", "", "one"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A tiny BERT with a vocabulary."""
    path = tmp_path_factory.mktemp("published") / "bert"
    shutil.copytree(DATA / "bert", path)
    words = ["one", "two", "three", "four", "five", "and", "some", "more"]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    pieces += [f"w{i}" for i in range(60 - len(pieces))]
    (path / "vocab.txt").write_text("\n".join(pieces))
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    return path


@pytest.fixture(scope="module")
def embedding(folder):
    found = build_embedding(folder, "text", "review", longest=12)
    found.adapt(TEXTS)
    return found


def encode(embedding, texts):
    return embedding.decode(tf.constant(texts))[0].numpy()


def test_it_is_what_the_encoder_gives_for_the_pieces(embedding):
    arrays, _ = embedding.preprocessor.decode(tf.constant(TEXTS[:1]))
    expected = numpy(embedding.encoder(arrays))
    np.testing.assert_allclose(encode(embedding, TEXTS[:1]), expected, atol=1e-6)


def test_a_text_has_the_same_embedding_in_every_batch(embedding):
    together = encode(embedding, TEXTS * 9)  # more than one chunk, of several lengths
    alone = np.concatenate([encode(embedding, [text]) for text in TEXTS])
    np.testing.assert_allclose(together, np.tile(alone, (9, 1)), atol=1e-6)
    assert len(np.unique(alone.round(4), axis=0)) == len(TEXTS)


def test_absent_texts_are_zeros(embedding):
    _, decoded = embedding.decode(tf.constant(TEXTS))
    assert decoded.numpy().tolist() == [True, True, True, False, True]
    assert not encode(embedding, [""]).any()


def test_an_empty_batch_has_no_rows(embedding):
    batch = tf.constant([], tf.string)
    assert encode(embedding, batch).shape == (0, embedding.array.shape[0])


def test_it_is_kept_with_its_weights(embedding, tmp_path):
    Features(review_embedding=embedding).save(tmp_path / "features.json")
    loaded = Features.load(tmp_path / "features.json")
    raw = {"review": tf.constant(TEXTS)}
    arrays, _ = loaded.decode_batch(raw)
    expected = encode(embedding, TEXTS)
    np.testing.assert_allclose(arrays["review_embedding"], expected, atol=1e-6)


def test_other_weights_are_refused(embedding, tmp_path):
    path = tmp_path / "features.json"
    Features(review_embedding=embedding).save(path)
    text = path.read_text()
    digest = json.loads(text)["inputs"]["review_embedding"]["weights"]
    path.write_text(text.replace(digest, "0" * 64))
    with pytest.raises(ValueError, match="other weights"):
        Features.load(path)


def test_files_outside_of_the_folder_are_refused(embedding, tmp_path):
    path = tmp_path / "run" / "features.json"
    path.parent.mkdir()
    Features(review_embedding=embedding).save(path)
    text = path.read_text().replace("encoders/review", "../encoders/review")
    path.write_text(text)
    with pytest.raises(ValueError, match="not in its folder"):
        Features.load(path)


def test_two_inputs_may_read_one_column(embedding):
    words = WordIds(4)
    words.adapt(TEXTS)
    features = Features(review=words, review_embedding=embedding)
    assert list(features.raw_signature()) == ["review"]
    arrays, status = features.decode_batch({"review": tf.constant(TEXTS)})
    assert arrays["review"].shape == (5, 4) and status.shape == (5, 2)


def test_a_served_model_has_the_encoder_once(embedding, tmp_path):
    features = Features(review_embedding=embedding)
    size = embedding.array.shape[0]
    model = late_fusion.build(
        inputs=[InputSpec("review_embedding", "vector", {"size": size})],
        task=Classification(2, name="answer"),
        width=4,
    )
    export.save(model, features, tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served")
    answer = served.signatures["serve"](review=tf.constant(TEXTS))["answer_logits"]
    inputs, _ = features.decode_batch({"review": tf.constant(TEXTS)})
    expected = numpy(model(inputs)["answer"])
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    weights = 4 * (embedding.encoder.count_params() + model.count_params())
    (data,) = (tmp_path / "served" / "variables").glob("*.data*")
    assert data.stat().st_size < 1.6 * weights  # twice would be more


def test_an_encoder_has_one_embedding(embedding):
    inputs = keras.Input((3, 2))
    with pytest.raises(ValueError, match="whose output is"):
        Embedding(WordIds(4, ["a"]), keras.Model(inputs, inputs))
