"""Show, Attend and Tell: an LSTM that looks at a region of the image for every word.

Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual
Attention", https://arxiv.org/abs/1502.03044; depths and what else the paper leaves open
as in the authors' code. Deviations: any tower for the image; sentences of different
lengths in one batch, whose padding does not count.

    image --> image_tower --> regions a_1 .. a_L
    mean of a --> h_0, c_0
    for every word t:
        e_ti = f(a_i, h_{t-1}),  alpha_t = softmax(e_t)          where the model looks
        z_t  = beta_t sum_i alpha_ti a_i                          what it sees there
        h_t  = LSTM(E y_{t-1}, z_t, h_{t-1})
        p(y_t) ~ exp(W_o tanh(W_h h_t + E y_{t-1} + W_z z_t))

`build` returns the model that trains on captions, `captioner` the model that writes
them, `attention_model` the model that returns alpha.
"""

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers
from keras import ops

from mbm_keras.generation import Search
from mbm_keras.generation import SequenceGenerator
from mbm_keras.generation import inverse_cdf
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.inputs import tower_name
from mbm_keras.preset import Preset
from mbm_keras.preset import options_from
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.tasks.captioning import word_losses
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import encode


def regions_tower(
    size: int, *, width: int, pool: bool = False, name: str = "regions"
) -> keras.Model:
    """The identity, for regions that another network computed, such as VGG's 14 x 14.

    Args:
        size: Size of the vector of a region.
        width: The same number.
        pool: False; the decoder looks at every region.
        name: Name of the input.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, regions, size)` float32.
        Output: `(batch, regions, size)` float32.

    Raises:
        ValueError: If `width` differs from `size`, or `pool` is true.
    """
    if width != size or pool:
        raise ValueError(
            "Expected width == size and pool=False: regions are used as they are. "
            f"Received: size={size}, width={width}, pool={pool}."
        )
    regions = keras.Input((None, size), name=name)
    return keras.Model([regions], layers.Identity()(regions), name=tower_name(name))


TOWERS: dict[str, Builder] = {"image": DEFAULTS["image"], "sequence": regions_tower}


@dataclasses.dataclass(frozen=True)
class Attention:
    """How the decoder looks at regions.

    Args:
        depth: int >= 1, layers that regions pass before they are scored.
        hard: True for hard attention, which looks at one region at a time.
        penalty: float >= 0, weight of the doubly stochastic penalty of soft attention.
            It makes every region get the same attention in total. With many more
            regions than words it keeps attention from becoming sharp.
        entropy: float >= 0, weight of the entropy of hard attention.
    """

    depth: int = 1
    hard: bool = False
    penalty: float = 1.0
    entropy: float = 0.002

    def __post_init__(self):
        if self.depth < 1:
            raise ValueError(f"Expected depth >= 1. Received: depth={self.depth}.")


def _make_published(parameters, units, depth, hard=False):
    """Regions of VGG-19 before its last pooling, and 10,000 words."""
    return Preset(
        dict(
            inputs=[InputSpec("regions", "sequence", dict(size=512))],
            task=Captioning(10_000, 100),
            width=512,
            word_width=512,
            units=units,
            state_depth=depth,
            attention=Attention(depth, hard),
        ),
        parameters=parameters,
        source="https://github.com/kelvinxu/arctic-captions",
    )


PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("image", "image", dict(size=16))],
            task=Captioning(12, 6),
            width=8,
            word_width=6,
            units=10,
        )
    ),
    "coco": _make_published(35_333_450, units=1_800, depth=2),
    "coco_hard": _make_published(35_333_450, units=1_800, depth=2, hard=True),
    "flickr": _make_published(20_927_338, units=1_000, depth=1),
}


