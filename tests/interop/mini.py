"""ministack on a free loopback port.

What it is for: global tables, Aurora's synchronisation and percentiles, which moto lacks.
"""
import asyncio
import os
import socket
import sys

from child import serve_until_parent_ends

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", 0))
port = listener.getsockname()[1]
os.environ |= {
    "BIND_HOST": "127.0.0.1",
    "GATEWAY_PORT": str(port),
    "MINISTACK_ACCOUNT_ID": "123456789012",
    "LOG_LEVEL": "ERROR",
    # Containers would be started for real where a container engine runs: none may be reachable from here.
    "DOCKER_HOST": "unix:///nonexistent/docker.sock",
}

from hypercorn.asyncio import serve  # noqa: E402  (ministack reads its environment when it is imported)
from hypercorn.config import Config  # noqa: E402
from ministack.app import app  # noqa: E402

config = Config()
config.bind = [f"fd://{listener.detach()}"]
config.keep_alive_timeout = 75
config.loglevel = "ERROR"
serve_until_parent_ends(port, lambda: asyncio.run(serve(app, config)))
sys.exit(0)
