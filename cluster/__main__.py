"""``python -m cluster`` is ``fleetmind``, once Python looks for libraries only where they are.

The console script begins here as well.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # built in: no file can take its place

# Until there are handlers of ours, a signal ends this process without a word, and not with the
# traceback of whatever is being imported.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import sys  # noqa: E402

from cluster.import_path import leave_working_directory  # noqa: E402

leave_working_directory()

from cluster.cli import main  # noqa: E402 - it imports more than Python has loaded by itself

if __name__ == "__main__":
    sys.exit(main())
