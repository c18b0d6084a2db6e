"""`tenor align`: what can be typed."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.options import Aligner, ChannelsOption, Json, Language, Speakers, chosen

commands = typer.Typer()


@commands.command()
def align(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One recording.")],
    transcript: Annotated[
        Path | None, typer.Option(help="What is said in it.", show_default="found beside the recording")
    ] = None,
    language: Language = None,
    channels: ChannelsOption = None,
    aligner: Aligner = None,
    speakers: Speakers = None,
    transcriber: Annotated[
        str | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Whisper or wav2vec 2.0 CTC folder or Hub id, for a recording without a transcript.",
            show_default="none",
        ),
    ] = None,
    textgrid: Annotated[bool, typer.Option("--textgrid", help="Print a Praat TextGrid and nothing else.")] = False,
    ctm: Annotated[bool, typer.Option("--ctm", help="Print CTM (words) and nothing else.")] = False,
    srt: Annotated[bool, typer.Option("--srt", help="Print SRT subtitles and nothing else.")] = False,
    rttm: Annotated[bool, typer.Option("--rttm", help="Print RTTM (speakers) and nothing else.")] = False,
    json: Json = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Draw it over waveform and spectrogram.", show_default=False)
    ] = None,
    start: Annotated[
        float, typer.Option("--from", min=0.0, metavar="SECONDS", help="Where tables and picture begin.")
    ] = 0.0,
    end: Annotated[
        float | None,
        typer.Option("--to", metavar="SECONDS", help="Where tables and picture end.", show_default="the end"),
    ] = None,
) -> None:
    """Align one recording here and now, without services, and show its speakers, utterances and words."""
    formats = {"--textgrid": textgrid, "--ctm": ctm, "--srt": srt, "--rttm": rttm, "--json": json}
    forms = [name for name, wanted in formats.items() if wanted]
    if len(forms) > 1:
        raise typer.BadParameter(f"{forms[0]} and {forms[1]} cannot both be printed; choose one")
    if end is not None and end <= start:
        raise typer.BadParameter("--to has to be later than --from")
    from ops.cli.session import session

    with session(json) as current:
        from ops.cli.alignment import align as run

        options = chosen(
            channels=channels, language=language, aligner=aligner, speakers=speakers, transcriber=transcriber
        )
        run(current, file, transcript, options, form=forms[0] if forms else None, plot=plot, window=(start, end))
