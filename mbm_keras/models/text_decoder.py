"""Text from anything: a transformer that writes about its inputs, or about nothing.

Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (GPT-2), and
karpathy's nanoGPT, whose sizes are presets here; conditioned as Wang et al. 2022,
"GIT", https://arxiv.org/abs/2205.14100, by a prefix, as Li et al. 2022, "BLIP",
https://arxiv.org/abs/2201.12086, by attention in every block, or as Mokady et al. 2021,
"ClipCap", https://arxiv.org/abs/2111.09734, by one vector per input.

    inputs --> towers --> memory m_1 .. m_n
    prefix   transformer(m_1 .. m_n, y_1 .. y_{t-1}), m sees all of m, y what is before
    cross    transformer(y_1 .. y_{t-1}), whose blocks attend to m
    vector   as prefix, with one m per input: its embedding
    p(y_t) = softmax(E norm(x_{t-1})),  E the embeddings of the words

Deviations: rotary positions by default; towers learn from scratch; no dropout of the
attention weights.

`build` returns the model that trains on texts, `writer` the model that writes them.
Without inputs, or with a prompt alone, it is a plain language model: training does not
read the prompt, and the writer continues it.
"""

import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from mbm_keras.generation import Search
from mbm_keras.generation import SequenceGenerator
from mbm_keras.inputs import InputSpec
from mbm_keras.inputs import output_name
from mbm_keras.inputs import teacher_name
from mbm_keras.layers import AfterStart
from mbm_keras.layers import CachedDecoder
from mbm_keras.layers import DecoderSizes
from mbm_keras.layers import TransformerDecoder
from mbm_keras.preset import Preset
from mbm_keras.preset import options_from
from mbm_keras.tasks import Captioning
from mbm_keras.tasks import Task
from mbm_keras.tasks import TaskModel
from mbm_keras.towers.encode import Builder
from mbm_keras.towers.encode import check_inputs
from mbm_keras.towers.encode import encode_memory
from mbm_keras.towers.encode import list_inputs
from mbm_keras.towers.encode import memory_of
from mbm_keras.weights import Folder
from mbm_keras.weights import gpt2
from mbm_keras.weights import open_folder
from mbm_keras.weights.assign import Tensors

CONDITIONS = ("prefix", "cross", "vector")
PROMPT = "prompt"  # the modality of what a writer continues, and its usual name


def _make_gpt2(parameters, width, blocks, heads):
    """A size of GPT-2. Its ids are one more than those of the checkpoint."""
    return Preset(
        dict(
            inputs=[],
            task=Captioning(50_258, 1_024, "text", end=50_257),
            width=width,
            blocks=dict(
                num_blocks=blocks,
                num_heads=heads,
                num_positions=1_024,
                activation="gelu_new",
            ),
        ),
        parameters=parameters,
        source="https://huggingface.co/openai-community/gpt2",
    )


def _make_nanogpt(parameters, width, blocks, heads, positions):
    """A model of single characters, 65 of them; texts begin after a line break."""
    return Preset(
        dict(
            inputs=[],
            task=Captioning(66, positions, "text", end=1),
            width=width,
            blocks=dict(
                num_blocks=blocks,
                num_heads=heads,
                num_positions=positions,
                use_bias=False,
            ),
            dropout=0.0,
        ),
        parameters=parameters,
        source="https://github.com/karpathy/nanoGPT",
    )


PRESETS = {
    "tiny": Preset(
        dict(
            inputs=[InputSpec("image", "image", dict(size=16))],
            task=Captioning(12, 6),
            width=16,
            blocks=dict(num_blocks=2, num_heads=2, num_kv_heads=1),
        )
    ),
    "gpt2": _make_gpt2(124_439_808, 768, 12, 12),
    "gpt2_medium": _make_gpt2(354_823_168, 1_024, 24, 16),
    "gpt2_large": _make_gpt2(774_030_080, 1_280, 36, 20),
    "gpt2_xl": _make_gpt2(1_557_611_200, 1_600, 48, 25),
    "nanogpt_characters": _make_nanogpt(10_745_088, 384, 6, 6, 256),
    # The size of nanoGPT's readme for a CPU.
    "nanogpt_cpu": _make_nanogpt(804_096, 128, 4, 4, 64),
}


