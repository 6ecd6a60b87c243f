# Clones a repository, or recognises the clone that is there. Runs as the workspace's user.
# $1 URL  $2 destination  $3 ref or empty  $4 host  $5 submodules yes|no  $6 token on stdin yes|no  $7 id  $8 progress yes|no
# Prints result=cloned|kept, or origin=URL with status 82. Own statuses: see clone.rs.
set -u
url=$1 dest=$2 ref=$3 host=$4 submodules=$5 with_token=$6 id=$7 progress=$8
LC_ALL=C GIT_TERMINAL_PROMPT=0
export LC_ALL GIT_TERMINAL_PROMPT

command -v git >/dev/null 2>&1 || exit 80

parent=${dest%/*}
partial=$parent/.clone-$id
scratch=
git_pid=
writer_pid=
helper=

# What is half done goes, however we end.
clean() {
  [ -z "$git_pid" ] || kill "$git_pid" 2>/dev/null
  [ -z "$writer_pid" ] || kill "$writer_pid" 2>/dev/null
  [ -z "$scratch" ] || rm -rf "$scratch"
  rm -rf "$partial" "$partial.pid"
}
trap clean EXIT
trap 'exit 130' HUP INT TERM

# Git with what this clone needs. Submodules that name the host by SSH are fetched the way the repository is, and none
# may use a transport but HTTPS. With a token, git asks our helper and no helper that could write it down.
our_git() {
  set -- -c "url.https://$host/.insteadOf=git@$host:" -c "url.https://$host/.insteadOf=ssh://git@$host/" \
    -c protocol.allow=never -c protocol.https.allow=always "$@"
  if [ -n "$helper" ]; then
    set -- -c credential.helper= -c "credential.https://$host.helper=" -c "credential.https://$host.helper=$helper" "$@"
  fi
  exec git "$@" </dev/null
}

# Runs it in the background and waits, so that a signal is heard at once and not after the transfer.
run_git() {
  our_git "$@" &
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

changes() {
  [ -n "$(git -C "$dest" status --porcelain 2>/dev/null | head -n 1)" ]
}

commit_of() {
  git -C "$1" rev-parse --verify --quiet "$2^{commit}"
}

# The commit a ref stands for in a clone: as it is, or as a branch of origin.
resolve() {
  commit_of "$1" "refs/remotes/origin/$ref" || commit_of "$1" "$ref"
}

keep() {
  origin=$(git -C "$dest" remote get-url origin 2>/dev/null)
  if [ "$(plain "$origin")" != "$(plain "$url")" ]; then
    # Never with what may be a password in it.
    printf 'origin=%s\n' "$(printf '%s' "$origin" | sed 's#//[^/@]*@#//#')"
    exit 82
  fi
  if [ -n "$ref" ]; then
    branch=$(git -C "$dest" symbolic-ref --quiet --short HEAD)
    if [ "$branch" != "$ref" ]; then
      # It may be newer than the clone.
      resolve "$dest" >/dev/null || run_git -C "$dest" fetch --quiet --tags origin || exit $?
      target=$(resolve "$dest") || exit 83
      if [ "$(commit_of "$dest" HEAD)" != "$target" ] || [ -n "$branch" ]; then
        if changes; then exit 84; fi
        run_git -C "$dest" checkout --quiet "$ref" -- || exit $?
      fi
    fi
  fi
  printf 'result=kept\n'
  exit 0
}

if [ ! -e "$dest/.git" ] && [ -n "$(ls -A "$dest" 2>/dev/null)" ]; then
  exit 81
fi

# The token comes over a pipe that only we and git can open: it is in no argument, no environment and no file.
if [ "$with_token" = yes ]; then
  IFS= read -r token
  scratch=$(mktemp -d) && mkfifo -m 600 "$scratch/token" || exit 85
  AGENT_WORKSPACE_TOKEN_PIPE=$scratch/token
  export AGENT_WORKSPACE_TOKEN_PIPE
  (
    trap '' PIPE
    trap - EXIT
    while [ -p "$scratch/token" ]; do
      printf 'username=x-access-token\npassword=%s\n' "$token" >"$scratch/token" 2>/dev/null || exit
    done
  ) </dev/null >/dev/null 2>&1 &
  writer_pid=$!
  token=
  # shellcheck disable=SC2016 # git's shell expands it, not this one
  helper='!f() { test "$1" = get || exit 0; { read -r name; read -r word; printf "%s\n%s\n" "$name" "$word"; } <"$AGENT_WORKSPACE_TOKEN_PIPE"; }; f'
fi

[ ! -e "$dest/.git" ] || keep

if ! mkdir -p "$parent" 2>/dev/null || [ ! -w "$parent" ]; then
  echo "the folder $parent cannot be written by $(id -un 2>/dev/null || id -u)" >&2
  exit 85
fi
printf '%s\n' "$$" >"$partial.pid"

verbose=--quiet
[ "$progress" = no ] || verbose=--progress
checkout=
[ -z "$ref" ] || checkout=--no-checkout
# shellcheck disable=SC2086 # empty means no word at all
run_git clone $verbose $checkout -- "$url" "$partial" || exit $?
if [ -n "$ref" ]; then
  # A commit that no branch or tag leads to may still be had by its name.
  resolve "$partial" >/dev/null || run_git -C "$partial" fetch --quiet origin "$ref" 2>/dev/null
  resolve "$partial" >/dev/null || exit 83
  run_git -C "$partial" checkout --quiet "$ref" -- || exit $?
fi
if [ "$submodules" = yes ]; then
  # shellcheck disable=SC2086
  run_git -C "$partial" submodule update --init --recursive ${verbose} || exit $?
fi

# Another create of the same workspace may have been faster.
[ ! -e "$dest/.git" ] || keep
rmdir "$dest" 2>/dev/null
mv -T "$partial" "$dest" 2>/dev/null || { [ ! -e "$dest" ] && mv "$partial" "$dest"; } || exit 81
printf 'result=cloned\n'