def check_fit(inputs: Sequence[InputSpec], task: Task) -> None:
    """Compares inputs and task with what this model can be built for.

    Args:
        inputs: List of `InputSpec`.
        task: A task.

    Raises:
        ValueError: If they are not one image, or the regions of one, and a
            `Captioning`.
    """
    modalities = [spec.modality for spec in inputs]
    if modalities not in [[x] for x in TOWERS] or not isinstance(task, Captioning):
        raise ValueError(
            f"Expected one input of a modality in {sorted(TOWERS)} and a task "
            f"Captioning. Received: inputs={[spec.name for spec in inputs]}, "
            f"modalities={modalities}, task={task}."
        )
    if task.vocabulary_size < 4:
        raise ValueError(
            "Expected vocabulary_size >= 4: padding, an unknown word, the end, and a "
            f"word. Received: vocabulary_size={task.vocabulary_size}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Captioning,
    width: int = 256,
    word_width: int = 128,
    units: int = 256,
    state_depth: int = 1,
    attention: Attention | Mapping[str, Any] = Attention(),
    dropout: float = 0.5,
    word_dropout: float = 0.0,
    seed: int | None = None,
    towers: Mapping[str, Builder] | None = None,
    name: str = "show_attend_tell",
) -> keras.Model:
    """Builds the model that trains on captions.

    Args:
        inputs: A list of one `InputSpec`: an image, or a `"sequence"` of regions that
            another network computed.
        task: A `Captioning`.
        width: Size of the vector of a region.
        word_width: Size of the vector of a word.
        units: Units of the LSTM.
        state_depth: Layers between the mean of the regions and the first state.
        attention: An `Attention`, or its fields by name, as a plan has them.
        dropout: Rate of dropout of the LSTM's output, before the logits and before the
            first state.
        word_dropout: Share of the earlier words that are hidden in training.
        seed: int or None, of dropout and of hard attention.
        towers: Builder by input name, instead of the default of its modality.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, with the names of the preset "tiny":
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1]; or regions: `(batch,
                regions, size)` float32.
            words_teacher: `(batch, length)` int32, the target: words and their end, 0
                = padding. `task.feed` adds it to a batch. A word is predicted from the
                words before it alone.
        Outputs, by name, with the name of the task:
            words: `(batch, length, vocabulary_size)` float32 logits.

    Raises:
        ValueError: See `check_fit`; or if a size is below 1.
    """
    check_fit(inputs, task)
    attention = options_from(Attention, attention)
    sizes = dict(
        width=width, word_width=word_width, units=units, state_depth=state_depth
    )
    if min(sizes.values()) < 1:
        received = ", ".join(f"{size}={value}" for size, value in sizes.items())
        raise ValueError(f"Expected sizes >= 1. Received: {received}.")

    # The image.
    image, regions = encode(
        inputs[0], width=width, pool=False, towers=towers, defaults=TOWERS
    )  # (batch, regions, width)

    # The words: logits of each, from the image and the words before.
    caption = keras.Input((None,), dtype="int32", name=teacher_name(task.name))
    logits, _ = CaptionDecoder(
        task.vocabulary_size,
        word_width,
        units,
        state_depth=state_depth,
        attention=attention,
        dropout=dropout,
        word_dropout=word_dropout,
        seed=seed,
    )(regions, caption)  # (batch, length, vocabulary_size)
    words = task.output(logits, output_name(task.name, inputs))
    return TaskModel([image, caption], {task.name: words}, name=name)


def captioner(
    model: keras.Model,
    task: Captioning,
    *,
    search: Search | None = None,
    exclude: Sequence[int] = (0, 1),
    seed: int | None = None,
) -> keras.Model:
    """The model that writes captions, with the weights of a trained model.

    Args:
        model: What `build` returned.
        task: Its `Captioning`.
        search: A `mbm_keras.generation.Search`, such as `BeamSearch(3)`. Default:
            `GreedySearch()`.
        exclude: Ids that are never written. Default: padding and unknown words.
        seed: int or None, for a search that samples.

    Returns:
        A functional `keras.Model` of the image alone. Outputs, by name:
            words: `(batch, sequence_length)` int32 ids, 0 after the end.
    """
    (image,) = (x for x in model.inputs if x.name != teacher_name(task.name))
    regions = model.get_layer(tower_name(image.name))(image)  # (batch, regions, width)
    words = SequenceGenerator(
        _decoder(model), task.sequence_length, search, task.end, exclude, seed
    )(regions)  # (batch, sequence_length)
    return keras.Model([image], {task.name: words}, name=f"{model.name}_captioner")


def for_inference(model: keras.Model, task: Captioning) -> keras.Model:
    """The model that answers: `captioner` with greedy search."""
    return captioner(model, task)