def check_fit(
    inputs: Sequence[InputSpec],
    task: Task,
    towers: Mapping[str, Builder] | None = None,
) -> None:
    """Compares inputs and task with what this model can be built for.

    Args:
        inputs: List of `InputSpec`; it may be empty, or a prompt alone.
        task: A task.
        towers: As for `build`.

    Raises:
        ValueError: If an input has no tower, or the task is not a `Captioning`.
    """
    if inputs and not _is_prompt(inputs):
        check_inputs(inputs, towers)
    if not isinstance(task, Captioning):
        raise ValueError(
            "Expected a task Captioning. Received: "
            f"inputs={list_inputs(inputs)}, task={task}."
        )
    if not 0 < task.end < task.vocabulary_size:
        raise ValueError(
            "Expected an id of the end above 0 and in the vocabulary. Received: "
            f"end={task.end}, vocabulary_size={task.vocabulary_size}."
        )


def build(
    *,
    inputs: Sequence[InputSpec],
    task: Captioning,
    condition: str = "prefix",
    width: int = 128,
    blocks: DecoderSizes | Mapping[str, Any] | None = None,
    dropout: float = 0.1,
    towers: Mapping[str, Builder] | None = None,
    name: str = "text_decoder",
) -> keras.Model:
    """Builds the model that trains on texts.

    Args:
        inputs: List of `InputSpec` of any modality. For a language model it is empty,
            or has one of the modality `"prompt"` with its `length` in words, which the
            model of `for_inference` continues.
        task: A `Captioning`. A text begins after the id of its end.
        condition: `"prefix"`, `"cross"` or `"vector"`, see the module.
        width: Size of the vector of a word, and of a step of the inputs.
        blocks: A `mbm_keras.layers.DecoderSizes`, or its fields by name, as a plan has
            them.
        dropout: Rate of dropout of words and residuals.
        towers: Builder by input name, instead of the default of its modality.
        name: Name of the model.

    Returns:
        A functional `keras.Model`.
        Inputs, by name, with the names of the preset "tiny":
            image: `(batch, size, size, 3)` in [0, 255] or [0, 1].
            words_teacher: `(batch, length)` int32, the target: words and their end, 0
                = padding. `task.feed` adds it to a batch. A word is predicted from the
                words before it alone.
        Outputs, by name, with the name of the task:
            words: `(batch, length, vocabulary_size)` float32 logits.

    Raises:
        ValueError: See `check_fit`; or if the condition is unknown, or a size is out of
            range.
    """
    check_fit(inputs, task, towers)
    if condition not in CONDITIONS:
        raise ValueError(
            f"Expected condition in {CONDITIONS}. Received: condition={condition!r}."
        )
    sizes = options_from(DecoderSizes, blocks)

    # What the text is about.
    tensors: list[Any] = []
    memory: list[Any] = []
    kind = None
    if _is_prompt(inputs):
        length = inputs[0].sizes["length"]
        tensors = [keras.Input((length,), dtype="int32", name=inputs[0].key)]
    elif inputs:
        tensors, *memory = encode_memory(
            inputs, width=width, pool=condition == "vector", towers=towers
        )  # (batch, n, width) and (batch, n)
        kind = "cross" if condition == "cross" else "prefix"

    # The text: logits of each word, from the words before.
    teacher = keras.Input((None,), dtype="int32", name=teacher_name(task.name))
    decoder = TransformerDecoder(
        task.vocabulary_size, width, sizes, kind, task.end, dropout
    )
    logits = decoder(AfterStart(task.end)(teacher), *memory)
    words = task.output(logits, output_name(task.name, inputs))
    return TaskModel([*tensors, teacher], {task.name: words}, name=name)


