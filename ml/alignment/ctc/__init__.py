"""Alignment with any `Wav2Vec2ForCTC` checkpoint: many pieces at once, any alphabet that the checkpoint spells.

`checkpoint` checks the files, `vocabulary` and `spelling` turn words into what the checkpoint writes,
`emissions` runs it, `viterbi` finds the best paths, `placing` reads times off them, `aligner` joins these.
"""
