"""Files that somebody's archive holds sooner or later, and some that were made to hurt."""