def attention_model(model: keras.Model) -> keras.Model:
    """The model that returns where it looks for every word of a caption.

    Args:
        model: What `build` returned.

    Returns:
        A functional `keras.Model` of the same inputs: the image, and a caption, which
        may be an answer of `captioner`. Outputs, by name:
            attention: `(batch, length, regions)` float32, with sum 1 over the regions.
    """
    _, alpha = _decoder(model).output
    return keras.Model(model.inputs, {"attention": alpha}, name=f"{model.name}_looks")


def _decoder(model):
    (decoder,) = (x for x in model.layers if isinstance(x, CaptionDecoder))
    return decoder


@keras.saving.register_keras_serializable(package="mbm_keras.models.show_attend_tell")
class CaptionDecoder(keras.layers.Layer):
    """An LSTM with attention to regions: predicts each word from the words before it.

        e_ti   = U tanh(W_a a_i + b_a + W_d h_{t-1}) + c
        beta_t = sigmoid(w_b h_{t-1} + b_b)
        soft   z_t = beta_t sum_i alpha_ti a_i
               loss + penalty * sum_i (1 - sum_t alpha_ti)^2
        hard   z_t = beta_t sum_i s_ti a_i, where s_t is sampled from alpha_t in half of
               the batches, and is alpha_t in the others
               gradient of alpha: that of z_t, where s_t is alpha_t, and
               + (cost - b) / 10 * s_t / alpha_t + entropy (log alpha_t + 1)
               b <- 0.9 b + 0.1 mean cost

    where `cost` is minus the log probability of a word: its mean over the words of a
    caption in the gradient, which is a sum over the captions of a batch, and its mean
    over all words of a batch in the baseline b. In inference, hard attention uses the
    expectation, as soft attention does.

    Source: Xu et al. 2015, "Show, Attend and Tell", https://arxiv.org/abs/1502.03044,
    sections 3.1 to 4.2, and the authors' code, where the penalty has no effect on the
    weights of hard attention either. Deviations: padding does not count, the authors
    have captions of one length in a batch; dropout scales what it keeps, theirs halves
    all in inference; no 1e-8 within the logarithm of a word's probability.

    Args:
        vocabulary_size: Number of ids. 0 is padding and is not predicted.
        word_width: Size of the vector of a word, E y.
        units: Units of the LSTM, size of h.
        state_depth: Layers between the mean of the regions and the first state.
        attention: An `Attention`; None for the default.
        dropout: Rate of dropout of h, before the logits and before the first state.
        word_dropout: Share of the earlier words that training replaces by the unknown
            word, so that the model looks at the image for the next. Bowman et al. 2016,
            https://arxiv.org/abs/1511.06349, section 3.1; the paper has 0.
        seed: int or None, of dropout and of hard attention.

    Call arguments:
        regions: `(batch, regions, width)`.
        caption: `(batch, length)` int32, words and their end, 0 = padding.

    Returns:
        logits: `(batch, length, vocabulary_size)` float32 of every word, from the words
            before it.
        alpha: `(batch, length, regions)` float32, the attention for every word.
    """

    def __init__(
        self,
        vocabulary_size: int,
        word_width: int,
        units: int,
        state_depth: int = 1,
        attention: Attention | None = None,
        dropout: float = 0.5,
        word_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.word_width = word_width
        self.units = units
        self.state_depth = state_depth
        self.attention = Attention() if attention is None else attention
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        # Loops of unknown length have no gradient in TensorFlow's XLA.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def build(self, regions_shape, caption_shape=None):
        width, policy = regions_shape[-1], dict(dtype=self.dtype_policy)
        words, units = self.word_width, self.units

        def dense(size, input_size, activation=None, use_bias=True):
            layer = layers.Dense(size, activation, use_bias, **policy)
            layer.build((None, input_size))
            return layer

        self.words = layers.Embedding(self.vocabulary_size, words, **policy)
        self.words.build((None, None))
        self.state_layers = [
            dense(width, width, "relu") for _ in range(self.state_depth - 1)
        ]
        self.initial_h = dense(units, width, "tanh")
        self.initial_c = dense(units, width, "tanh")
        self.region_layers = [dense(width, width)] + [
            dense(width, width, "tanh") for _ in range(self.attention.depth - 1)
        ]
        self.query = dense(width, units, use_bias=False)  # W_d
        self.score = dense(1, width)  # U and c
        self.gate = dense(1, units, "sigmoid")  # w_b and b_b, for beta
        self.lstm_word = dense(4 * units, words)
        self.lstm_state = dense(4 * units, units, use_bias=False)
        self.lstm_context = dense(4 * units, width, use_bias=False)
        self.output_state = dense(words, units)  # W_h
        self.output_context = dense(words, width)  # W_z
        self.output_words = layers.Dense(self.vocabulary_size, dtype="float32")
        self.output_words.build((None, words))
        self.dropout_layer = layers.Dropout(self.dropout, seed=self.seed, **policy)
        if self.attention.hard:
            self.baseline = self.add_weight(
                (), "zeros", trainable=False, dtype="float32", name="baseline"
            )

    def call(self, regions, caption, training=False):
        (h, c), (regions, keys) = self.begin(regions, training)
        before = ops.pad(caption[:, :-1], [[0, 0], [1, 0]])  # y_{t-1}, 0 for the first
        if training and self.word_dropout:
            uniform = keras.random.uniform(ops.shape(before), seed=self.seed_generator)
            hidden = ops.logical_and(uniform < self.word_dropout, before > 0)
            before = ops.where(hidden, 1, before)  # the unknown word
        vectors = self._embed(before)  # (batch, length, word_width)
        samples = self._sample(caption, training)  # (length, batch, 2 or 0)
        words = ops.swapaxes(self.lstm_word(vectors), 0, 1)  # (length, batch, 4 units)
        # One tensor, since TensorFlow's scan needs a static length for several.
        steps = ops.concatenate([ops.cast(words, "float32"), samples], -1)

        # Everything that does not depend on the state is computed outside of the loop,
        # for all words at once.
        def step(carry, x):
            word, sample = x[:, : 4 * self.units], x[:, 4 * self.units :]
            word = ops.cast(word, h.dtype)
            carry = self._advance(word, *carry[:2], regions, keys, sample)
            return carry, carry

        z, alpha = ops.zeros_like(regions[:, 0]), ops.zeros_like(keys[:, :, 0])
        _, found = ops.scan(step, (h, c, z, alpha, alpha), steps)
        # (batch, length, ...): h, z, alpha, and the attention that was used.
        h, _, z, alpha, used = (ops.swapaxes(x, 0, 1) for x in found)
        logits = self._logits(h, vectors, z, training)
        alpha = ops.cast(alpha, "float32")
        valid = ops.cast(caption > 0, "float32")[:, :, None]  # (batch, length, 1)
        attention = self.attention
        if training and attention.hard:
            used = ops.cast(used, "float32")
            self._add_hard_loss(caption, logits, alpha, used, valid)
        elif attention.penalty and not attention.hard:
            total = ops.sum(alpha * valid, axis=1)  # (batch, regions)
            unequal = ops.sum(ops.square(1.0 - total), axis=1)
            self.add_loss(attention.penalty * ops.mean(unequal))
        return logits, alpha

    def begin(self, regions: Any, training: bool = False) -> tuple[Any, Any]:
        """The first state and the context, see `mbm_keras.generation.Decoder`.

        Args:
            regions: `(batch, regions, width)`.
            training: True for dropout.

        Returns:
            state: h and c, `(batch, units)` each.
            context: The regions, and what they are scored by, in the same shape.
        """
        x = ops.mean(regions, axis=1)  # (batch, width)
        for layer in self.state_layers:
            x = self.dropout_layer(layer(x), training=training)
        keys = regions
        for layer in self.region_layers:
            keys = layer(keys)  # (batch, regions, width)
        return (self.initial_h(x), self.initial_c(x)), (regions, keys)

    def step(self, token: Any, state: Any, context: Any) -> tuple[Any, Any]:
        """Advances by one word, see `mbm_keras.generation.Decoder`."""
        (h, c), (regions, keys) = state, context
        vectors = self._embed(token)  # (batch, word_width)
        word = self.lstm_word(vectors)
        h, c, z, _, _ = self._advance(word, h, c, regions, keys)
        return self._logits(h, vectors, z, False), (h, c)

    def _embed(self, ids):
        """The vectors of words; zeros for 0, before the first word."""
        x = self.words(ids)
        return ops.where(ops.expand_dims(ids > 0, -1), x, ops.zeros_like(x))

    def _sample(self, caption, training):
        """Random numbers of hard attention, `(length, batch, 2)`.

        The first is a uniform number for each row, which chooses its region. The second
        is 1 for soft and 0 for hard attention, the same for the whole batch. `(length,
        batch, 0)` where attention is soft.
        """
        batch, length = ops.shape(caption)[0], ops.shape(caption)[1]
        if not (training and self.attention.hard):
            return ops.zeros((length, batch, 0))
        uniform = keras.random.uniform((length, batch), seed=self.seed_generator)
        half = keras.random.uniform((1, 1), seed=self.seed_generator)
        soft = ops.cast(half < 0.5, "float32") + ops.zeros_like(uniform)
        return ops.stack([uniform, soft], axis=-1)

    def _attend(self, h, keys, sample):
        """alpha, and the attention that is used: `(batch, regions)` each."""
        x = ops.tanh(keys + self.query(h)[:, None])  # (batch, regions, width)
        alpha = ops.softmax(self.score(x)[:, :, 0], axis=-1)  # (batch, regions)
        if sample is None or not sample.shape[-1]:
            return alpha, alpha
        uniform, soft = sample[:, 0], sample[:, 1:]
        index = inverse_cdf(ops.cast(alpha, "float32"), uniform)  # (batch,)
        one_hot = ops.one_hot(index, keys.shape[1] or ops.shape(keys)[1])
        # The gradient passes through the expectation, and not through the sample.
        used = soft * ops.cast(alpha, "float32") + (1 - soft) * one_hot
        return alpha, ops.cast(used, alpha.dtype)

    def _advance(self, word, h, c, regions, keys, sample=None):
        """The next h and c, z, alpha, and the attention that was used."""
        alpha, used = self._attend(h, keys, sample)
        z = self.gate(h) * ops.einsum("bp,bpw->bw", used, regions)  # (batch, width)
        gates = word + self.lstm_state(h) + self.lstm_context(z)  # (batch, 4 units)
        i, f, o, g = ops.split(gates, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c, z, alpha, used

    def _logits(self, h, vectors, z, training):
        h = self.dropout_layer(h, training=training)
        x = ops.tanh(self.output_state(h) + vectors + self.output_context(z))
        return self.output_words(self.dropout_layer(x, training=training))

    def _add_hard_loss(self, caption, logits, alpha, used, valid):
        """Adds a loss with the gradient for alpha that the docstring of the class has.

        Args:
            caption: `(batch, length)` int32.
            logits: `(batch, length, vocabulary_size)`.
            alpha: `(batch, length, regions)` float32.
            used: s where attention was hard, alpha where it was soft; the same shape.
            valid: `(batch, length, 1)` float32, 0 for padding.
        """
        cost = ops.stop_gradient(word_losses(caption, logits))  # (batch, length)
        num_words = ops.maximum(ops.sum(valid, axis=(1, 2)), 1.0)  # (batch,)
        log_alpha = ops.log(alpha + 1e-8)
        # Where alpha itself was used, s / alpha is 1 everywhere: no change of softmax.
        log_p = ops.sum(ops.stop_gradient(used) * valid * log_alpha, axis=(1, 2))
        gain = (ops.sum(cost, axis=1) / num_words - self.baseline) / 10.0 * log_p
        entropy = self.attention.entropy * ops.sum(valid * alpha * log_alpha, (1, 2))
        self.add_loss(ops.sum(gain + entropy))
        mean_cost = ops.sum(cost) / ops.sum(num_words)
        self.baseline.assign(0.9 * self.baseline + 0.1 * mean_cost)

    def compute_output_spec(self, regions, caption, training=False):
        batch, length = caption.shape
        return (
            keras.KerasTensor((batch, length, self.vocabulary_size), "float32"),
            keras.KerasTensor((batch, length, regions.shape[1]), "float32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "word_width": self.word_width,
            "units": self.units,
            "state_depth": self.state_depth,
            "attention": dataclasses.asdict(self.attention),
            "dropout": self.dropout,
            "word_dropout": self.word_dropout,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "attention": Attention(**config["attention"])})
