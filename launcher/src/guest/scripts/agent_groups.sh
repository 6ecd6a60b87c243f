# Makes an agent's user a member of these groups of workspaces and of no others.
# $1 user  $2 mark of the agent  $3 whether what runs in groups that were left is ended, yes|no  then the groups
# Prints added=GROUP, removed=GROUP and missing=GROUP, then running=COUNT of processes that still have what was left,
# ended=COUNT, and `end` last. Own statuses: see users.rs.
# shellcheck disable=SC2154 # agent_common.sh stands before it
name=$1 own=$2 end=$3
shift 3
read_user "$name"
[ -n "$uid" ] || exit 84
[ "$mark" = "agent-workspace $own" ] || exit 82

# shellcheck disable=SC2016 # awk's
have=$(awk -F : -v user="$name" '$1 ~ /^ws--/ {
  count = split($4, members, ",")
  for (i = 1; i <= count; i++) if (members[i] == user) { print $1; break }
}' /etc/group)

left=
for group in $have; do
  case " $* " in
    *" $group "*) continue ;;
  esac
  gpasswd -d "$name" "$group" >/dev/null
  echo "removed=$group"
  number=$(getent group "$group" | cut -d : -f 3)
  left="$left $number"
  take_back_programs "$number" "$workspaces"
done
for group in "$@"; do
  case " $(echo "$have" | tr '\n' ' ') " in
    *" $group "*) continue ;;
  esac
  if getent group "$group" >/dev/null; then
    gpasswd -a "$name" "$group" >/dev/null
    echo "added=$group"
  else
    echo "missing=$group"
  fi
done

running=0 ended=0
if [ -n "$left" ]; then
  running=$(processes_of "$uid" "${left# }" | wc -l)
  if [ "$end" = yes ] && [ "$running" != 0 ]; then
    end_processes "$uid"
    running=0
  fi
fi
printf 'running=%s\nended=%s\nend\n' "$running" "$ended"
