"""Archives that are one zip or tar file: recognised, unpacked once with care, kept while they are used."""

from workers.packed.members import is_packed
from workers.packed.store import Store

__all__ = ["Store", "is_packed"]
