"""What an agent costs that has nothing to do, and what a poll costs that finds nothing new.

    python -m bench.agent [--polls 10]

A real site, a real `purveyor client run` at a short interval, and a relay between them that counts requests and bytes. Prints the
resident memory of all of the agent's processes at rest, requests, bytes and CPU a poll, and the time of `purveyor --help`. Aims:
under 20 MB, under 0.3 s.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from socket import create_connection, socket
from socketserver import BaseRequestHandler, ThreadingTCPServer

INTERVAL_SECONDS = 3
_TICKS = os.sysconf("SC_CLK_TCK")


class Relay(ThreadingTCPServer):
    """Passes bytes on to the site, and counts them."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target, self.requests, self.up_bytes, self.down_bytes, self.connections = target, 0, 0, 0, 0


class _Passing(BaseRequestHandler):
    def handle(self) -> None:
        relay = self.server
        assert isinstance(relay, Relay)
        relay.connections += 1
        with create_connection(relay.target) as onward:
            back = threading.Thread(target=self._back, args=(relay, onward), daemon=True)
            back.start()
            while content := self.request.recv(65536):
                relay.requests += content.count(b" HTTP/1.1\r\n")
                relay.up_bytes += len(content)
                onward.sendall(content)
            onward.shutdown(1)
            back.join()

    def _back(self, relay: Relay, onward: socket) -> None:
        while content := onward.recv(65536):
            relay.down_bytes += len(content)
            self.request.sendall(content)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polls", type=int, default=10)
    options = parser.parse_args()
    _measure_help()
    with tempfile.TemporaryDirectory(prefix="purveyor-bench-") as scratch:
        _measure_agent(Path(scratch), options.polls)


def _measure_help() -> None:
    times = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run(_command("--help"), stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
    print(f"purveyor --help: median {statistics.median(times):.3f} s, best {min(times):.3f} s of {len(times)}")


def _measure_agent(folder: Path, polls: int) -> None:
    site, state = folder / "site", folder / "client"
    environment = os.environ | {"PURVEYOR_SITE_DIR": str(site)}

    def purveyor(*words: str) -> str:
        ended = subprocess.run(_command(*words), env=environment, capture_output=True, text=True, check=True)
        return ended.stdout.strip()

    purveyor("site", "init", str(site), "--code", "S01")
    with _running(site, environment) as server, Relay(_address(site)) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        purveyor("settings", "set", "poll_interval_seconds", str(INTERVAL_SECONDS))
        code = purveyor("join-code", "create")
        purveyor("client", "join", f"http://127.0.0.1:{relay.server_address[1]}/cap", "--code", code, "--state", str(state))
        for _ in range(3):
            purveyor("client", "run", "--once", "--state", str(state))
            time.sleep(1)
        with subprocess.Popen(_command("client", "run", "--state", str(state)), env=environment) as agent:
            time.sleep(4 * INTERVAL_SECONDS)
            before = (relay.requests, relay.up_bytes, relay.down_bytes, relay.connections, _cpu_seconds(agent.pid))
            time.sleep(polls * INTERVAL_SECONDS)
            after = (relay.requests, relay.up_bytes, relay.down_bytes, relay.connections, _cpu_seconds(agent.pid))
            requests, up, down, connections, cpu = (later - earlier for earlier, later in zip(before, after, strict=True))
            made = requests / 2
            print(f"{made:.0f} polls that found nothing new; each, on average:")
            print(f"  {requests / made:.1f} requests over {connections / made:.1f} connections,")
            print(f"  {up / made:.0f} bytes up, {down / made:.0f} bytes down, {1000 * cpu / made:.0f} ms of CPU on the client")
            resident, proportional, count = _memory(agent.pid)
            print(
                f"idle agent: {count} process(es), {resident / 1000:.1f} MB resident, {proportional / 1000:.1f} MB proportional"
            )
            agent.terminate()
        server.terminate()


def _running(site: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    words = _command("site", "run", str(site), "--listen", "127.0.0.1:0")
    server = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (site / "site.url").exists():
        time.sleep(0.1)
    return server


def _address(site: Path) -> tuple[str, int]:
    host, _, port = (site / "site.url").read_text().strip().removeprefix("http://").partition(":")
    return host, int(port)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _memory(pid: int) -> tuple[int, int, int]:
    """Resident and proportional kilobytes of a process and its children, and how many these are."""
    family = _family(pid)
    fields = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in family]
    return sum(_field(text, "Rss:") for text in fields), sum(_field(text, "Pss:") for text in fields), len(family)


def _field(text: str, name: str) -> int:
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def _cpu_seconds(pid: int) -> float:
    """CPU of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICKS


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "purveyor.cli", *words]


if __name__ == "__main__":
    main()
