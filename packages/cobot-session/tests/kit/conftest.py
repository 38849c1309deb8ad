"""The broken channels lie beside the tests, and the kit's own processes import them, too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
