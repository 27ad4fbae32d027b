"""`purveyor cap …`."""

import pwd
from pathlib import Path

from purveyor.cli.call import Call
from purveyor.client_access_point import samba
from purveyor.client_access_point.nginx import Plan, nginx_configuration
from purveyor.transport.s3.address import s3_address
from purveyor.transport.s3.policy import bucket_policy
from purveyor.wire.errors import RefusedError, UnavailableError


def nginx_config(call: Call) -> int:
    """Prints nginx's configuration for a site's folder."""
    options = call.arguments
    folder = Path(options.dir).resolve()
    cap, dp = _only(folder, "CAP_*"), _only(folder, "DP_*")
    host, port = options.listen
    text = nginx_configuration(
        Plan(cap_folder=str(cap), dp_folder=str(dp), listen=_listen(host, port), server_name=options.server_name)
    )
    return _give(call, text)


def smb_config(call: Call) -> int:
    """Prints Samba's share definitions for a site's folder."""
    options = call.arguments
    folder = Path(options.dir).resolve()
    cap, dp = _only(folder, "CAP_*"), _only(folder, "DP_*")
    plan = samba.Plan(cap_folder=str(cap), dp_folder=str(dp), site_user=_owner(cap), account=options.account or samba.CLIENTS)
    return _give(call, samba.samba_configuration(plan))


def s3_policy(call: Call) -> int:
    """Prints the bucket policy for a prefix."""
    options = call.arguments
    address = s3_address(options.place)
    return _give(call, bucket_policy(address.bucket, address.prefix, tells_absent=options.tell_absent))


def _give(call: Call, text: str) -> int:
    call.output.give_result({"configuration": text}, text.rstrip("\n"))
    return 0


def _owner(folder: Path) -> str:
    """The name of the account that owns a folder."""
    try:
        return pwd.getpwuid(folder.stat().st_uid).pw_name
    except (OSError, KeyError) as error:
        raise UnavailableError(f"it cannot be told which account owns {folder}") from error


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise RefusedError(f"{folder} holds no site: a folder {pattern.replace('*', 'S01')} or the like is expected in it")
    return found[0]


def _listen(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
