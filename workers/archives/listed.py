"""What a walk does not come by: lines that nobody can follow, recordings that are not there, folders
that cannot be read.
"""

from collections.abc import Callable, Collection, Iterator, Sequence

from sqlalchemy import Connection, text

from workers.archives.files import Found, is_audio, storable_path
from workers.archives.listing import Listing
from workers.archives.manifest import Problem
from workers.errors import FolderUnreadable, RecordingAbsent


def write_problems(conn: Connection, job_id: int, problems: Sequence[Problem]) -> None:
    """Keep problems with a job, each once, however often its walk is begun again."""
    if problems:
        conn.execute(
            text("""
                INSERT INTO manifest_problems (job_id, file, line, code, error)
                VALUES (:job, :file, :line, :code, :error)
                ON CONFLICT DO NOTHING
            """),
            [
                {
                    "job": job_id,
                    "file": storable_path(problem.file),
                    "line": problem.number,
                    "code": problem.code,
                    "error": f"{_place(problem)}: {problem.sentence}.",
                }
                for problem in problems
            ],
        )


def _place(problem: Problem) -> str:
    if not problem.file:
        return f"Line {problem.number} of the manifest"
    return f"{storable_path(problem.file)}, line {problem.number}" if problem.number else storable_path(problem.file)


def unread(closed: Collection[str]) -> Iterator[Found]:
    """Folders that cannot be read, as files with an error: what they hold is missing from the results."""
    for folder in sorted(closed):
        yield Found(storable_path(folder), 0, 0, error=FolderUnreadable("the folder cannot be read"))


def absent(listing: Listing, absence: Callable[[str], str | None]) -> Iterator[Found | Problem]:
    """What is listed and a walk does not come by; `absence` says why it does not, None when it does.

    A recording becomes a file with an error. A path without a recording's ending may be anything that slipped into its
    column, and becomes a problem that does not repeat it.
    """
    for number, path in listing.paths():
        if not is_audio(path):
            yield Problem(
                number, "manifest_path", "its path has not the ending of a recording; the line is left out", path
            )
        elif (why := absence(path)) is not None:
            error = RecordingAbsent(f"line {number} of the manifest lists it, but {why}")
            yield Found(storable_path(path), 0, 0, error=error)
