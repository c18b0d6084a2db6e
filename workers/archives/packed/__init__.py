"""Archives that are one zip or tar file: recognised, unpacked once with care, kept while they are used."""

from workers.archives.packed.members import is_packed
from workers.archives.packed.store import Store

__all__ = ["Store", "is_packed"]
