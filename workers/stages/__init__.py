"""One module per stage; each reads claim → `ml` → commit."""
