"""What all tests share: none of them sees the TENOR_* variables of whoever runs them."""

import os

for name in [name for name in os.environ if name.startswith("TENOR_")]:
    del os.environ[name]
