#!/bin/sh
# Make a virtual environment: tools/venv.sh PYTHON FOLDER
# Debian's and Ubuntu's python3 comes without the venv module's installer; as root, fetch it.
set -eu
python=$1 folder=$2

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || {
    echo "error: openmix needs Python 3.11 to 3.13; try make PYTHON=python3.12" >&2
    exit 2
}
[ -x "$folder/bin/pip" ] && exit 0
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null
    else
        echo "error: this Python has no venv; run: sudo apt-get install python3-venv" >&2
        exit 2
    fi
fi
"$python" -m venv "$folder"
