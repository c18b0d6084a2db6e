"""What a reader of one format works on: the text of a file, and a place for what is wrong with it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.naming import recording_name
from ml.transcripts.types import Turn

#: Sentences that are kept about one file.
MAX_PROBLEMS = 20
#: Lines, intervals, or objects of one file. Ten hours of speech have some 100,000 words; a hundred times as many
#: would only cost memory.
MAX_ENTRIES = 1_000_000


@dataclass(slots=True)
class Source:
    """The text of a transcript's file; `name` stands in sentences, `recording` is the recording that is asked for."""

    name: str
    text: str
    recording: str
    problems: list[str] = field(default_factory=list)
    left_out: int = 0

    def lines(self) -> Iterator[tuple[int, str]]:
        """Lines that hold something, with their numbers as editors count them."""
        lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(lines) > MAX_ENTRIES:
            raise TranscriptUnreadable(f"{self.name} has more than {MAX_ENTRIES} lines")
        return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())

    def place(self, where: int | str | None) -> str:
        """How a sentence begins: the file, and the line (a number) or the entry (words)."""
        if where is None:
            return self.name
        return f"{self.name}, line {where}" if isinstance(where, int) else f"{self.name}, {where}"

    def problem(self, where: int | str | None, sentence: str) -> None:
        """Note that something was left out; the sentence never quotes the text."""
        self.left_out += 1
        # One more than are told: a single one is said rather than counted.
        if self.left_out <= MAX_PROBLEMS + 1:
            self.problems.append(f"{self.place(where)}: {sentence}")

    def unreadable(self, where: int | str | None, sentence: str) -> TranscriptUnreadable:
        """The error for a file of which nothing can be used."""
        return TranscriptUnreadable(f"{self.place(where)}: {sentence}")

    def alike(self, turns: Sequence[tuple[int | str, Turn]]) -> list[Turn]:
        """Turns with the place each stands at; where some have times, those without are left out."""
        some = any(turn.timed for _, turn in turns)
        for where, turn in turns:
            if some and not turn.timed:
                self.problem(where, "it has no times although others have them")
        return [turn for _, turn in turns if turn.timed or not some]

    def all_problems(self) -> tuple[str, ...]:
        """The sentences, and how many more there would be."""
        if self.left_out <= MAX_PROBLEMS + 1:
            return tuple(self.problems)
        more = self.left_out - MAX_PROBLEMS
        return (*self.problems[:MAX_PROBLEMS], f"{self.name}: {more} more of the like")

    def chosen(self, recordings: Iterable[str]) -> str | None:
        """Which of the recordings a file names is the one asked for; None: the file names none.

        A file that names a single recording is about that which it lies beside, whatever it calls it. Raises
        `TranscriptUnreadable` when it names several, and not this one.
        """
        names = list(dict.fromkeys(recordings))
        wanted = recording_name(self.recording)
        for name in names:
            if recording_name(name) == wanted:
                return name
        if len(names) > 1:
            raise self.unreadable(None, f"it is about {len(names)} recordings, none of which has this one's name")
        return names[0] if names else None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader found: turns in any order, and the language (any notation) where the file says it."""

    turns: list[Turn]
    language: str | None = None


Reader = Callable[[Source], Reading]
