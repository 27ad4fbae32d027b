"""`purveyor client check` over real agents: what monitoring sees of one that is well, whose site is gone, that has ended."""

import json
import signal

from installation import Ended, Installation


def test_monitoring_sees_an_agent_that_is_well_alone_and_ended(installation: Installation) -> None:
    installation.join("anna")
    installation.run_agent("anna")

    def check(*words: str) -> Ended:
        return installation.call("client", "check", "--state", str(installation.state("anna")), *words)

    installation.until("all is well", lambda: check().code == 0)
    well = check()
    lines = well.out.splitlines()
    assert lines[0].startswith("OK: client ")
    assert " | free=" in lines[0]
    assert all(line.startswith("OK ") for line in lines[1:] if not line[0].isdigit())
    assert [line.split()[1] for line in lines if line[0].isdigit()] == ["CAP", "DP"], "the points, in order"
    assert f"process {installation.agents['anna'].pid}" in well.out

    installation.kill()
    alone = check("--json")
    seen = json.loads(alone.out)
    assert (alone.code, seen["grade"]) == (2, "critical")
    assert [one["subject"] for one in seen["findings"] if one["grade"] == "critical"] == ["access point"]

    installation.start()
    agent = installation.agents["anna"]
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    ended = check()
    assert ended.code == 1, ended.out
    assert ended.out.startswith("WARNING: agent: it does not run now")
    assert installation.call("client", "check", "--state", str(installation.folder / "nowhere")).code == 3

    (client,) = installation.asked("resource", "list")
    installation.purveyor("resource", "block", client["id"], "--reason", "stolen")

    def blocked() -> Ended:
        return installation.call("client", "run", "--once", "--state", str(installation.state("anna")))

    installation.until("it is told that it is blocked", lambda: blocked().code == 1)
    assert "has blocked this client: stolen" in blocked().err
    assert check().out.startswith("CRITICAL: ")
