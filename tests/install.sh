#!/usr/bin/env bash
# install.sh build|test|torch|browser|rust: installs what is missing, as root or with
# sudo; build and test are in all kinds behind them. Reads apt-packages.txt and, from test on,
# pip-packages.txt beside it. Does nothing, and needs no rights and no network,
# where all is there. torch is 3 GB to download and 5.4 GB on disk: its wheel
# does not import without the CUDA libraries that it brings.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kind=${1:?build, test, torch, browser or rust}
case $kind in
build) kinds="build" ;;
test) kinds="build test" ;;
torch | browser | rust) kinds="build test $kind" ;;
*)
    echo "usage: tests/install.sh build|test|torch|browser|rust" >&2
    exit 2
    ;;
esac

# The packages of a list that one of the kinds needs.
wanted() {
    local package who
    while read -r package who; do
        if [[ -z $who ]]; then
            echo "$1: say what needs $package" >&2
            return 1
        fi
        if [[ " $kinds " == *" $who "* ]]; then echo "$package"; fi
    done < <(grep -v '^#' "$1")
}
apt=$(wanted "$here/apt-packages.txt")
pip=$(wanted "$here/pip-packages.txt")

missing=()
for package in $apt; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
        grep -q '^install ok installed$' || missing+=("$package")
done

if ((${#missing[@]} > 0)); then
    echo "installing: ${missing[*]}"
    root=()
    [[ $(id -u) == 0 ]] || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

[[ $kind != build ]] || exit 0
venv=$here/../.venv
[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
for package in $pip; do
    "$venv/bin/python" -c "import importlib.metadata as m; m.version('$package')" \
        2>/dev/null || "$venv/bin/python" -m pip install -q "$package"
done
if [[ $kind == torch ]] && ! "$venv/bin/python" -c "import torch"; then
    echo "torch is installed and does not import: remove .venv and try again" >&2
    exit 1
fi
