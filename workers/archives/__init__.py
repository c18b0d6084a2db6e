"""What lies in an archive, wherever that is: walked, listed, paired with transcripts, fetched."""
