# Makes sure of Debian packages, without taking any away or replacing a configuration. Says whether that changed anything.
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
install() {
  # shellcheck disable=SC2086 # names of packages have no spaces
  apt-get -q -y "$wait" -oDpkg::Options::=--force-confold --no-remove --no-install-recommends install $missing >&2
}
# One repository of many that does not answer does not have to be the one that is needed.
apt-get -q -y "$wait" update >&2 || echo 'not every list of packages could be renewed' >&2
# What a run that was cut off has left half done refuses everything that follows.
install || { dpkg --force-confold --configure -a >&2 && install; }
echo 'changed=yes'
echo end
