"""Running a profile: extract, speech scores, text scores, fusion."""
