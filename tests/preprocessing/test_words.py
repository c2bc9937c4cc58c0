"""Words in many scripts, emoji, marks and apostrophes."""

import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from mbm_keras.preprocessing import Caption
from mbm_keras.preprocessing import WordIds
from mbm_keras.preprocessing import words
from mbm_keras.preprocessing.normal_form import compose

WORDS = {
    "Don't stop, O'Neil's 'dog' and the dogs' 5'10": (
        "don't stop o'neil's dog and the dogs 5'10"
    ),
    "It’s l’été ‘ici’": "it's l'été ici",
    "3.14 and 1,000; e-mail_me/now": "3 14 and 1 000 e mail me now",
    "price: $5 or 10€": "price $ 5 or 10 €",
    "tab\there\nline\u00a0space\u3000wide": "tab here line space wide",
    "这家店好吃！OK 2次": ("这 家 店 好 吃 ok 2 次"),
    "東京タワーです。": ("東 京 タ ワ ー で す"),
    "กินข้าว": "กิ น ข้ า ว",
    "ກິນ": "ກິ ນ",
    "ខ្មែរ": "ខ្ មែ រ",
    "아주 좋아요": "아주 좋아요",
    "हिन्दी, है।": ("हिन्दी है"),
    "شُكــرًا،": "شُكرًا",
    "שָׁלוֹם": "שָׁלוֹם",
    "می\u200cخواهم": "میخواهم",
    "ÉCOLE СОБАКА ΟΔΟΣ": ("école собака οδος"),
    "good😀😍bad👎": "good 😀 😍 bad 👎",
    "👍🏽👍": "👍🏽 👍",
    "👩\u200d💻👨\u200d👩\u200d👧": ("👩\u200d💻 👨\u200d👩\u200d👧"),
    "🇩🇪🇫🇷": ("🇩🇪 🇫🇷"),
    "I ❤\ufe0f u ❤ ❤\ufe0f\u200d🔥": ("i ❤ u ❤ ❤\u200d🔥"),
    "1\ufe0f\u20e32\ufe0f\u20e3": "1\u20e3 2\u20e3",
    "😀": "😀",
    "!? \u2026": "",
}


def split(text):
    return b" ".join(words.split(tf.constant([text]))[0].numpy()).decode()


@pytest.mark.parametrize("text", WORDS)
def test_words(text):
    assert split(text) == unicodedata.normalize("NFC", WORDS[text])


def test_plain_english_has_the_same_words_beside_any_other_text():
    texts = [t for t in WORDS if t.isascii()]
    texts += ["''a'b'' '' x''y '9 $'s a_b'c", "a\0b\x7f\rc", "<br/>|~^`+=>"]
    alone = words.split(tf.constant(texts))
    beside = words.split(tf.constant([*texts, "é"]))[:-1]
    assert alone.to_list() == beside.to_list()


def test_a_letter_with_its_marks_is_one_word_in_every_encoding():
    letters = [chr(x) for x in range(0xA0, 0x30000) if not 0xD800 <= x < 0xE000]
    right = [unicodedata.normalize("NFC", x) for x in letters]
    for form in ("NFC", "NFD"):
        texts = [unicodedata.normalize(form, x) for x in letters]
        found = [x.decode() for x in compose(tf.constant(texts)).numpy()]
        wrong = [x for x, y in zip(found, right, strict=True) if x != y]
        assert not wrong


def test_marks_in_another_order_are_the_same_word():
    texts = [
        "Viê\u0323t",
        "Việt",
        "Vie\u0323\u0302t",
        "Vie\u0302\u0323t",
        "\u1112\u1161\u11ab",
    ]
    found = [x.decode() for x in compose(tf.constant(texts)).numpy()]
    assert found == ["Việt"] * 4 + ["한"]


def test_a_mark_is_composed_past_others_of_lower_classes():
    texts = [
        "ȑ\u033c",
        "r\u033c\u030f",
        "a\u0300\u0301",
        "q\u0323\u0301",
        "\u0301\u0300",
    ]
    found = [x.decode() for x in compose(tf.constant(texts)).numpy()]
    assert found == [unicodedata.normalize("NFC", x) for x in texts]


def test_texts_keep_their_rows_when_they_are_composed():
    texts = ["", "\u0301a", "e\u0301", "\u0301", ""]
    found = [x.decode() for x in compose(tf.constant(texts)).numpy()]
    assert found == ["", "\u0301a", "é", "\u0301", ""]


def test_an_emoji_is_learned_and_looked_up():
    ids = WordIds(4)
    ids.adapt(["so 😀", "so 😡😡"])
    assert set(ids.vocabulary) == {"so", "😀", "😡"}
    found, _ = ids.decode(tf.constant(["😀😡 x"]))
    numbers = [ids.vocabulary.index(x) + 2 for x in ("😀", "😡")]
    assert found.numpy().tolist() == [[*numbers, 1, 0]]


def test_texts_that_are_cut_are_counted():
    ids = WordIds(2, ["a"])
    texts = ["a b", "a b c", "", "这家店"]
    assert ids.find_cut(texts).tolist() == [False, True, False, True]


def test_a_sentence_is_written_as_its_script_is():
    caption = Caption(9, ["一", "只", "狗", "ok", "กิ", "น"])
    ids = np.array([[3, 4, 5, 6, 6, 3, 2, 0, 0], [7, 8, 6, 2, 0, 0, 0, 0, 0]])
    sentences = caption.decode(tf.constant(ids), "words")["words"].numpy()
    assert [x.decode() for x in sentences] == [
        "一只狗 ok ok 一",
        "กิน ok",
    ]
