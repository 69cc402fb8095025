#!/usr/bin/env bash
# install.sh build|test: installs what is missing, as root or with sudo.
# Reads apt-packages.txt and, for test, pip-packages.txt beside it. Does
# nothing, and needs no rights and no network, where all is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kind=${1:?build or test}

missing=()
while read -r package who; do
    [[ $who == build || $who == "$kind" ]] || continue
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
        grep -q '^install ok installed$' || missing+=("$package")
done < <(grep -v '^#' "$here/apt-packages.txt")

if ((${#missing[@]} > 0)); then
    echo "installing: ${missing[*]}"
    root=()
    [[ $(id -u) == 0 ]] || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

[[ $kind == test ]] || exit 0
venv=$here/../.venv
[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
wanted=$(grep -v '^#' "$here/pip-packages.txt")
for package in $wanted; do
    "$venv/bin/python" -c "import importlib.metadata as m; m.version('$package')" \
        2>/dev/null || "$venv/bin/python" -m pip install -q "$package"
done
