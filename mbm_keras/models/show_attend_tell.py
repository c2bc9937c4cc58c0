"""Show, Attend and Tell: an LSTM that looks at a place of the picture for every word.

Xu et al. 2015, "Show, Attend and Tell: Neural Image Caption Generation with Visual
Attention", https://arxiv.org/abs/1502.03044; depths and what else the paper leaves open
as in the authors' code. Deviations: any tower for the picture; batches of sentences of
unequal length, in which what is behind an end counts for nothing.

    image --> image_tower --> regions a_1 .. a_L
    mean of a --> h_0, c_0
    for every word t:
        e_ti = f(a_i, h_{t-1}),  alpha_t = softmax(e_t)          where to look
        z_t  = beta_t sum_i alpha_ti a_i                          what is seen there
        h_t  = LSTM(E y_{t-1}, z_t, h_{t-1})
        p(y_t) ~ exp(W_o tanh(W_h h_t + E y_{t-1} + W_z z_t))

`build` gives the model that learns from captions, `writer` the one that writes them,
`looker` the one that tells where it looked.
"""

import keras
from keras import layers
from keras import ops

from mbm_keras.generation import SequenceGenerator
from mbm_keras.generation import inverse_cdf
from mbm_keras.inputs import InputSpec
from mbm_keras.tasks.captioning import word_losses
from mbm_keras.towers.encode import DEFAULTS
from mbm_keras.towers.encode import encode


def regions_tower(size, *, width, pool=False, name="regions"):
    """A picture's regions as they were computed once, such as VGG's 14 x 14 x 512.

    Args:
        size: Width of the vector of a region.
        width: The same.
        pool: False, every region is looked at.
        name: Name of the input. The tower is called `<name>_tower`.

    Returns:
        A functional `keras.Model`.
        Input `<name>`: `(batch, regions, size)` float32.
        Output: `(batch, regions, size)` float32.

    Raises:
        ValueError: If `width` is not `size`, or the regions are to be pooled.
    """
    if width != size or pool:
        raise ValueError(
            "Regions are looked at as they are. "
            f"Received: size={size}, width={width}, pool={pool}."
        )
    regions = keras.Input((None, size), name=name)
    return keras.Model([regions], layers.Identity()(regions), name=f"{name}_tower")


TOWERS = {"image": DEFAULTS["image"], "sequence": regions_tower}

# COCO: regions of VGG-19 before its last pooling.
COCO = dict(
    feature=InputSpec("regions", "sequence", dict(size=512)),
    vocabulary_size=10_000,
    width=512,
    word_width=512,
    units=1_800,
    attention_depth=2,
    state_depth=2,
)
PRESETS = {
    "tiny": dict(
        feature=InputSpec("image", "image", dict(size=16)),
        vocabulary_size=12,
        width=8,
        word_width=6,
        units=10,
    ),
    "coco": COCO,
    "coco_hard": dict(COCO, hard=True),
    "flickr": dict(COCO, units=1_000, attention_depth=1, state_depth=1),
}


