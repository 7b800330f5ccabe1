"""``python -m cluster`` is ``fleetmind``."""

from __future__ import annotations

import sys

from cluster.cli import main

sys.exit(main())
