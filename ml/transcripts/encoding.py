"""From bytes to text, in whatever encoding a program or a person saved it."""

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.language import reads_as

#: Of one transcript, packed or unpacked. An hour of speech with phones and confidences has some 2 MB.
MAX_BYTES = 20_000_000
_BOMS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
#: Encodings without Unicode that text is still saved in, in families that are hard to tell apart; likelier ones first.
_LATIN = ("cp1252", "cp1250", "cp1254")
_FAMILIES = (
    _LATIN,
    ("cp949", "cp932", "gb18030", "big5"),
    ("cp1251",),
    ("cp1253",),
    ("cp1255",),
    ("cp1256",),
)
#: The languages that speak for an encoding of the first family; all others speak for cp1252, and less than so certain
#: nothing speaks against it.
_LANGUAGES = {"cp1250": {"cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq", "sr"}, "cp1254": {"tr"}}
_EVIDENCE = 0.5
#: What is looked at to tell them: bytes, characters.
_SAMPLE = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_LETTER = re.compile(rb"[A-Za-z]")
_MULTIBYTE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]{1,3}")


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked when it is gzip; raises `TranscriptUnreadable` for more than `MAX_BYTES`."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TranscriptUnreadable(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB")
        raw = path.read_bytes()
    except OSError as exc:
        raise TranscriptUnreadable(f"{path.name} cannot be opened ({type(exc).__name__})") from exc
    if not path.name.lower().endswith(".gz"):
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
            content = packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as exc:
        raise TranscriptUnreadable(f"{path.name} cannot be unpacked ({type(exc).__name__})") from exc
    if len(content) > MAX_BYTES:
        raise TranscriptUnreadable(f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB unpacked")
    return content


def decode(raw: bytes, name: str) -> tuple[str, list[int]]:
    """Text, and the numbers of lines in which bytes of UTF-8 are broken (replaced by U+FFFD).

    A byte order mark decides; else UTF-16 by its zero bytes; else UTF-8; else what `unmarked` finds.
    Raises `TranscriptUnreadable`.
    """
    if (found := marked(raw)) is not None:
        encoding, mark = found
        text = _strict(raw[mark:], encoding)
        if text is None:
            raise TranscriptUnreadable(f"{name} is marked as {encoding[:6].upper()}, which it is not")
        return _checked(text, name), []
    if b"\x00" in raw:
        for encoding in ("utf-16-le", "utf-16-be"):
            text = _strict(raw, encoding)
            if text is not None and not _CONTROL.search(text) and any(sign in text for sign in " \n\t"):
                return text, []
        raise TranscriptUnreadable(f"{name} is not text (it holds zero bytes)")
    text = _strict(raw, "utf-8")
    if text is not None:
        return _checked(text, name), []
    encoding = unmarked(raw)
    text = raw.decode(encoding, errors="replace")
    lines = text.split("\n") if encoding == "utf-8" else []
    return _checked(text, name), [number for number, line in enumerate(lines, start=1) if "\ufffd" in line]


def encoding_of(start: bytes, name: str) -> tuple[str, int]:
    """What `decode` would take a file's first bytes for, and the length of the mark that they begin with.

    The last character may be cut. Raises `TranscriptUnreadable`.
    """
    if (found := marked(start)) is not None:
        return found
    if b"\x00" in start:
        # Two bytes a character, of which either half may be zero; text is never cut within one here.
        decode(start[: len(start) // 4 * 4] or start, name)
        return ("utf-16-le" if start[1::2].count(0) >= start[::2].count(0) else "utf-16-be"), 0
    try:
        _checked(codecs.getincrementaldecoder("utf-8")().decode(start), name)
        return "utf-8", 0
    except UnicodeDecodeError:
        encoding = unmarked(start)
        _checked(start.decode(encoding, errors="replace"), name)
        return encoding, 0


def marked(start: bytes) -> tuple[str, int] | None:
    """The encoding that a byte order mark (at most 4 bytes) says, and the mark's length; None without one."""
    return next(((encoding, len(mark)) for mark, encoding in _BOMS if start.startswith(mark)), None)


def unmarked(raw: bytes) -> str:
    """The most likely encoding of text, or of some of its lines, that is not all UTF-8.

    It is "utf-8" when less than one in ten characters beyond ASCII is broken; else one from before Unicode.
    """
    # Lines of ASCII are the same in every encoding.
    telling = b"\n".join(line for line in raw.split(b"\n") if not line.isascii())
    broken = telling.decode("utf-8", errors="replace").count("\ufffd")
    return "utf-8" if broken * 10 < len(_MULTIBYTE.findall(telling)) else _before_unicode(telling)


def _strict(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _before_unicode(telling: bytes) -> str:
    """Text in Latin letters by its language; of other text charset-normalizer finds the family, its language the rest.

    Of 83 short texts in cp1252, cp1250 and cp1254, many with one accent, this reads 79; asking charset-normalizer for
    these too, 59.
    """
    if _is_latin(telling):
        return _latin(telling)
    from charset_normalizer import from_bytes

    best = from_bytes(telling[:_SAMPLE], cp_isolation=[name for family in _FAMILIES for name in family]).best()
    found = best.encoding if best is not None else "cp1252"
    family = next((family for family in _FAMILIES if found in family), _LATIN)
    if family is _LATIN:
        return _latin(telling)
    readings = {encoding: _strict(telling, encoding) for encoding in family}
    likeness = {encoding: reads_as(text)[1] for encoding, text in readings.items() if text is not None}
    return max(likeness, key=likeness.__getitem__, default=found)


def _is_latin(telling: bytes) -> bool:
    """Whether bytes beyond ASCII stand singly among letters; in other scripts they are most of a word, or in pairs."""
    runs = [len(run) for run in _BEYOND_ASCII.findall(telling)]
    short = sum(run <= 2 for run in runs)
    return 1 in runs and short >= 0.9 * len(runs) and sum(runs) < len(_LETTER.findall(telling))


def _latin(telling: bytes) -> str:
    """cp1252, unless the text reads more like a language of another encoding. A few accents alone do not tell."""
    texts = {encoding: _strict(telling, encoding) for encoding in _LATIN}
    readings = {encoding: reads_as(text) for encoding, text in texts.items() if text is not None}
    likeness = {}
    for encoding, (language, likely) in readings.items():
        if encoding != "cp1252":
            likeness[encoding] = likely if language in _LANGUAGES[encoding] else 0.0
        elif not any(language in own for own in _LANGUAGES.values()):
            likeness[encoding] = max(likely, _EVIDENCE)
        else:
            likeness[encoding] = 0.0
    return max(likeness, key=likeness.__getitem__, default="cp1252")


def _checked(text: str, name: str) -> str:
    if len(_CONTROL.findall(text[:100_000])) * 20 > len(text[:100_000]) or "\x00" in text[:100_000]:
        raise TranscriptUnreadable(f"{name} is not text")
    return text
