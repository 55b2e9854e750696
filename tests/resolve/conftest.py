"""Makes the helpers beside the tests, and the readers of the measured tables, importable."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "real")]
