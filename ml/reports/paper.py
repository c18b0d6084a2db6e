"""What source A's paper reports, for orientation. None of these figures was measured here."""

#: Makiuchi, Uto, Shinoda (ASRU 2021): (model, per cent), IEMOCAP with four classes, leave one session out.
MAKIUCHI_2021 = (
    ("speech, Small", 70.1),
    ("speech, Small over the mel spectrogram", 50.4),
    ("text, CNN over bert-large-uncased", 66.1),
    ("speech + text, w1 = 0.6, w2 = 1.0", 73.0),
)
WHOSE = (
    "Theirs, not ours: Makiuchi, Uto and Shinoda (ASRU 2021) on IEMOCAP with four classes, leaving one session out, "
    "weights chosen on the test folds. The paper calls these figures UA; whether that is balanced accuracy or accuracy "
    "cannot be told from what is public. Figures on other corpora cannot be compared with them."
)
