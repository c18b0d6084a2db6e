"""`tenor report`: one recording as a page of its own that needs no network and no Tenor to be read."""
