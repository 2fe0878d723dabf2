#!/usr/bin/env python3
"""A worker in another language: Python 3, its standard library, and HTTP.

It registers with the registry and heartbeats, finds the broker there, pulls what changed about
ratings from a queue, writes each change to a file once, and acknowledges it.

    movies fleet                                # in another window
    python3 examples/python-worker/worker.py --key-file movies-data/broker.key --out changes.jsonl

Elsewhere than on the machine of the broker it shows a token instead of the broker's key
(`movies token otto --operator > token`), which somebody has to renew.

Several of them share the work. One that is killed loses nothing: what it had comes to the others
when its leases are over. What it had written already it, or another with the same file, knows by the
message's effect and does not write again.
"""

import argparse
import base64
import fcntl
import http.client
import json
import os
import signal
import sys
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# How long the registry keeps an instance that says nothing, and how often this one speaks.
TTL_MS = 3000
HEARTBEAT_S = 1.0
# How long one call waits for messages.
WAIT_MS = 5_000
# Pauses while the broker is away.
SHORTEST_S, LONGEST_S = 0.2, 5.0


class Refused(Exception):
    """An answer that is none of 2xx: a problem document, or whatever came."""

    def __init__(self, status, problem):
        super().__init__(f"{status}: {problem.get('detail') or problem}")
        self.status, self.reason = status, problem.get("reason")


def call(address, method, path, body=None, token=None, timeout=30.0):
    """One request with JSON both ways."""
    host, port = address.rsplit(":", 1)
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=timeout)
    try:
        connection.request(method, path, json.dumps(body or {}), headers)
        answer = connection.getresponse()
        text = answer.read()
    except http.client.HTTPException as error:
        # It broke off in the middle of its answer.
        raise OSError(f"no answer: {error!r}") from error
    finally:
        connection.close()
    try:
        said = json.loads(text) if text else {}
    except ValueError:
        said = {"detail": text.decode("utf-8", "replace")}
    if answer.status // 100 != 2:
        raise Refused(answer.status, said)
    return said


class Registry:
    """Says that this worker is there, until it leaves, and finds others."""

    def __init__(self, address, name, own_address):
        self.address, self.own_address = address, own_address
        self.path = f"/v1/services/{urllib.parse.quote(name)}/instances/{uuid.uuid4()}"
        self.leaving = threading.Event()
        self.beating = threading.Thread(target=self._beat, daemon=True)
        self.beating.start()

    def _beat(self):
        announcement = {
            "address": self.own_address,
            "version": "1",
            "ttl_ms": TTL_MS,
            "metadata": {"language": "python"},
        }
        while not self.leaving.is_set():
            try:
                call(self.address, "PUT", self.path, announcement, timeout=2.0)
            except (OSError, Refused) as error:
                print(f"not announced: {error}", file=sys.stderr, flush=True)
            self.leaving.wait(HEARTBEAT_S)

    def find(self, service):
        """Where an instance of a service is."""
        found = call(self.address, "GET", f"/v1/services/{service}", timeout=5.0)
        for instance in found["instances"]:
            return instance["address"]
        raise OSError(f"the registry knows no {service}")

    def leave(self):
        self.leaving.set()
        self.beating.join()
        try:
            call(self.address, "DELETE", self.path, timeout=2.0)
        except (OSError, Refused):
            pass  # Its time to live ends.


class Once:
    """A file of lines, each written once, by what they say of themselves.

    Several workers may share it: a lock keeps them apart, and each reads what others wrote.
    """

    def __init__(self, path):
        self.file = open(path, "a+b")
        self.known, self.read_to = set(), 0

    def write(self, lines):
        """Writes those that are new; how many."""
        fcntl.flock(self.file, fcntl.LOCK_EX)
        try:
            self._read()
            new = [line for line in lines if line["effect"] not in self.known]
            text = "".join(json.dumps(line, sort_keys=True) + "\n" for line in new)
            self.file.write(text.encode())
            self.file.flush()
            os.fsync(self.file.fileno())
            self._read()
            return len(new)
        finally:
            fcntl.flock(self.file, fcntl.LOCK_UN)

    def _read(self):
        self.file.seek(self.read_to)
        text = self.file.read()
        whole = text.rfind(b"\n") + 1
        for line in text[:whole].splitlines():
            self.known.add(json.loads(line)["effect"])
        self.read_to += whole
        if whole < len(text):
            # Somebody died in the middle of a line: it was not acknowledged, and comes again.
            self.file.truncate(self.read_to)
        self.file.seek(0, os.SEEK_END)


