"""The packages key on another machine, from outside: real processes, an empty folder that signs, a client that installs."""

import json
import os
import subprocess
import sys
from pathlib import Path

from installation import Installation


def elsewhere(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder that has no site, with an environment that names none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PURVEYOR_")}
    return subprocess.run(
        [sys.executable, "-m", "purveyor.cli", *words], cwd=folder, env=kept, capture_output=True, text=True, check=False
    )


def test_a_package_is_signed_in_an_empty_folder_and_installed_by_a_client(installation: Installation, tmp_path: Path) -> None:
    installation.join("anna")
    vault = tmp_path / "vault"
    vault.mkdir()
    (vault / "passphrase").write_text("correct horse\n")
    key, word = vault / "packages.key", ("--passphrase-file", str(vault / "passphrase"))
    removal = ("site", "keys", "remove", "packages", "--to", str(key), *word, "--site-dir", str(installation.site))
    removed = installation.call(*removal)
    assert (removed.code, "others can read the passphrase" in removed.err) == (0, True), removed
    (vault / "passphrase").chmod(0o600)
    assert key.stat().st_mode & 0o777 == 0o600
    assert "ENCRYPTED" in key.read_text()
    assert list((installation.site / "keys").glob("packages-*")) == []
    rows = {row["role"]: row for row in installation.asked("site", "keys", "list")}
    assert (rows["packages"]["place"], rows["root"]["place"]) == ("not here", "here")

    package = installation.purveyor("package", "add", "--name", "Counter", "--version", "4.2")
    installation.purveyor("program", "add", package, "count", "--shell", "--command", 'echo once >> "$PURVEYOR_STATE-runs"')
    installation.purveyor("advertise", package, "count", "--to", "All Systems", "--assign", "asap", "--yes")
    request = vault / "request.json"
    said = installation.purveyor("site", "keys", "export", "--to", str(request))
    assert f"adds {package} Counter 4.2 (source version 1)" in said
    waits_for = installation.asked("package", "show", package)["waits_for"]
    assert waits_for.startswith("a signature of packages, request 1 exported at")
    assert installation.call("site", "keys", "export", "--to", str(vault / "other.json")).code == 1

    unconfirmed = elsewhere(vault, "site", "keys", "sign", "request.json", "--key", "packages.key", *word)
    assert (unconfirmed.returncode, "nothing was signed" in unconfirmed.stderr) == (1, True)
    assert f"adds {package} Counter 4.2" in unconfirmed.stdout
    made = elsewhere(vault, "site", "keys", "sign", "request.json", "--key", "packages.key", *word, "--yes")
    assert made.returncode == 0, made.stderr
    texts = request.read_text() + (vault / "request.answer").read_text() + made.stdout + made.stderr
    assert "PRIVATE" not in texts

    tampered = json.loads(request.read_text())
    tampered["summary"] = ["nothing at all"]
    (vault / "tampered.json").write_text(json.dumps(tampered))
    refused = elsewhere(vault, "site", "keys", "sign", "tampered.json", "--key", "packages.key", *word, "--yes")
    assert (refused.returncode, "altered" in refused.stderr) == (1, True)

    installation.purveyor("site", "keys", "import", str(vault / "request.answer"))
    runs = Path(f"{installation.state('anna')}-runs")
    installation.until("it has run", lambda: installation.pass_of("anna").code == 0 and runs.exists())
    assert runs.read_text() == "once\n"

    installation.purveyor("site", "keys", "restore", str(key), *word, "--site-dir", str(installation.site))
    [back] = (installation.site / "keys").glob("packages-*")
    assert back.stat().st_mode & 0o777 == 0o600
    installation.kill()
    installation.start()
    installation.purveyor("site", "keys", "rotate", "packages", "timestamp", "snapshot", "lookup", "sealing")
    second = installation.purveyor("package", "add", "--name", "Second")
    installation.purveyor("program", "add", second, "count", "--shell", "--command", 'echo twice >> "$PURVEYOR_STATE-runs"')
    installation.purveyor("advertise", second, "count", "--to", "All Systems", "--assign", "asap", "--yes")
    installation.until("both ran", lambda: installation.pass_of("anna").code == 0 and runs.read_text() == "once\ntwice\n")
