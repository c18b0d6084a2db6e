"""Plain trainers. They need only torch, transformers, numpy, safetensors and soundfile, so they run anywhere."""
