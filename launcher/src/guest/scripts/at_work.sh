# Says what runs here beside the command that keeps the container alive and what started that. Runs as root.
# $1 the user whose processes are the workspace's, where others run beside it, or empty
# Prints runs=PROGRAM for the first thing that does, else end.
set -u
for process in /proc/[0-9]*; do
  # The list was made before anything was started here, so it holds nothing of ours but this shell.
  case ${process#/proc/} in 1 | "$$") continue ;; esac
  # find tells whose a process is also where it is forbidden to look into it.
  [ -z "$1" ] || [ -n "$(find "$process" -maxdepth 0 -user "$1" 2>/dev/null)" ] || continue
  words=$(tr '\0' ' ' <"$process/cmdline" 2>/dev/null) || continue
  case $words in
    # Gone by now, or ended and not yet waited for.
    '') continue ;;
    *"trap 'exit 0' TERM INT; while :; do sleep 86400"* | 'sleep 86400 ' | 'sleep infinity ') continue ;;
  esac
  program=${words%% *}
  printf 'runs=%s\n' "${program##*/}"
  exit 0
done
[ -d /proc/1 ] && printf 'end\n'
