"""``python -m cluster`` is ``fleetmind``, once Python looks for libraries only where they are."""

from __future__ import annotations

import sys

from cluster.import_path import leave_working_directory

leave_working_directory()

from cluster.cli import main  # noqa: E402 - it imports more than Python has loaded by itself

sys.exit(main())
