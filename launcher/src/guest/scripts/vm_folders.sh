# Makes sure of the folders that workspaces are in: passable for everybody and listed for nobody but root.
# $@ the folders
set -eu
changed=no
for folder in "$@"; do
  if [ -L "$folder" ] || { [ -e "$folder" ] && [ ! -d "$folder" ]; }; then
    echo "$folder is there and is no folder" >&2
    exit 1
  fi
  if [ ! -d "$folder" ]; then
    mkdir -m 0711 "$folder"
    changed=yes
  fi
  if [ "$(stat -c %u:%g:%a "$folder")" != 0:0:711 ]; then
    chown 0:0 "$folder"
    chmod 0711 "$folder"
    changed=yes
  fi
done
echo "changed=$changed"
echo end