def writer(
    model: keras.Model,
    task: Captioning,
    *,
    search: Search | None = None,
    exclude: Sequence[int] = (0, 1),
    seed: int | None = None,
    prompt_length: int = 0,
    after_start: bool = True,
) -> keras.Model:
    """The model that writes, with the weights of a trained model.

    Args:
        model: What `build` returned.
        task: Its `Captioning`; `dataclasses.replace(task, sequence_length=20)` to write
            20 words at most.
        search: A `mbm_keras.generation.Search`, such as `BeamSearch(3)`. Default:
            `GreedySearch()`.
        exclude: Ids that are never written. Default: padding and unknown words.
        seed: int or None, for a search that samples.
        prompt_length: Steps of a prompt, which the text continues; 0 for none. A model
            without inputs needs one.
        after_start: True if a prompt is the beginning of a text, as in training by
            rows; False if it is a part of a longer one, as for GPT-2.

    Returns:
        A functional `keras.Model`.
        Inputs: those of the model, without the target, and with `prompt_length` the
            prompt: `(batch, prompt_length)` int32, padded with 0 on either side. Its
            name is that of the model's prompt, `prompt` if it has none.
        Outputs, by name, with the name of the task:
            words: `(batch, sequence_length)` int32 ids, 0 after the end.

    Raises:
        ValueError: If there is neither an input nor a prompt, or the model has fewer
            positions.
    """
    decoder = decoder_of(model)
    tensors: list[Any] = []
    memory: list[Any] = []
    if decoder.memory is not None:
        tensors, *memory = memory_of(model)
    if not tensors and prompt_length < 1:
        raise ValueError(
            "Expected prompt_length >= 1 for a model without inputs. "
            f"Received: prompt_length={prompt_length}."
        )
    if prompt_length:
        given = _prompt_of(model, task)
        key = PROMPT if given is None else given.name
        text = prompt = keras.Input((prompt_length,), dtype="int32", name=key)
        tensors = [*tensors, prompt]
        if after_start:
            first = ops.full_like(prompt[:, :1], decoder.start)
            text = ops.concatenate([first, prompt], axis=1)
    else:
        # A prompt of one step, which is padding: (batch, 1)
        text = ops.zeros_like(ops.any(memory[1], axis=1, keepdims=True), dtype="int32")
    cached = CachedDecoder(decoder, text.shape[1] + task.sequence_length)
    write = SequenceGenerator(
        cached, task.sequence_length, search, task.end, exclude, seed
    )
    words = write(text, *memory)  # (batch, sequence_length)
    return keras.Model(tensors, {task.name: words}, name=f"{model.name}_writer")


def for_inference(model: keras.Model, task: Captioning) -> keras.Model:
    """The model that answers: `writer` with greedy search, of its prompt if any."""
    prompt = _prompt_of(model, task)
    return writer(model, task, prompt_length=0 if prompt is None else prompt.shape[1])


def load(folder: str | os.PathLike, *, name: str = "gpt2") -> keras.Model:
    """A language model with the weights of a published GPT-2.

    Args:
        folder: A local folder in the layout of Hugging Face, with `config.json` and
            safetensors, see `mbm_keras.weights.open_folder`.
        name: Name of the model.

    Returns:
        What `build` returns without inputs. An id is one more than in the checkpoint:
        those that `mbm_keras.preprocessing.Subwords.from_folder(folder)` gives. Its
        output is called `words`, and `task_of` is its task.

    Raises:
        ValueError: If the folder cannot be read, or a tensor is missing or has another
            shape.
    """
    opened = open_folder(folder)
    _, width, sizes = gpt2.sizes_from(opened.config)
    task = task_of(opened)
    model = build(inputs=[], task=task, width=width, blocks=sizes, dropout=0, name=name)
    gpt2.fill_decoder(decoder_of(model), Tensors(opened.tensors, gpt2.PREFIX))
    return model


def task_of(folder: str | os.PathLike | Folder) -> Captioning:
    """The task of a published GPT-2: as many words as it has positions."""
    opened = folder if isinstance(folder, Folder) else open_folder(folder)
    words, _, sizes = gpt2.sizes_from(opened.config)
    end = opened.config.get("eos_token_id", words - 1)
    return Captioning(words + 1, sizes.num_positions or 1, end=end + 1)


def decoder_of(model: keras.Model) -> TransformerDecoder:
    """The decoder of a model."""
    (decoder,) = (x for x in model.layers if isinstance(x, TransformerDecoder))
    return decoder


def _is_prompt(inputs):
    return [spec.modality for spec in inputs] == [PROMPT]


def _prompt_of(model, task):
    """The input of a language model that it continues, None without one."""
    if decoder_of(model).memory is not None:
        return None
    others = (x for x in model.inputs if x.name != teacher_name(task.name))
    return next(others, None)
