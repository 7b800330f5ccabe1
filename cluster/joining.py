"""How a client gets to a cluster: the resident one, a given Ray cluster, or one for the duration.

Used by `cluster.client` and the commands; the only place that knows in which order the parts of
a client are opened and closed. Attaching to a resident cluster imports neither Ray nor pydantic.
"""

from __future__ import annotations
