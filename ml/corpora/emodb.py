"""EmoDB (Burkhardt et al. 2005): ten sentences in German by ten actors; everything stands in the file names.

`03a01Fa.wav`: speaker, sentence, first letter of the emotion in German, version.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown

#: Letter: (the corpus's word, canonical class). Boredom is no class of ours.
LABELS = {
    "W": ("anger", "angry"),
    "F": ("happiness", "happy"),
    "N": ("neutral", "neutral"),
    "T": ("sadness", "sad"),
    "A": ("fear", "fear"),
    "E": ("disgust", "disgust"),
    "L": ("boredom", None),
}
MEN = frozenset({"03", "10", "11", "12", "15"})
SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
_NAME = re.compile(r"(\d\d)([ab]\d\d)([A-Z])[a-z]?")


@importer("emodb", about="acted German, 10 actors, 6 classes (boredom is left out)", licence="free to use, to be cited")
def emodb(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every file of `wav/` (or of the folder itself), in order of name."""
    place = folder / "wav" if (folder / "wav").is_dir() else folder
    paths = sorted(place.glob("[0-9][0-9][ab]*.wav"))
    if not paths:
        raise CorpusMissing(f"{folder} holds no EmoDB file such as wav/03a01Fa.wav")
    for path in paths:
        match = _NAME.fullmatch(path.stem)
        if match is None:
            raise CorpusBroken.at(path, None, "its name is not speaker, sentence, emotion, version (03a01Fa)")
        speaker, sentence, letter = match.groups()
        if letter not in LABELS:
            raise LabelUnknown.at(path, None, f"{shown(letter)} is none of EmoDB's emotions")
        source, label = LABELS[letter]
        if label is None:
            skipped.add(f"{source} is none of the classes", path)
            continue
        yield LabelledUtterance(
            corpus="emodb",
            item_id=path.stem,
            speaker=f"emodb-{speaker}",
            label=label,
            language="de",
            audio_path=path,
            text=SENTENCES.get(sentence),
            gender="male" if speaker in MEN else "female",
            style="acted",
            source_label=source,
        )
