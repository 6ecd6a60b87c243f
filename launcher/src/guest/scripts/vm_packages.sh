# Makes sure of Debian packages. Says whether that changed anything.
# $@ their names
set -eu
missing=
for package in "$@"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
  echo 'changed=no'
  echo end
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
wait=-oDPkg::Lock::Timeout=120
# What a run that was cut off has left half done would refuse everything that follows.
dpkg --configure -a >&2
apt-get -q -y "$wait" update >&2
# shellcheck disable=SC2086 # names of packages have no spaces
apt-get -q -y "$wait" -oDpkg::Options::=--force-confold --no-install-recommends install $missing >&2
echo 'changed=yes'
echo end
