"""The flags of ``fleetmind serve``, and what its ``--help`` says.

Used by `cluster.cli.options`.
"""

from __future__ import annotations

import argparse

SERVE = """\
Answer over HTTP, on Ray Serve: OpenAI's API at /v1 (chat completions, responses, models), so that
any client of it talks to the team as it talks to a model, and tasks at /v1/tasks, which can be left
and rejoined from anywhere.

Serves the resident cluster that `fleetmind up` started, so that tasks and what was learned outlive
it; without one it starts a cluster for as long as it runs. The URL goes to stdout, progress to
stderr. Ctrl-C or SIGTERM takes no request any more, lets those under way end (serve.drain_s, 600 s)
and then stops; a second Ctrl-C cuts them.
"""
SERVE_EPILOG = """\
examples:
  fleetmind serve
  fleetmind serve --port 8080 --replicas 4
  fleetmind tokens add alice
  fleetmind serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
  curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"model": "fleetmind", "messages": [{"role": "user", "content": "..."}]}'

On this machine alone nobody needs a token, until the first one is made; beyond it the ingress
listens only once there is one: see `fleetmind tokens --help`. More can be set in [serve] of
fleet.toml: origins of browsers, sizes, streams at a time, how long it drains.

In a Ray cluster of your own: --address HOST:PORT places the agents there and serves from its head,
where this command has to run; or deploy to Ray Serve yourself, with
`serve run cluster.placement.serve:application` or a config file that names it.

exit status: 1 failed, 2 wrong usage (also a port in use), 130 after Ctrl-C, 143 after SIGTERM
"""


def add_serve_flags(parser: argparse.ArgumentParser) -> None:
    """Add those that only this command has."""
    add = parser.add_argument
    add(
        "--host",
        metavar="HOST",
        dest="serve_host",
        help="address to listen on (default: 127.0.0.1)",
    )
    add("--port", metavar="PORT", type=int, help="port to listen on (default: 8000)")
    add("--replicas", metavar="N", type=int, help="processes that answer (default: 2)")
    add("--tls-cert", metavar="FILE", help="certificate chain (PEM), to speak HTTPS")
    add("--tls-key", metavar="FILE", help="its key (PEM)")
    add(
        "--address",
        metavar="RAY",
        help="the Ray cluster to join (default: the resident one, else one for as long as it runs)",
    )
