# Clones a repository, or recognises the clone that is there. Runs as the workspace's user.
# $1 URL  $2 destination  $3 ref or empty  $4 host  $5 submodules yes|no  $6 token on stdin yes|no  $7 id  $8 progress yes|no
# $9 file that says afterwards that the workspace is finished, or empty
# Prints result=cloned|kept, or origin=URL with status 82. Own statuses: see clone.rs.
set -u
url=$1 dest=$2 ref=$3 host=$4 submodules=$5 with_token=$6 id=$7 progress=$8 finished=$9
# A variable of these names that the environment has would be handed on with what it holds later.
unset token word
LC_ALL=C GIT_TERMINAL_PROMPT=0
export LC_ALL GIT_TERMINAL_PROMPT

command -v git >/dev/null 2>&1 || exit 80

parent=${dest%/*}
parent=${parent:-/}
partial=${parent%/}/.clone-$id
git_pid=
token=

# What is half done goes, however we end.
clean() {
  if [ -n "$git_pid" ]; then
    kill "$git_pid" 2>/dev/null
    wait "$git_pid" 2>/dev/null
  fi
  rm -rf "$partial" "$partial.pid"
}
trap clean EXIT
trap 'exit 130' HUP INT TERM

# Git with what a transfer needs. Submodules that name the host by SSH are fetched the way the repository is, and none
# may use a transport but HTTPS. Hooks and monitors that a clone has been given since are not run: they would run with
# the token within reach.
our_git() {
  set -- -c core.hooksPath=/dev/null -c core.fsmonitor=false -c protocol.allow=never -c protocol.https.allow=always \
    -c fetch.parallel=1 -c submodule.fetchJobs=1 \
    -c "url.https://$host/.insteadOf=git@$host:" -c "url.https://$host/.insteadOf=ssh://git@$host/" "$@"
  exec git "$@" </dev/null
}

# The same, answering git on the repository's host with the token. It comes over a pipe, a line for each question, so
# that it is in no argument, no environment and no file. Helpers that the image has are left out, as they could write
# it down.
git_with_token() {
  # shellcheck disable=SC2016 # git's shell expands it, not this one
  helper='!f() { test "$1" = get || exit 0; read -r word <&9; printf "username=x-access-token\npassword=%s\n" "$word"; }; f'
  our_git -c credential.helper= -c "credential.https://$host.helper=" -c "credential.https://$host.helper=$helper" "$@"
}

answers() {
  trap - EXIT
  while printf '%s\n' "$token"; do :; done 2>/dev/null
}

# Runs it in the background and waits, so that a signal is heard at once and not after the transfer.
run_git() {
  our_git "$@" &
  await_git
}

run_git_with_token() {
  if [ -z "$token" ]; then
    run_git "$@"
    return
  fi
  answers | git_with_token "$@" 9<&0 &
  await_git
}

await_git() {
  git_pid=$!
  wait "$git_pid"
  set -- $?
  git_pid=
  return "$1"
}

# Addresses of one repository differ in spelling only.
plain() {
  plain_url=${1%/}
  plain_url=${plain_url%.git}
  case $plain_url in
    git@*:*)
      plain_url=${plain_url#git@}
      plain_url=https://${plain_url%%:*}/${plain_url#*:}
      ;;
    ssh://git@*) plain_url=https://${plain_url#ssh://git@} ;;
  esac
  printf '%s' "$plain_url" | tr '[:upper:]' '[:lower:]'
}

# What cannot be looked at counts as changed. The look writes no index, and so runs no hook of that either.
changes() {
  set -- --no-optional-locks -c core.hooksPath=/dev/null -c core.fsmonitor=false
  status=$(git "$@" -C "$dest" status --porcelain) || return 0
  [ -n "$status" ]
}

commit_of() {
  git -C "$1" rev-parse --verify --quiet "$2^{commit}"
}

# The commit a ref stands for in a clone: as a branch of origin, or as it is.
resolve() {
  commit_of "$1" "refs/remotes/origin/$ref" || commit_of "$1" "$ref"
}

# Checks the ref out and writes its commit down as one that exists elsewhere: a tag or a commit may be on no branch.
check_out() {
  run_git -C "$1" checkout --quiet "$ref" -- || exit $?
  git -C "$1" rev-parse HEAD >>"$1/.git/agent-workspace-fetched"
}

# Says that the workspace is finished. Where that cannot be written, the clone itself says it.
say_finished() {
  [ -n "$finished" ] || return 0
  { mkdir -p "${finished%/*}" && rm -f "${finished%-*}"-* && : >"$finished"; } 2>/dev/null
}

keep() {
  origin=$(git -C "$dest" remote get-url origin) || exit 86
  if [ "$(plain "$origin")" != "$(plain "$url")" ]; then
    # Never with what may be a password in it.
    printf 'origin=%s\n' "$(printf '%s' "$origin" | sed 's#//[^/]*@#//#')"
    exit 82
  fi
  if [ -n "$ref" ]; then
    branch=$(git -C "$dest" symbolic-ref --quiet --short HEAD)
    if [ "$branch" != "$ref" ]; then
      # It may be newer than the clone.
      resolve "$dest" >/dev/null || run_git_with_token -C "$dest" fetch --quiet --tags origin || exit $?
      target=$(resolve "$dest") || exit 83
      if [ "$(commit_of "$dest" HEAD)" != "$target" ] || [ -n "$branch" ]; then
        if changes; then exit 84; fi
        check_out "$dest"
      fi
    fi
  fi
  if [ "$submodules" = yes ]; then
    run_git_with_token -C "$dest" submodule update --init --recursive --quiet || exit $?
  fi
  say_finished
  printf 'result=kept\n'
  exit 0
}

# Whether a process is a clone of ours: numbers are used again, above all after a restart.
is_our_clone() {
  tr '\0' '\n' <"/proc/$1/cmdline" 2>/dev/null | grep -qx agent-workspace
}

# Other clones into the same folder: one that is at work is waited for, what a dead one left goes.
settle_others() {
  for other in "${parent%/}"/.clone-*.pid; do
    if [ ! -r "$other" ] || [ "$other" = "$partial.pid" ]; then continue; fi
    read -r other_pid other_dest <"$other" || continue
    [ "$other_dest" = "$dest" ] || continue
    ! is_our_clone "$other_pid" || echo "waiting for another clone into $dest (process $other_pid)" >&2
    while is_our_clone "$other_pid" && [ -e "$other" ]; do sleep 0.2 2>/dev/null || sleep 1; done
    rm -rf "${other%.pid}" "$other"
  done
}

[ "$with_token" = no ] || IFS= read -r token

if ! mkdir -p "$parent" 2>/dev/null || [ ! -w "$parent" ]; then
  echo "the folder $parent cannot be written by $(id -un 2>/dev/null || id -u)" >&2
  exit 85
fi
settle_others
printf '%s %s\n' "$$" "$dest" >"$partial.pid"

[ ! -e "$dest/.git" ] || keep
if [ -n "$(ls -A "$dest" 2>/dev/null)" ]; then
  # Another clone may have come to its place between the two looks.
  [ ! -e "$dest/.git" ] || keep
  exit 81
fi

verbose=--quiet
[ "$progress" = no ] || verbose=--progress
checkout=
[ -z "$ref" ] || checkout=--no-checkout
# shellcheck disable=SC2086 # empty means no word at all
run_git_with_token clone $verbose $checkout -- "$url" "$partial" || exit $?
if [ -n "$ref" ]; then
  # A commit that no branch or tag leads to may still be had by its name.
  resolve "$partial" >/dev/null || run_git_with_token -C "$partial" fetch --quiet origin "$ref" 2>/dev/null
  resolve "$partial" >/dev/null || exit 83
  check_out "$partial"
fi
if [ "$submodules" = yes ]; then
  # shellcheck disable=SC2086
  run_git_with_token -C "$partial" submodule update --init --recursive ${verbose} || exit $?
fi

# Tags may be on no branch, and exist elsewhere all the same.
git -C "$partial" rev-list --no-walk --tags >>"$partial/.git/agent-workspace-fetched" 2>/dev/null

# Another create of the same workspace may have been faster.
[ ! -e "$dest/.git" ] || keep
rmdir "$dest" 2>/dev/null
if ! { mv -T "$partial" "$dest" 2>/dev/null || { [ ! -e "$dest" ] && mv "$partial" "$dest"; }; }; then
  [ ! -e "$dest/.git" ] || keep
  exit 81
fi
say_finished
printf 'result=cloned\n'
