# What runs in a workspace: ended, frozen, or let go on.
# $1 its user  $2 end|STOP|CONT
# Prints changed=yes when there was anything that had to be.
# shellcheck disable=SC2034
user=$1 folder=
is_our_user || {
  echo "there is no user $user that was made for a workspace" >&2
  exit 1
}
before=$(processes)
case $2 in
  end) end_all ;;
  *) signal "$2" ;;
esac
case $2:$before in
  *:) ;;
  CONT:*T* | end:* | STOP:*) printf 'changed=yes\n' ;;
esac
printf 'end\n'
