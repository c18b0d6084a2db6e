"""By what the files that hold something of what is erased are known, once its rows are gone."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

#: So much of a content's hash stands in names of clips, and of voices without a name.
SHORT = 16


@dataclass(slots=True)
class Traces:
    """Kept with the erasure until its files are removed, then forgotten."""

    #: SHA-256 of recordings that are erased whole.
    contents: set[str] = field(default_factory=set)
    #: Names of clips of stretches that are erased.
    clips: set[str] = field(default_factory=set)
    #: "corpus/item" of labels that are erased, as frozen data sets name them.
    items: set[str] = field(default_factory=set)
    #: People of whom nothing is left, as retraining names them.
    people: set[str] = field(default_factory=set)
    #: Batches whose objects between stages hold features of it.
    batches: set[int] = field(default_factory=set)
    #: Hashes of zip and tar files that it came in.
    packed: set[str] = field(default_factory=set)
    #: "hash/path" of its files in unpacked archives: recordings and transcripts of their own.
    members: set[str] = field(default_factory=set)
    #: Versions that have scored it.
    versions: set[int] = field(default_factory=set)
    #: True where it came from an object store, of which this machine keeps copies.
    objects: bool = False

    def add(self, other: "Traces") -> None:
        """Take over what another has."""
        for one in fields(self):
            own, more = getattr(self, one.name), getattr(other, one.name)
            setattr(self, one.name, own | more)

    def to_json(self) -> dict[str, Any]:
        """As the erasure's row keeps it."""
        return {name: value if isinstance(value, bool) else sorted(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Traces":
        """The reverse of `to_json`."""
        found = cls()
        for name, value in stored.items():
            setattr(found, name, value if isinstance(value, bool) else set(value))
        return found

    @property
    def short(self) -> set[str]:
        """The beginnings of the contents' hashes, as names have them."""
        return {sha256[:SHORT] for sha256 in self.contents}

    def has_clip(self, name: str) -> bool:
        """Whether a clip, by its file's name, is of what is erased."""
        return name in self.clips or name[:SHORT] in self.short

    def has_item(self, item: Mapping[str, Any], sha256: str | None = None) -> bool:
        """Whether a row of a frozen data set, with the hash of its audio, is about what is erased."""
        path = str(item["audio_path"] or "")
        return (
            item["speaker"] in self.people
            or f"{item['corpus']}/{item['item_id']}" in self.items
            or self.has_clip(path.rpartition("/")[2])
            or sha256 in self.contents
            or any(short in f"{item['item_id']} {item['speaker']} {item['dialogue']}" for short in self.short)
        )

    def scrubbed(self, value: Any) -> Any:
        """A JSON value without people and contents that are erased: their entries are left out."""
        if isinstance(value, dict):
            return {key: self.scrubbed(own) for key, own in value.items() if not self.names(key)}
        if isinstance(value, list):
            return [self.scrubbed(own) for own in value if not (isinstance(own, str) and self.names(own))]
        return None if isinstance(value, str) and self.names(value) else value

    def names(self, word: str) -> bool:
        """Whether a string says who or what is erased."""
        return word in self.people or any(short in word for short in self.short)


def stretches(sha256: str, spans: Iterable[tuple[float, float]]) -> set[str]:
    """Names of the clips of a content's stretches."""
    from ml.audio.clips import clip_name

    return {clip_name(sha256, start_s, end_s) for start_s, end_s in spans}
