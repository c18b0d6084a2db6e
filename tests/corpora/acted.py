"""Miniatures of the acted corpora whose labels stand in file names or in one table."""

from collections.abc import Sequence
from pathlib import Path

from ml.corpora import cremad, emodb, nemo, ravdess
from tests.corpora.sound import write_voice


def write_ravdess(
    folder: Path, *, actors: Sequence[int] = (1, 2, 3, 4), emotions: Sequence[str] = tuple(ravdess.LABELS),
    takes: int = 1, seconds: float = 0.5,
) -> Path:  # fmt: skip
    """`Actor_NN/03-01-EE-…`: each actor says both sentences in each emotion, `takes` times. Returns `folder`."""
    for actor in actors:
        for emotion in emotions:
            for sentence in ravdess.SENTENCES:
                for take in range(1, takes + 1):
                    name = f"03-01-{emotion}-01-{sentence}-{take:02}-{actor:02}.wav"
                    path = folder / f"Actor_{actor:02}" / name
                    write_voice(path, ravdess.LABELS[emotion][1], f"actor {actor}", seconds=seconds)
    return folder


def write_nemo(
    folder: Path, *, speakers: Sequence[str] = ("KS0", "MP0", "SM0"), takes: int = 2, seconds: float = 0.5,
    lost: int = 0,
) -> Path:  # fmt: skip
    """`data.tsv` and `samples/`; the last `lost` lines of the table have no audio. Returns `folder`."""
    lines, paths = [], []
    for speaker in speakers:
        for emotion, label in nemo.LABELS.items():
            for take in range(takes):
                name = f"{speaker}_{emotion}_{take}.wav"
                paths.append(write_voice(folder / "samples" / name, label, speaker, seconds=seconds))
                lines.append(f"{name}\t{emotion}\tKupiłem szafę.\tkupiłem szafę\t{speaker}\tmale\t23")
    for path in paths[len(paths) - lost :]:
        path.unlink()
    header = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"
    (folder / "data.tsv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return folder


def write_emodb(folder: Path, *, speakers: Sequence[str] = ("03", "08"), seconds: float = 0.3) -> Path:
    """`wav/03a01Fa.wav` and so on, boredom included. Returns `folder`."""
    for speaker in speakers:
        for letter, (_, label) in emodb.LABELS.items():
            path = folder / "wav" / f"{speaker}a01{letter}a.wav"
            write_voice(path, label or "neutral", speaker, seconds=seconds)
    return folder


def write_cremad(folder: Path, *, actors: Sequence[int] = (1001, 1002), seconds: float = 0.3) -> Path:
    """`AudioWAV/`, who the actors are, and votes by voice, by face and by both. Returns `folder`."""
    clips = []
    for actor in actors:
        for emotion, label in cremad.LABELS.items():
            path = folder / "AudioWAV" / f"{actor}_DFA_{emotion}_XX.wav"
            clips.append(write_voice(path, label, str(actor), seconds=seconds).stem)
    votes = ['"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"']
    for kind, counts in ((1, "6,0,0,0,2,2"), (2, "0,0,0,10,0,0"), (3, "0,0,0,0,0,10")):
        votes += [f'"{kind * 100_000 + number}",{counts},"{clip}",10,0.6,"A"' for number, clip in enumerate(clips, 1)]
    (folder / "processedResults").mkdir()
    (folder / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(votes) + "\n", encoding="utf-8")
    people = [f"{actor},{30 + actor % 10},{('Male', 'Female')[actor % 2]},Asian,Not Hispanic" for actor in actors]
    header = "ActorID,Age,Sex,Race,Ethnicity"
    (folder / "VideoDemographics.csv").write_text("\n".join([header, *people]) + "\n", encoding="utf-8")
    return folder
