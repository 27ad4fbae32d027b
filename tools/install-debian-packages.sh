#!/bin/bash
# Installs what tests and benchmarks need from Debian, when it is not there yet: real servers, not stand-ins.
# Usage: tools/install-debian-packages.sh COMMAND=PACKAGE ...   (a package is installed when its command is not found)
set -euo pipefail

missing=()
for pair in "$@"; do
  command="${pair%%=*}"
  [ -x "$command" ] || command -v "$command" >/dev/null 2>&1 || missing+=("${pair#*=}")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "These are needed and not there: ${missing[*]}. Install them by the means of this system, then try again." >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    echo "These Debian packages are needed: ${missing[*]}" >&2
    echo "Install them as root, then try again:  apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo -n)
fi

# Servers that an installation would start: tests start their own, so nothing is to run by itself.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  made_policy=yes
fi
finish() { if [ "$made_policy" = yes ]; then "${as_root[@]}" rm -f "$policy"; fi; }
trap finish EXIT

export DEBIAN_FRONTEND=noninteractive
install() { "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null; }
"${as_root[@]}" apt-get update -q </dev/null
install || { sleep 5; "${as_root[@]}" apt-get update -q </dev/null; install; }
