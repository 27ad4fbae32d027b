"""The configuration with which plain nginx serves a site's CAP and DP: the same doors as the built-in servers have. Pure text.

What nginx cannot do by itself is said in the text's own comments: it counts no items in a box (the site marks a box full, and
nginx heeds the mark), and between its look at a name and its rename another upload of that very name could come in: only
somebody who knows the sender's 128 random bits can do that, to an item that its sender keeps until the site has signed for it.
"""

import re
from dataclasses import dataclass

from purveyor.client_access_point.limits import Limits
from purveyor.transport.folder.shelf import FULL, UP_MODE
from purveyor.wire.boxes import CACHE_CHANGING, CACHE_LASTING, DOWN_BOXES, UP_BOXES, Box
from purveyor.wire.errors import RefusedError

ARRIVING = ".nginx"
"""Where nginx writes uploads before it renames them: inside the CAP, so that the rename never crosses file systems."""

_SAFE_FOLDER = re.compile(r"/[A-Za-z0-9_./ @%+,:=-]*")
_SAFE_LISTEN = re.compile(r"[A-Za-z0-9_.:\[\]*-]+(?: (?:ssl|default_server|http2|reuseport))*")
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.*-]+")
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,150}"
_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the configuration is made from. `dp_folder` may be empty where nginx is to serve no content."""

    cap_folder: str
    dp_folder: str
    listen: str = "80"
    server_name: str = "_"
    nginx_user: str = "www-data"
    site_user: str = "another user"
    connections_per_address: int = 500
    limits: Limits = _LIMITS


def nginx_configuration(plan: Plan) -> str:
    """A file for nginx's `conf.d` or `sites-enabled`, that is, for its `http` section.

    Errors: RefusedError when a folder or name holds a sign that nginx would take for its own.
    """
    _check(plan)
    locations = [*_poll_locations(plan), _down_location(plan)]
    locations += [_up_location(plan, box) for box in UP_BOXES]
    if plan.dp_folder:
        locations.append(_content_location(plan))
    return "\n".join([_preparation(plan), _zones(plan), "server {", _server(plan), *locations, "}", ""])


def _check(plan: Plan) -> None:
    for folder in (plan.cap_folder, plan.dp_folder):
        if folder and (not _SAFE_FOLDER.fullmatch(folder) or ".." in folder.split("/")):
            raise RefusedError(
                f"nginx cannot serve {folder!r}: an absolute path without quotes, $, braces or semicolons is needed"
            )
    if not _SAFE_LISTEN.fullmatch(plan.listen):
        raise RefusedError(f"{plan.listen!r} is no address for nginx to listen on")
    for name in (plan.server_name, plan.nginx_user):
        if not _SAFE_NAME.fullmatch(name):
            raise RefusedError(f"{name!r} is no name that nginx can be given")


def _preparation(plan: Plan) -> str:
    boxes = " ".join(box.name for box in UP_BOXES)
    return f"""\
# Purveyor's CAP and DP behind plain nginx. Debian: `apt install nginx-light` (or any other nginx package) is enough: the module
# for uploads, http_dav_module, is built in, and no further one is needed. `nginx -V 2>&1 | grep -o http_dav_module` says whether
# another build has it.
#
# nginx runs as {plan.nginx_user}, the site as {plan.site_user} who owns these folders. Once, as root:
#   cd '{plan.cap_folder}'
#   install -d -o {plan.nginx_user} -g {plan.nginx_user} -m 0700 {ARRIVING}
#   chgrp {plan.nginx_user} {boxes}
#   chmod {UP_MODE:o} {boxes}
# The site owns these boxes and so lists, reads and removes; nginx, in their group, drops items into them and can do no more.
# Every folder above must let nginx pass (chmod o+x FOLDER), and the site write with umask 022, which systemd gives it.
# Keys, tokens and the database stay unreadable for it: leave them so.
#
# Space: an item has its box's size limit, an address its rate, and the site marks a box full (a file {FULL} in it).
# To bound what strangers can ever fill, put the CAP on a file system of its own or give
# {plan.nginx_user} a quota there, such as: setquota -u {plan.nginx_user} 8G 10G 900000 1000000 MOUNT
"""


def _zones(plan: Plan) -> str:
    return f"""\