class Health(BaseHTTPRequestHandler):
    """What the registry's address answers."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        pass


class Worker:
    def __init__(self, options, registry):
        self.options, self.registry = options, registry
        self.name = options.name or f"python-{os.getpid()}"
        self.out = Once(options.out)
        self.broker = None
        self.stopping = threading.Event()

    def ask(self, path, body):
        """A call to the broker, wherever it is by now."""
        if self.broker is None:
            self.broker = self.registry.find("broker")
        token = None
        if self.options.key_file:
            with open(self.options.key_file, "rb") as file:
                body = {**body, "secret": base64.b64encode(file.read()).decode()}
        else:
            # Read each time: tokens are short-lived, and whoever renews this one writes it there.
            with open(self.options.token_file, encoding="utf-8") as file:
                token = file.read().strip()
        try:
            return call(self.broker, "POST", path, body, token)
        except OSError:
            self.broker = None
            raise

    def run(self):
        pause = SHORTEST_S
        while not self.stopping.is_set():
            try:
                self.round()
                pause = SHORTEST_S
            except Refused as refused:
                if refused.status in (400, 401, 403):
                    raise
                self.away(refused, pause)
                pause = min(2 * pause, LONGEST_S)
            except OSError as error:
                self.away(error, pause)
                pause = min(2 * pause, LONGEST_S)

    def away(self, error, pause):
        print(f"waiting: {error}", file=sys.stderr, flush=True)
        self.stopping.wait(pause)

    def round(self):
        queue = f"/v1/queues/{self.options.topic}/groups/{self.options.group}:pull"
        asked = {
            "worker": self.name,
            "max": self.options.batch,
            "waitMs": WAIT_MS,
            "leaseMs": str(self.options.lease_ms),
        }
        messages = self.ask(queue, asked).get("messages", [])
        if not messages:
            return
        if self.stopping.is_set():
            # Not tried: another may have them at once.
            self.ask("/v1/leases:retry", {"leases": [it["lease"] for it in messages]})
            return
        lines, done = [], []
        for message in messages:
            try:
                lines.append({"effect": message["effect"], "change": read(message)})
                done.append(message["lease"])
            except ValueError as error:
                refused = {"leases": [message["lease"]], "reason": f"no change: {error}"}
                self.ask("/v1/leases:reject", refused)
        new = self.out.write(lines)
        over = self.ask("/v1/leases:acknowledge", {"leases": done}).get("over", [])
        print(f"{new} written, {len(lines) - new} known, {len(over)} late", flush=True)


def read(message):
    """The body of a message, as JSON."""
    if "text" in message:
        return json.loads(message["text"])
    body = base64.b64decode(message["record"].get("payload", ""))
    return json.loads(body.decode("utf-8"))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", 1)[0],
        epilog="example: worker.py --key-file movies-data/broker.key --out changes.jsonl",
    )
    parser.add_argument("--registry", default="127.0.0.1:8070", help="host:port (default: %(default)s)")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--key-file", help="the broker's key, in its data folder")
    who.add_argument("--token-file", help="holds a token with the role operator")
    parser.add_argument("--out", required=True, help="the file that changes are written to")
    parser.add_argument("--topic", default="rating-changes", help="(default: %(default)s)")
    parser.add_argument("--group", default="python", help="(default: %(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="messages at a time (default: %(default)s)")
    parser.add_argument("--lease-ms", type=int, default=10_000, help="how long each is this worker's (default: %(default)s)")
    parser.add_argument("--name", help="what it is called at the broker")
    options = parser.parse_args()

    health = ThreadingHTTPServer(("127.0.0.1", 0), Health)
    threading.Thread(target=health.serve_forever, daemon=True).start()
    own_address = "{}:{}".format(*health.server_address)
    registry = Registry(options.registry, "python-worker", own_address)
    worker = Worker(options, registry)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: worker.stopping.set())
    print(f"worker {worker.name} is up at {own_address}", flush=True)
    try:
        worker.run()
    except (Refused, OSError) as error:
        sys.exit(f"worker.py: {error}")
    finally:
        registry.leave()
    print("worker is down", flush=True)


if __name__ == "__main__":
    main()
