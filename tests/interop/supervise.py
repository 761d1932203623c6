"""Runs a command and kills it when standard input ends.

What it is for: a server of ours, started by a test run that may be killed at any moment, must not outlive it.
"""
import subprocess
import sys
import threading


def watch(process):
    sys.stdin.buffer.read()
    process.kill()


child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=watch, args=(child,), daemon=True).start()
sys.exit(child.wait())
