# Makes sure of an agent's user: a group and a home of its own, no password. What is in the home stays as it is.
# $1 user  $2 mark of the agent  $3 login shell, a name or a path  $4 mark of this call
# Prints changed=yes|no, shell=PATH, home=PATH and `end` last. Own statuses: see users.rs.
# shellcheck disable=SC2154 # agent_common.sh stands before it
name=$1 own=$2 wanted=$3 call=$4
changed=no

case $wanted in
  /*) login=$wanted ;;
  *) login=$(grep -m 1 -x -- "/.*/$wanted" /etc/shells || true) ;;
esac
if [ -z "$login" ] || [ ! -x "$login" ] || ! grep -Fqx -- "$login" /etc/shells; then
  grep '^/' /etc/shells | tr '\n' ' ' >&2
  exit 81
fi

# Who was to remove it may have been faster.
[ ! -e "$locks/removed-$call" ] || exit 83

read_user "$name"
if [ -z "$uid" ]; then
  home=/home/$name
  if [ -e "$home" ] || [ -L "$home" ] || getent group "$name" >/dev/null; then
    echo "there is a folder $home or a group $name" >&2
    exit 82
  fi
  useradd -M -U -d "$home" -s "$login" -c "agent-workspace $own" -- "$name" >&2
  read_user "$name"
  changed=yes
elif [ "$mark" != "agent-workspace $own" ]; then
  echo "there is a user $name" >&2
  exit 82
fi

# Whole or not at all, so that one that is there never lacks a file of the skeleton.
if [ ! -d "$home" ]; then
  new=${home%/*}/.$name.new
  rm -rf -- "$new"
  mkdir -m 0700 -- "$new"
  [ ! -d /etc/skel ] || cp -RP --preserve=mode,timestamps /etc/skel/. "$new/"
  chmod 0700 "$new"
  chown -hR "$uid:$gid" "$new"
  mv -T -- "$new" "$home"
  changed=yes
fi
if [ "$(stat -c %u:%a -- "$home")" != "$uid:700" ]; then
  chown -h "$uid:$gid" "$home"
  chmod 0700 "$home"
  changed=yes
fi
if [ "$shell" != "$login" ]; then
  usermod -s "$login" "$name" >&2
  changed=yes
fi
case $(getent shadow "$name" | cut -d : -f 2) in
  '!'* | '*'*) ;;
  *)
    usermod -L "$name" >&2
    changed=yes
    ;;
esac
printf 'changed=%s\nshell=%s\nhome=%s\nend\n' "$changed" "$login" "$home"