@keras.saving.register_keras_serializable(package="mbm_keras")
class CaptionDecoder(keras.layers.Layer):
    """The LSTM that looks, and its words.

        e_ti   = U tanh(W_a a_i + b_a + W_d h_{t-1}) + c
        beta_t = sigmoid(w_b h_{t-1} + b_b)
        soft   z_t = beta_t sum_i alpha_ti a_i
               loss + penalty * sum_i (1 - sum_t alpha_ti)^2
        hard   z_t = beta_t sum_i s_ti a_i, s_t drawn from alpha_t for half of the
               words, alpha_t for the others
               gradient of alpha = (cost - b) / 10 * s / alpha + entropy (log alpha + 1)
               b <- 0.9 b + 0.1 mean cost

    where `cost` is minus the log probability of the caption. Without training hard
    attention looks at the expectation, as soft attention does.

    Source: sections 3.1 to 4.2 of the paper. Deviation: none from the authors' code;
    there too the penalty does not reach the weights of hard attention.

    Args:
        vocabulary_size: Number of ids. 0 is padding and is not written.
        word_width: Size of the vector of a word, E.
        units: Size of the LSTM, H.
        attention_depth: Layers that the regions pass before they are compared.
        state_depth: Layers between the mean of the regions and the first state.
        hard: True to look at one place at a time.
        dropout: Rate in front of the words' logits, and in front of the first state.
        word_dropout: Share of the words told before that the model is not shown while
            it learns, so that it looks at the picture for the next. Bowman et al. 2016,
            https://arxiv.org/abs/1511.06349, section 3.1; the paper has 0.
        penalty: Weight of the doubly stochastic penalty, 0 for none.
        entropy: Weight of the entropy of hard attention.
        seed: Of dropout and of the places drawn.

    Call arguments:
        regions: `(batch, places, width)`.
        caption: `(batch, length)` int32, words and their end, 0 = padding.

    Returns:
        Logits `(batch, length, vocabulary_size)` float32 of every word after those
        before it, and `(batch, length, places)` float32, where it was looked for them.
    """

    def __init__(
        self,
        vocabulary_size,
        word_width,
        units,
        attention_depth=1,
        state_depth=1,
        hard=False,
        dropout=0.5,
        word_dropout=0.0,
        penalty=1.0,
        entropy=0.002,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.word_width = word_width
        self.units = units
        self.attention_depth = attention_depth
        self.state_depth = state_depth
        self.hard = hard
        self.dropout = dropout
        self.word_dropout = word_dropout
        self.penalty = penalty
        self.entropy = entropy
        self.seed = seed
        self.random = keras.random.SeedGenerator(seed)
        # TensorFlow's loops of unknown length have no gradient under XLA.
        self.supports_jit = keras.backend.backend() != "tensorflow"

    def build(self, regions_shape, caption_shape=None):
        width, policy = regions_shape[-1], dict(dtype=self.dtype_policy)
        words, units = self.word_width, self.units

        def dense(size, given, activation=None, use_bias=True):
            layer = layers.Dense(size, activation, use_bias, **policy)
            layer.build((None, given))
            return layer

        self.words = layers.Embedding(self.vocabulary_size, words, **policy)
        self.words.build((None, None))
        self.deep_state = [
            dense(width, width, "relu") for _ in range(self.state_depth - 1)
        ]
        self.first_h = dense(units, width, "tanh")
        self.first_c = dense(units, width, "tanh")
        self.deep_places = [dense(width, width)] + [
            dense(width, width, "tanh") for _ in range(self.attention_depth - 1)
        ]
        self.ask = dense(width, units, use_bias=False)  # W_d
        self.score = dense(1, width)  # U and c
        self.gate = dense(1, units, "sigmoid")  # beta
        self.from_word = dense(4 * units, words)
        self.from_state = dense(4 * units, units, use_bias=False)
        self.from_seen = dense(4 * units, width, use_bias=False)
        self.out_state = dense(words, units)
        self.out_seen = dense(words, width)
        self.out = layers.Dense(self.vocabulary_size, dtype="float32")
        self.out.build((None, words))
        self.drop = layers.Dropout(self.dropout, seed=self.seed, **policy)
        if self.hard:
            self.baseline = self.add_weight(
                (), "zeros", trainable=False, dtype="float32", name="baseline"
            )

    def call(self, regions, caption, training=False):
        (h, c), (regions, places) = self.begin(regions, training)
        before = ops.pad(caption[:, :-1], [[0, 0], [1, 0]])
        if training and self.word_dropout:
            drawn = keras.random.uniform(ops.shape(before), seed=self.random)
            hidden = ops.logical_and(drawn < self.word_dropout, before > 0)
            before = ops.where(hidden, 1, before)  # an unknown word
        written = self._vectors(before)  # (batch, length, word_width)
        draws = self._draws(caption, training)
        nothing = ops.zeros_like(regions[:, 0])  # (batch, width)
        nowhere = ops.zeros_like(places[:, :, 0])  # (batch, places)
        words = ops.swapaxes(self.from_word(written), 0, 1)
        # One tensor: of several, TensorFlow's scan wants to know how long they are.
        steps = ops.concatenate([ops.cast(words, "float32"), draws], -1)

        # Words come in batches of sentences; what can be done for all of them at once
        # stands outside of this.
        def step(carried, given):
            word, draws = given[:, : 4 * self.units], given[:, 4 * self.units :]
            word = ops.cast(word, h.dtype)
            carried = self._advance(word, *carried[:2], regions, places, draws)
            return carried, carried

        first = (h, c, nothing, nowhere, nowhere)
        _, found = ops.scan(step, first, steps)
        h, _, seen, alpha, used = (ops.swapaxes(x, 0, 1) for x in found)
        logits = self._logits(h, written, seen, training)
        alpha = ops.cast(alpha, "float32")
        here = ops.cast(caption > 0, "float32")[:, :, None]  # (batch, length, 1)
        if training and self.hard:
            self._reinforce(caption, logits, alpha, ops.cast(used, "float32"), here)
        elif self.penalty and not self.hard:
            looked = ops.sum(alpha * here, axis=1)  # (batch, places)
            unseen = ops.sum(ops.square(1.0 - looked), axis=1)
            self.add_loss(self.penalty * ops.mean(unseen))
        return logits, alpha

    def begin(self, regions, training=False):
        """The first state `(h, c)`, and `(regions, what they are compared by)`."""
        x = ops.mean(regions, axis=1)
        for layer in self.deep_state:
            x = self.drop(layer(x), training=training)
        places = regions
        for layer in self.deep_places:
            places = layer(places)  # (batch, places, width)
        return (self.first_h(x), self.first_c(x)), (regions, places)

    def step(self, word, state, fixed):
        """Logits of the next word `(batch, vocabulary_size)`, and the next state."""
        (h, c), (regions, places) = state, fixed
        written = self._vectors(word)  # (batch, word_width)
        word = self.from_word(written)
        h, c, seen, _, _ = self._advance(word, h, c, regions, places)
        return self._logits(h, written, seen, False), (h, c)

    def _vectors(self, ids):
        """The vectors of words, zeros in front of the first."""
        x = self.words(ids)
        return ops.where(ops.expand_dims(ids > 0, -1), x, ops.zeros_like(x))

    def _draws(self, caption, training):
        """For hard attention `(length, rows, 2)`: what falls on a place, and whether.

        The first is drawn for every row, the second, 1 for soft, for all of them. Of no
        width where nothing is drawn.
        """
        rows, length = ops.shape(caption)[0], ops.shape(caption)[1]
        if not (training and self.hard):
            return ops.zeros((length, rows, 0))
        drawn = keras.random.uniform((length, rows), seed=self.random)
        halves = keras.random.uniform((length, 1), seed=self.random)
        soft = ops.cast(halves < 0.5, "float32") + ops.zeros_like(drawn)
        return ops.stack([drawn, soft], axis=-1)

    def _look(self, h, places, draws):
        """Where it is likely to look, and where it looks: `(batch, places)` both."""
        x = ops.tanh(places + self.ask(h)[:, None])
        alpha = ops.softmax(self.score(x)[:, :, 0], axis=-1)
        if draws is None or not draws.shape[-1]:
            return alpha, alpha
        drawn, soft = draws[:, 0], draws[:, 1:]
        chosen = inverse_cdf(ops.cast(alpha, "float32"), drawn)
        one = ops.one_hot(chosen, places.shape[1] or ops.shape(places)[1])
        used = soft * ops.cast(alpha, "float32") + (1 - soft) * one
        return alpha, ops.cast(ops.stop_gradient(used), alpha.dtype)

    def _advance(self, word, h, c, regions, places, draws=None):
        """The next state, what was seen for it, and where: `alpha`, and what of it."""
        alpha, used = self._look(h, places, draws)
        seen = self.gate(h) * ops.einsum("bp,bpw->bw", used, regions)
        gates = word + self.from_state(h) + self.from_seen(seen)
        i, f, o, g = ops.split(gates, 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        return ops.sigmoid(o) * ops.tanh(c), c, seen, alpha, used

    def _logits(self, h, written, seen, training):
        x = ops.tanh(self.out_state(h) + written + self.out_seen(seen))
        return self.out(self.drop(x, training=training))

    def _reinforce(self, caption, logits, alpha, used, here):
        """A loss whose gradient for `alpha` is that of the class's docstring."""
        cost = ops.stop_gradient(ops.sum(word_losses(caption, logits), axis=1))
        log_alpha = ops.log(alpha + 1e-8)
        # Where alpha itself was used, s / alpha is 1 everywhere, which moves nothing.
        chosen = ops.stop_gradient(used) * here * log_alpha
        gain = (cost - self.baseline) / 10.0 * ops.sum(chosen, axis=(1, 2))
        spread = self.entropy * ops.sum(here * alpha * log_alpha, axis=(1, 2))
        self.add_loss(ops.mean(gain + spread))
        self.baseline.assign(0.9 * self.baseline + 0.1 * ops.mean(cost))

    def compute_output_spec(self, regions, caption, training=False):
        rows, length = caption.shape
        return (
            keras.KerasTensor((rows, length, self.vocabulary_size), "float32"),
            keras.KerasTensor((rows, length, regions.shape[1]), "float32"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "word_width": self.word_width,
            "units": self.units,
            "attention_depth": self.attention_depth,
            "state_depth": self.state_depth,
            "hard": self.hard,
            "dropout": self.dropout,
            "word_dropout": self.word_dropout,
            "penalty": self.penalty,
            "entropy": self.entropy,
            "seed": self.seed,
        }


def build(
    *,
    feature,
    vocabulary_size,
    width=256,
    word_width=128,
    units=256,
    attention_depth=1,
    state_depth=1,
    hard=False,
    dropout=0.5,
    word_dropout=0.0,
    penalty=1.0,
    entropy=0.002,
    seed=None,
    towers=None,
    name="show_attend_tell",
):
    """Builds the model that learns from captions.

    Args:
        feature: The picture, a dict as one of `late_fusion`: `name`, `modality` and the
            arguments of its tower. Regions that were computed once are a `"sequence"`
            of `size`.
        vocabulary_size: Number of ids of words; 0 is padding.
        width: Size of the vector of a region.
        word_width: Size of the vector of a word.
        units: Size of the LSTM.
        attention_depth: Layers that the regions pass before they are compared.
        state_depth: Layers between the mean of the regions and the first state.
        hard: True to look at one place at a time.
        dropout: Rate of dropout in front of the words and of the first state.
        word_dropout: Share of the words told before that are hidden while it learns.
        penalty: Weight of the doubly stochastic penalty of soft attention. It wants as
            much to be looked at as there are regions: with many more of them than words
            it keeps attention from being sharp.
        entropy: Weight of the entropy of hard attention.
        seed: Of dropout and of the places drawn.
        towers: Another builder of the tower, by input name.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name:
            image: `(batch, size, size, 3)` uint8 in [0, 255], under the name of the
                feature; or regions: `(batch, places, size)` float32.
            caption: `(batch, length)` int32, words and their end, 0 = padding. It is
                the target too: a word is told from those before it alone.
        Outputs, by name:
            words: `(batch, length, vocabulary_size)` float32 logits.

    Raises:
        ValueError: If there is no tower for the feature, or a number is below 1.
    """
    sizes = dict(
        vocabulary_size=vocabulary_size,
        width=width,
        word_width=word_width,
        units=units,
        attention_depth=attention_depth,
        state_depth=state_depth,
    )
    if min(sizes.values()) < 1 or vocabulary_size < 4:
        raise ValueError(
            "Sizes are at least 1, and a vocabulary holds padding, an unknown word, "
            f"the end and one word at least. Received: {sizes}."
        )
    picture, regions = encode(
        feature, width=width, pool=False, towers=towers, defaults=TOWERS
    )  # (batch, places, width)
    caption = keras.Input((None,), dtype="int32", name="caption")
    caption_decoder = CaptionDecoder(
        vocabulary_size,
        word_width,
        units,
        attention_depth=attention_depth,
        state_depth=state_depth,
        hard=hard,
        dropout=dropout,
        word_dropout=word_dropout,
        penalty=penalty,
        entropy=entropy,
        seed=seed,
        name="caption_decoder",
    )
    words, _ = caption_decoder(regions, caption)  # (batch, length, vocabulary_size)
    words = layers.Identity(name="words", dtype="float32")(words)
    return keras.Model([picture, caption], {"words": words}, name=name)


def captioner(model, max_length, *, search=None, end=2, exclude=(0, 1), seed=None):
    """The model that writes captions, with the weights of a trained model.

    Args:
        model: What `build` returned.
        max_length: The largest number of words of a caption, the end included.
        search: A `mbm_keras.generation.Search`, such as `BeamSearch(3)`. Default:
            `GreedySearch()`.
        end: Id of the end.
        exclude: Ids that are never written.
        seed: int or None, for a search that samples.

    Returns:
        A functional `keras.Model` of the image alone. Outputs, by name:
            words: `(batch, max_length)` int32 ids, 0 after the end.
    """
    (picture,) = (x for x in model.inputs if x.name != "caption")
    tower = model.get_layer(f"{picture.name}_tower")
    regions = tower(picture)  # (batch, places, width)
    words = SequenceGenerator(
        model.get_layer("caption_decoder"),
        max_length,
        search,
        end=end,
        exclude=exclude,
        seed=seed,
        name="words",
    )(regions)  # (batch, max_length)
    return keras.Model([picture], {"words": words}, name=f"{model.name}_captioner")


def attention_model(model):
    """The model that tells where it looked for every word of a caption.

    Args:
        model: What `build` gave.

    Returns:
        A functional `keras.Model` of the picture and the caption, which may be what the
        writer wrote. Outputs, by name:
            attention: `(batch, length, places)` float32, sum 1 over the places.
    """
    _, alpha = model.get_layer("caption_decoder").output
    return keras.Model(model.inputs, {"attention": alpha}, name=f"{model.name}_looker")
