"""Where archives may lie (`TENOR_ALLOWED_ROOTS`), asked when one is enqueued and again by the worker that reads it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from workers.archives.objects.places import is_object_url
from workers.errors import ArchiveNotAllowed
from workers.settings import Settings


def reach(folder: Path, settings: Settings) -> Callable[[Path], bool]:
    """Whether a file of an archive's folder may be read: where it really lies, in the archive or in an allowed root.

    Without roots every file that workers can read is allowed.
    """
    if settings.roots is None:
        return lambda _: True
    inside = [folder.resolve(), *_folders(settings.roots)]
    return lambda path: any(path.resolve().is_relative_to(place) for place in inside)


def _folders(roots: Sequence[str]) -> list[Path]:
    return [Path(root).expanduser().resolve() for root in roots if not is_object_url(root)]


def require_allowed(url: str, settings: Settings) -> None:
    """Raise `ArchiveNotAllowed` unless a folder, file or `s3://…` is one of the roots or lies in one.

    Links and `..` count as where they lead.
    """
    roots = settings.roots
    if is_object_url(url):
        inside = any(is_object_url(root) and f"{url}/".startswith(f"{root}/") for root in roots or ())
    else:
        place = Path(url).resolve()
        inside = roots is None or any(place.is_relative_to(root) for root in _folders(roots))
    if not inside:
        raise ArchiveNotAllowed(f"{url} is not in a place that archives may be read from")
