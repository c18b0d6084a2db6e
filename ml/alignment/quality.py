"""Notes that `quality` carries, and the sentence for each that `tenor errors` shows."""

from collections.abc import Mapping

#: The text is not what is said.
MISMATCH = "transcript_mismatch"
#: The text may be right, but its words were not found in the sound.
NOT_ALIGNED = "words_not_aligned"
#: No aligner for the language: text and utterance times are kept.
NO_ALIGNER = "language_not_aligned"
#: Somebody speaks here, but the transcript of the recording holds no words for it.
NOT_IN_TRANSCRIPT = "speech_not_in_transcript"
#: The transcript has a turn here; neither its words nor any speech were found in the sound.
NOT_HEARD = "speech_not_heard"
#: There is no transcript: the text was recognised.
TRANSCRIBED = "transcribed"
#: The transcriber does not know the language.
NOT_TRANSCRIBED = "language_not_transcribed"
#: Some lines of the transcript could not be read; `problems` names them.
PARTLY_READ = "transcript_partly_read"
#: The file ends before its header says.
CUT_SHORT = "audio_cut_short"

SENTENCES = {
    MISMATCH: "the transcript is not what is said; analysed by voice alone",
    NOT_ALIGNED: "its words were not found in the sound; text and times are those of the transcript",
    NO_ALIGNER: "no aligner for this language and no times in the transcript; its text was shared over the speech",
    NOT_IN_TRANSCRIPT: "there is speech that the transcript does not hold; analysed by voice alone",
    NOT_HEARD: "no speech is heard here, but the transcript has a turn; analysed by voice alone, at its times",
    TRANSCRIBED: "there is no transcript; the text is what the transcriber recognised",
    NOT_TRANSCRIBED: "the transcriber does not know this language; analysed by voice alone",
    PARTLY_READ: "part of the transcript could not be read and was left out",
}


def noted(quality: Mapping[str, object]) -> tuple[str, str] | None:
    """The code and the sentence of what a person should know about a recording that was aligned; None if nothing."""
    said = {CUT_SHORT: str(quality["cut_short"])} if "cut_short" in quality else {}
    if note := quality.get("transcript"):
        said[str(note)] = str(quality.get("detail") or SENTENCES.get(str(note), note))
    return (next(iter(said)), "; ".join(said.values())) if said else None
