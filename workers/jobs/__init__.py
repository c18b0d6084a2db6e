"""Jobs and the versions they pin: made, changed, linked to what is known already."""
