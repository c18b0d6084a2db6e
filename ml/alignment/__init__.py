"""From a recording and its transcript to speakers, utterances, words and phones with times."""
