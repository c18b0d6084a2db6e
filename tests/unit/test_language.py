"""Languages of texts: told by script, or by how they read; and said not to be known when they are short."""

import pytest

from ml.transcripts.encoding import decode
from ml.transcripts.language import LANGUAGES, code_of, detect

TEXTS = {
    "en": "Good morning, how can I help you with your order today?",
    "de": "Guten Morgen, was kann ich heute für Sie tun?",
    "fr": "Bonjour, je voudrais savoir où se trouve ma commande.",
    "es": "Buenos días, quería preguntar por mi pedido de ayer.",
    "pl": "Dzień dobry, chciałabym zapytać o swoje zamówienie.",
    "it": "Buongiorno, vorrei sapere dove si trova il mio ordine.",
    "tr": "Günaydın, siparişimin nerede olduğunu öğrenmek istiyorum.",
    "ru": "Здравствуйте, я хотела бы узнать, где мой заказ.",
    "uk": "Добрий день, я хотіла б дізнатися, де моє замовлення.",
    "ko": "네, 고객님. 오늘 order number 확인해 드릴게요.",
    "ja": "はい、注文番号を確認いたします。",
    "zh": "您好，请问有什么可以帮您？",
    "ar": "صباح الخير، أود أن أسأل عن طلبي",
    "el": "Καλημέρα σας",
    "he": "שלום, איך אפשר לעזור",
    "hi": "नमस्ते, मैं आपकी क्या मदद कर सकता हूँ?",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert detect(TEXTS[language]) == language


def test_capitals_are_read_like_small_letters() -> None:
    assert detect("I'M AFRAID YOUR PARCEL HAS NOT YET ARRIVED") == "en"


@pytest.mark.parametrize("text", ["", "…", "42", "OK", "uh huh", "mm-hmm", "Anna", "\x00\ud800"])
def test_what_is_too_short_is_not_guessed(text: str) -> None:
    assert detect(text) is None


def test_one_korean_word_is_korean() -> None:
    assert detect("네") == "ko"


def test_a_foreign_name_does_not_change_the_language() -> None:
    assert detect("My colleague 김영희 will call you back tomorrow morning, all right?") == "en"


def test_every_language_is_one_of_the_model_s() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    assert set(LANGUAGES) <= set(LanguageIdentifier.from_model_file(MODEL_FILE).nb_classes)


@pytest.mark.parametrize(
    ("name", "code"),
    [("en-US", "en"), ("eng", "en"), ("English", "en"), ("ko_KR", "ko"), ("pl", "pl"), ("zh-Hans-CN", "zh")],
)
def test_languages_are_understood_in_all_notations(name: str, code: str) -> None:
    assert code_of(name) == code


@pytest.mark.parametrize("name", [None, 7, [], "", "x", "und", "no such language", "e\x00n", "a" * 5000])
def test_what_names_no_language_is_none(name: object) -> None:
    assert code_of(name) is None


def test_a_long_text_in_an_old_encoding_is_decoded_quickly_and_rightly() -> None:
    text = "Wir müssen über die Äpfel reden.\n" * 20_000
    assert decode(text.encode("cp1252"), "x")[0] == text
