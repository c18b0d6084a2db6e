"""Labels of an archive's own recordings: which stretches they are about, and which to ask for next."""
