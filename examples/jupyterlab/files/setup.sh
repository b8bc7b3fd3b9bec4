#!/bin/sh
# Once per workspace: the packages stay on its volume.
set -eu
mkdir -p /home/jovyan/work
if [ ! -e /home/jovyan/.initialized ]; then
  pip install --user --no-cache-dir -r /config/requirements.txt
  touch /home/jovyan/.initialized
fi
