"""What the examples share: a folder of their own, free ports, processes, a small web server."""
import datetime
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(sys.argv[0]).resolve().parent


def set_up(folder, files, ports):
    """Copies the example into a folder. There, its ports are free ones and the plan's night is tonight."""
    folder = pathlib.Path(folder).resolve()
    folder.mkdir(parents=True)
    found = {}
    for name in ports:
        found[name] = free_port(found.values())
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = lambda hours: f"{now + datetime.timedelta(hours=hours):%Y-%m-%dT%H:%M}"
    for name in files:
        text = (HERE / name).read_text()
        if not name.endswith(".py") and not text.startswith("#!"):
            for port in ports:
                text = text.replace(str(ports[port]), str(found[port]))
            text = re.sub(r"(?m)^  deploy: .*", f"  deploy: {hour(-1)} / {hour(1)}", text)
            text = re.sub(r"(?m)^  backout_by: .*", f"  backout_by: {hour(3)}", text)
            text = re.sub(r"verified: [0-9-]+", f"verified: {now:%Y-%m-%d}", text)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        shutil.copymode(HERE / name, target)
    shutil.copy(__file__, folder)
    (folder / "ports.json").write_text(json.dumps(found))
    return folder


def begin_in(folder):
    """Goes on in the folder, with the program of the same name there."""
    program = folder / pathlib.Path(sys.argv[0]).name
    sys.exit(subprocess.run([program, "begin"]).returncode)


def ports_of(defaults):
    """The ports of this folder."""
    file = HERE / "ports.json"
    return json.loads(file.read_text()) if file.exists() else defaults


def free_port(taken):
    # Below the range from which the kernel takes ports for connections.
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in taken:
            return port


def until(what, holds, seconds=20):
    """Polls until it holds, and gives up with a message."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"it never came to this: {what}")
        time.sleep(0.02)


def is_open(port):
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pid(name):
    """The process of this folder with this name, if it is alive."""
    try:
        found = int((HERE / f"{name}.pid").read_text())
        # Process numbers are used again; a process of this folder works in it.
        return found if os.readlink(f"/proc/{found}/cwd") == str(HERE) else None
    except (OSError, ValueError):
        return None


def launch(name, argv, port=None):
    """Starts a process that outlives this one; nothing, if it runs already."""
    if not pid(name):
        with open(HERE / f"{name}.log", "ab") as log:
            child = subprocess.Popen(
                argv, cwd=HERE, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        new = HERE / f"{name}.pid.new"
        new.write_text(str(child.pid))
        new.replace(HERE / f"{name}.pid")
    if port:
        until(f"{name} listens", lambda: is_open(port) or not pid(name))
        if not pid(name):
            sys.exit(f"{name} has ended: {(HERE / f'{name}.log').read_text()}")


def stop(name):
    if found := pid(name):
        os.kill(found, signal.SIGTERM)
        until(f"{name} is gone", lambda: not pid(name))


def stop_all():
    for file in HERE.glob("*.pid"):
        stop(file.stem)


def serve(port, answer):
    """A web server: `answer` gives status and JSON for a path."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, value = answer(self.path)
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()


def get(name, path):
    """What a port of this folder answers to everybody."""
    port = ports_of({})[name]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as page:
        print(page.read().decode())


def program(doc, commands):
    """Runs the command on the command line, or says what there is."""
    command = commands.get(sys.argv[1]) if len(sys.argv) > 1 else None
    if not command:
        sys.exit(doc.strip())
    command(*sys.argv[2:])
