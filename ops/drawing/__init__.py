"""Emotion drawn: a table per conversation, a timeline in the terminal, a picture."""

from ops.drawing.picture import save_picture
from ops.drawing.table import conversation_table
from ops.drawing.timeline import timeline

__all__ = ["conversation_table", "save_picture", "timeline"]
