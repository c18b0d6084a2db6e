"""Back-ups: the database and the models that were trained here, made while everything runs, checked, brought back."""

from ops.backup.making import Backup, make
from ops.backup.restoring import Restored, restore

__all__ = ["Backup", "Restored", "make", "restore"]
