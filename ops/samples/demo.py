"""`make demo`: the main job on the bundled sample archive, from nothing to answers."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule

from ops.access import look
from ops.analyze import analyze
from ops.cli.failures import explain
from ops.drawing import conversation_table, save_picture, timeline
from ops.drawing.cache import keep_fonts_in
from ops.query import run_sql
from ops.samples import ARCHIVE
from workers.settings import load_settings

#: The call whose timeline is drawn: its mood turns.
FEATURED = "lost-parcel.ogg"
PICTURE = "tenor-demo.png"
QUESTION = (
    "select recording, speaker, start_s, label, text from utterance_emotions"
    " where profile = 'mini' and recording = '{recording}' order by start_s limit 6"
)


def rows(url: str, query: str) -> list[dict[str, Any]]:
    """All rows of a query as dictionaries."""
    with run_sql(url, query) as result:
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def picture_path() -> Path:
    """Where the picture goes: here, or under TENOR_HOME when this folder cannot be written."""
    here = Path.cwd()
    return (here if os.access(here, os.W_OK) else load_settings().home) / PICTURE


def demo(console: Console) -> int:
    """Analyse, show, draw; exit status 0 when everything but the planted corrupt file was analysed."""
    settings = load_settings()
    result = analyze(ARCHIVE, settings, "mini", console)
    url = look(settings).analyst_url
    where = f"profile = 'mini' and archive = '{str(ARCHIVE).replace(chr(39), chr(39) * 2)}'"
    console.print(Rule("Conversations"))
    console.print(
        conversation_table(rows(url, f"select * from conversation_emotions where {where} order by recording"))
    )
    console.print(Rule(f"Emotion over time: {FEATURED}"))
    bins = rows(url, f"select * from emotion_timeline where {where} and recording = '{FEATURED}' order by bin_start_s")
    console.print(timeline(bins, min(console.width, 100)))
    keep_fonts_in(settings.home)
    picture = picture_path()
    save_picture(bins, f"{FEATURED}: who felt what, when", picture)
    console.print(Rule("The same in SQL"))
    question = QUESTION.format(recording=FEATURED)
    console.print(f'tenor sql "{question}"', style="bold", markup=False, soft_wrap=True)
    for row in rows(url, question):
        console.print(
            f"  {row['start_s']:6.2f}  {row['speaker']:14} {row['label']:9} {row['text'] or ''}", markup=False
        )
    again = f"; {result.reused} were analysed before and used again" if result.reused else ""
    console.print(
        f"\n{result.done} of {result.files} recordings analysed{again}. "
        f"{result.failed} could not be: `tenor errors {result.job_id}` says why (one is corrupt on purpose).",
        highlight=False,
    )
    console.print(f"Picture: {picture}", soft_wrap=True, highlight=False)
    if result.flower_url and result.embedded:
        console.print(
            f"Flower:  {result.flower_url}  (user {result.flower_user}, password {result.flower_password})",
            soft_wrap=True,
            highlight=False,
        )
    tenor = "tenor" if shutil.which("tenor") else ".venv/bin/tenor"
    console.print(f"Next:    {tenor} analyze YOUR-FOLDER    (everything stays up until {tenor} down)", highlight=False)
    return 0 if result.failed == 1 else 1


def main() -> None:
    """Run the demo; errors are sentences."""
    console = Console()
    try:
        sys.exit(demo(console))
    except KeyboardInterrupt:
        console.print("Stopped; `make demo` continues where it was.")
        sys.exit(130)
    except Exception as exc:
        console.print(f"Error: {explain(exc)}", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
