"""ministack on a free loopback port.

What it is for: global tables, Aurora's synchronisation and percentiles, which moto lacks; and a log of the calls, like
that of `front.py`.

  GET  /_front/calls  every call so far, oldest first
"""
import asyncio
import json
import os
import re
import socket
import sys
import urllib.parse

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

SCOPE = re.compile(r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
CALLS = []


def operation(scope, headers, body):
    """What a signed request asks for: by header, by form, by path, or by method and path."""
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    named = re.search(r"/operation/([A-Za-z]+)$", scope["path"])
    form = urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0] if body[:7] == b"Action=" else ""
    return target or (named.group(1) if named else "") or form or f"{scope['method']} {scope['path']}"


async def logged(scope, receive, send):
    """ministack's application, with a log of what it was asked and what it answered."""
    if scope["type"] != "http":
        return await app(scope, receive, send)
    if scope["path"] == "/_front/calls":
        told = json.dumps(CALLS).encode()
        length = [(b"content-type", b"application/json"), (b"content-length", str(len(told)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        return await send({"type": "http.response.body", "body": told})
    body, messages = b"", []
    while not messages or messages[-1].get("more_body"):
        messages.append(await receive())
        body += messages[-1].get("body", b"")
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    signed = SCOPE.search(headers.get("authorization", ""))
    key, region, service = signed.groups() if signed else ("", "", "")
    again = iter(messages)

    async def replay():
        return next(again, None) or await receive()

    async def answer(message):
        if message["type"] == "http.response.start":
            CALLS.append({"service": service, "region": region, "operation": operation(scope, headers, body),
                          "status": message["status"], "access_key": key, "body": body.decode("utf-8", "replace")})
        await send(message)

    await app(scope, replay, answer)


config = Config()
config.bind = [f"fd://{listener.detach()}"]
config.keep_alive_timeout = 75
config.loglevel = "ERROR"
serve_until_parent_ends(port, lambda: asyncio.run(serve(logged, config)))
sys.exit(0)
