"""What source A's speech model is trained on beside waveforms: mel spectrogram, phones per frame, speaker's vector."""
