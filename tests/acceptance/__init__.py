"""Real workers as processes, the real command, real models, on recordings made by this project."""
