"""What options and arguments of several commands are: their types, names and help."""

from typing import Annotated, Literal

import typer

from ops.cli import completing

Archive = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="Folder, zip or tar file of recordings, or one recording; or s3://bucket/prefix."
    ),
]
Job = Annotated[int, typer.Argument(metavar="JOB", min=1, help="A job's number.", autocompletion=completing.jobs)]
AnyJob = Annotated[
    int | None,
    typer.Argument(metavar="[JOB]", min=1, help="A job's number.", show_default=False, autocompletion=completing.jobs),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow until it ended; Ctrl-C leaves it running.")]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Models to use: a bundled profile's name or a TOML file.",
        show_default="mini",
        autocompletion=completing.profiles,
    ),
]
ChannelsOption = Annotated[
    Literal["auto", "split", "mix"] | None,
    typer.Option(help="split: each channel is a speaker; mix: one channel; auto: look.", show_default="auto"),
]
Language = Annotated[
    str | None,
    typer.Option(help="Language of the recordings, e.g. en; auto: found from the transcript.", show_default="auto"),
]
Aligner = Annotated[
    str | None,
    typer.Option(
        help="What finds the words of transcripts: pocketsphinx (English), ctc:CHECKPOINT (a Wav2Vec2ForCTC, any"
        " language) or none.",
        show_default="pocketsphinx",
    ),
]
Speakers = Annotated[
    int | None,
    typer.Option(min=1, help="Voices in a recording that names none and has one channel.", show_default="estimated"),
]
KeepText = Annotated[
    bool | None, typer.Option("--keep-text/--no-keep-text", help="Store transcripts.", show_default="keep")
]
Priority = Annotated[int | None, typer.Option(help="Jobs with a higher number go first.", show_default="0")]


def chosen(**typed: str | int | bool | None) -> dict[str, object]:
    """Options that were typed; the others keep the defaults of `JobOptions`."""
    return {name: value for name, value in typed.items() if value is not None}
