# Closes everything but the three streams: what a caller has open would be open inside too, a folder to walk out through,
# a lock that is never given back.
for fd in "/proc/$$/fd/"*; do
  fd=${fd##*/}
  flags=0
  # What closes itself, as the shell's own, is let be.
  while read -r key value; do
    [ "$key" != flags: ] || flags=$value
  done 2>/dev/null <"/proc/$$/fdinfo/$fd" || :
  if [ "$fd" -le 2 ] || [ $((flags & 02000000)) -ne 0 ]; then
    continue
  fi
  # Some shells know numbers of one digit only.
  if (eval "exec $fd>&-") 2>/dev/null; then
    eval "exec $fd>&-"
  elif [ -x /bin/bash ] && [ -f "$0" ]; then
    exec /bin/bash "$0" "$@"
  elif [ -x /bin/bash ]; then
    exec /bin/bash -c "$0" "$0" "$@"
  else
    echo "what is open as number $fd cannot be closed without bash; install it: sudo apt-get install bash" >&2
    exit 126
  fi
done
