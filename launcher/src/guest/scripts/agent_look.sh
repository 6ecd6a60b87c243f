# How an agent's user is on the machine. Changes nothing.
# $1 user  $2 mark of the agent
# Prints there=yes|no, home=yes|no, running=COUNT of its processes, and `end` last. Own statuses: see users.rs.
# shellcheck disable=SC2154 # agent_common.sh stands before it
read_user "$1"
if [ -z "$uid" ]; then
  printf 'there=no\nhome=no\nrunning=0\nend\n'
  exit 0
fi
[ "$mark" = "agent-workspace $2" ] || exit 82
if [ -d "$home" ]; then echo home=yes; else echo home=no; fi
printf 'there=yes\nrunning=%s\nend\n' "$(processes_of "$uid" | wc -l)"
