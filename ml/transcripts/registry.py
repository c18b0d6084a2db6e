"""Which reader reads which file, by its extension."""

from pathlib import PurePath

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.formats import iemocap, jsons, nist, subtitles, table, text, textgrid, timit
from ml.transcripts.source import Reader

#: By extension, in the order in which a recording's transcript is chosen among several: words with times, turns with
#: times, text alone, then what has no text.
READERS: dict[str, Reader] = {
    ".textgrid": textgrid.read,
    ".ctm": nist.read_ctm,
    ".wrd": timit.read_words,
    ".wdseg": iemocap.read_words,
    ".json": jsons.read,
    ".jsonl": jsons.read_lines,
    ".jsonl.gz": jsons.read_lines,
    ".stm": nist.read_stm,
    ".vtt": subtitles.read,
    ".srt": subtitles.read,
    ".tsv": table.read,
    ".csv": table.read,
    ".txt": text.read,
    ".lab": text.read_label,
    ".phn": timit.read_phones,
    ".phseg": iemocap.read_phones,
    ".syseg": iemocap.read_syllables,
    ".rttm": nist.read_rttm,
}


def extension_of(name: str) -> str | None:
    """The extension by which a file is read, in small letters; None when it is none of ours."""
    suffixes = [suffix.lower() for suffix in PurePath(name).suffixes]
    for extension in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        if extension in READERS:
            return extension
    return None


def reader_of(name: str) -> Reader:
    """The reader for a file of this name; raises `TranscriptUnreadable`."""
    extension = extension_of(name)
    if extension is None:
        known = ", ".join(READERS)
        raise TranscriptUnreadable(f"{name} has none of the extensions of transcripts", hint=f"They are {known}.")
    return READERS[extension]
