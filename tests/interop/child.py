"""How a server of the tests starts and ends.

What it is for: telling the parent the port, and ending when the parent does, however that came about.
"""
import os
import sys
import threading


def serve_until_parent_ends(port, serve):
    """Prints `listening PORT`, runs `serve`, and ends the process at the end of standard input."""

    def watch():
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
    print(f"listening {port}", flush=True)
    serve()
