"""Source A: Makiuchi, Uto, Shinoda (ASRU 2021), cross-representation speech and text emotion recognition."""