limit_req_zone $binary_remote_addr zone=purveyor_puts:10m rate={max(1, round(plan.limits.puts_per_second))}r/s;
limit_conn_zone $binary_remote_addr zone=purveyor_connections:10m;
map $sent_http_content_length $purveyor_content {{  # an empty manifest says that content is yet to come: nobody keeps that
    default "{CACHE_LASTING}";
    0 "{CACHE_CHANGING}";
}}
"""


def _server(plan: Plan) -> str:
    return f"""\
    listen {plan.listen};
    server_name {plan.server_name};
    # `access_log off;` here saves a fifth of a poll's cost.
    # For TLS: listen 443 ssl; ssl_certificate …; ssl_certificate_key …; (an ECDSA P-256 key costs least)

    server_tokens off;
    autoindex off;
    gzip off;                       # everything is signed or compressed already, and entity tags stay strong
    etag on;
    sendfile on;
    tcp_nopush on;
    types {{ }}
    default_type application/octet-stream;

    keepalive_timeout 75s;
    keepalive_requests 10000;
    client_header_timeout 15s;
    client_body_timeout 30s;
    send_timeout 60s;
    lingering_time 5s;
    reset_timedout_connection on;
    large_client_header_buffers 4 8k;
    client_max_body_size 1;
    client_body_temp_path "{plan.cap_folder}/{ARRIVING}";
    limit_conn purveyor_connections {plan.connections_per_address};
    limit_conn_status 429;
    limit_req_status 429;

    error_page 429 = @slower;
    error_page 507 = @full;
    location @slower {{ add_header Retry-After 1 always; return 429; }}
    location @full {{ add_header Retry-After {plan.limits.retry_after_seconds} always; return 507; }}
    location / {{ return 404; }}
"""


def _poll_locations(plan: Plan) -> list[str]:
    """The three names that change, found first: they are nearly all that is ever asked for.

    Here nginx does not look for links on the way, which would double a poll's cost: only the site can lay one into a down box.
    """
    exact = [
        f"""\
    location = /cap/clidata.box/{name} {{
        alias "{plan.cap_folder}/clidata.box/{name}";
        {_shown(CACHE_CHANGING)}
    }}
"""
        for name in ("timestamp.json", "root.json")
    ]
    shards = f"""\
    location ~ "^/cap/(?<shard>offerinf\\.box/(?:{_NAME}/){{1,2}}{_NAME}\\.lkp)\\z" {{
        alias "{plan.cap_folder}/$shard";
        {_shown(CACHE_CHANGING)}
    }}
"""
    return [*exact, shards]


def _down_location(plan: Plan) -> str:
    boxes = "|".join(re.escape(box.name) for box in DOWN_BOXES)
    return f"""\
    location ~ "^/cap/(?<file>(?:{boxes})(?:/{_NAME}){{1,3}})\\z" {{
        if (-d "{plan.cap_folder}/$file") {{ return 404; }}  # a folder is not shown to be there
        alias "{plan.cap_folder}/$file";
        disable_symlinks on "from={plan.cap_folder}";
        {_shown(CACHE_LASTING)}
    }}
"""


def _content_location(plan: Plan) -> str:
    return f"""\
    location ~ "^/dp/(?<content>files/(?<two>[0-9a-f]{{2}})/\\k<two>[0-9a-f]{{62}}|manifests/[0-9a-f]{{64}})\\z" {{
        alias "{plan.dp_folder}/$content";
        max_ranges 1;
        disable_symlinks on "from={plan.dp_folder}";
        {_shown("$purveyor_content")}
    }}
"""


def _shown(cache_control: str) -> str:
    return f"""add_header Cache-Control "{cache_control}";
        add_header X-Content-Type-Options nosniff;"""


def _up_location(plan: Plan, box: Box) -> str:
    place = f"{plan.cap_folder}/{box.name}"
    return f"""\
    location ~ "^/cap/{re.escape(box.name)}/(?<item>[0-9a-f]{{32}})\\z" {{
        if ($request_method != PUT) {{ return 405; }}
        if (!-d "{place}") {{ return 503; }}
        if (-e "{place}/{FULL}") {{ return 507; }}
        if (-e "{place}/$item") {{ return 409; }}
        alias "{place}/$item";
        dav_methods PUT;
        create_full_put_path off;
        dav_access user:rw group:r all:r;
        client_max_body_size {box.item_limit_bytes};
        limit_req zone=purveyor_puts burst={plan.limits.put_burst} nodelay;
    }}
"""
