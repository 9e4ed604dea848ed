"""Building blocks of the project's servers: a guard, JSON bodies, sessions, limits.

Needs Starlette and uvicorn, which ``import trigger`` does not load.
"""

from trigger.web.guard import ERROR_HANDLERS, SERVER_PROBLEM, Guard, read_json
from trigger.web.serving import Limits, is_loopback, listen, serve_app, url_host
from trigger.web.sessions import Sessions

__all__ = [
    "ERROR_HANDLERS",
    "SERVER_PROBLEM",
    "Guard",
    "Limits",
    "Sessions",
    "is_loopback",
    "listen",
    "read_json",
    "serve_app",
    "url_host",
]
