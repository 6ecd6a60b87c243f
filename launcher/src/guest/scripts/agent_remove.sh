# Removes an agent's user and what it has outside of workspaces; what it made in workspaces becomes theirs.
# $1 user  $2 mark of the agent  $3 the call whose making of it must not go on, or empty
# $4 whether its processes are ended, yes|no
# Prints result=removed|gone, ended=COUNT and `end` last. Own statuses: see users.rs.
# shellcheck disable=SC2154 # agent_common.sh stands before it
name=$1 own=$2 call=$3 end=$4
[ -z "$call" ] || : >"$locks/removed-$call"
rm -rf -- "/home/.$name.new"
ended=0
read_user "$name"
if [ -z "$uid" ]; then
  printf 'result=gone\nended=0\nend\n'
  exit 0
fi
[ "$mark" = "agent-workspace $own" ] || exit 82
if [ "$home" != "/home/$name" ]; then
  echo "the home of $name is $home now, and nothing is removed" >&2
  exit 1
fi
if [ "$end" = no ] && [ -n "$(processes_of "$uid")" ]; then
  processes_of "$uid" | wc -l >&2
  exit 85
fi

# First what would start others.
end_starters "$name" "$uid"
end_processes "$uid"

rm -rf --one-file-system -- "$home"
# A number is used again: nobody shall own what this one made.
give_away "$uid" "$gid" "$workspaces"
clear_traces "$name" "$uid"
userdel "$name" >&2
! getent group "$name" >/dev/null || groupdel "$name" >&2
printf 'result=removed\nended=%s\nend\n' "$ended"
