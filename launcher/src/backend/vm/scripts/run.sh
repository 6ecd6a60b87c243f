# What runs in a workspace: ended, frozen, or let go on.
# $1 its user  $2 end|STOP|CONT  $3 its folder  $4 mark of the call that made it
# Prints changed=yes when there was anything that had to be.
# shellcheck disable=SC2034
user=$1 folder=$3 id=$4
is_its_user "$id" || {
  echo "there is no user $user that was made for this workspace" >&2
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
