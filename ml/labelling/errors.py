"""What can be wrong with a whole file of labels; what is wrong with one line is a `Refusal`."""

from ml.errors import TenorError


class LabelsUnreadable(TenorError):
    """Nothing can be made of a file of labels."""

    code = "labels_unreadable"
    hint = "Give a table (CSV, TSV) with a header, JSON lines, a JSON export of Label Studio, or TextGrids."


class NothingImported(TenorError):
    """Every line of a file of labels was refused."""

    code = "nothing_imported"
    hint = "Mend what is said about each; archives have to be enqueued before their labels."


class MappingInvalid(TenorError):
    """`--map` or `--scale` does not say what it has to."""

    code = "mapping_invalid"
    hint = "Write --map word=class, e.g. --map furious=angry, and --scale lowest-highest, e.g. --scale 1-9."


class NothingToSample(TenorError):
    """There is no utterance to propose."""

    code = "nothing_to_sample"
    hint = "Analyse an archive first (`tenor analyze`), or propose from another --job."
