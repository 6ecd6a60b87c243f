# Keeps git credentials for one host in the workspace: with gh where that is, else in a store of git's own.
# Runs as the workspace's user. The token is a line on stdin; it is in no argument and no environment.
# $1 host
# Prints with=gh|store. Own statuses: see git_auth.rs.
set -u
host=$1
umask 077
# A variable of these names that the environment has would be handed on with what it holds later.
unset token word said
LC_ALL=C GIT_TERMINAL_PROMPT=0 GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1
export LC_ALL GIT_TERMINAL_PROMPT GH_PROMPT_DISABLED GH_NO_UPDATE_NOTIFIER
# gh would take a token from these for the one it is given, and git would ask these programs.
unset GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN GH_HOST GIT_ASKPASS SSH_ASKPASS

command -v git >/dev/null 2>&1 || exit 80
# A clone's own configuration has no say in it.
cd / || exit 1
IFS= read -r token || [ -n "$token" ] || exit 1
store=$HOME/.agents-env/git-credentials
helper=credential.https://$host.helper
with=

# A failure leaves nothing of the token behind.
give_up() {
  [ "$with" != gh ] || gh auth logout --hostname "$host" >/dev/null 2>&1
  [ "$with" != store ] || forget
  git config --global --unset-all "$helper"
  exit "$1"
}

# Takes whatever the store has for the host out of it.
forget() {
  [ ! -e "$store" ] || printf 'protocol=https\nhost=%s\n\n' "$host" | git credential-store --file "$store" erase
}

# gh looks the token up at the host first, and writes down only one that is taken. A host that has nothing to ask where
# gh asks is no GitHub, and git's own store serves it as well.
keep_with_gh() {
  said=$(printf '%s\n' "$token" | gh auth login --hostname "$host" --git-protocol https --with-token 2>&1) || {
    case $host:$said in
      github.com:*) ;;
      *'HTTP 404'*)
        keep_in_store
        return
        ;;
    esac
    printf '%s\n' "$said" >&2
    exit 81
  }
  with=gh
  gh auth setup-git --hostname "$host" >&2 || give_up 82
  accounts=${GH_CONFIG_DIR:-${XDG_CONFIG_HOME:-$HOME/.config}/gh}/hosts.yml
  [ ! -e "$accounts" ] || chmod 600 "$accounts" || give_up 82
  forget
}

# The host's own helpers come after an empty one, which switches off every other: none of them shall write it down.
keep_in_store() {
  with=store
  mkdir -p "${store%/*}" || exit 82
  forget
  printf 'protocol=https\nhost=%s\nusername=x-access-token\npassword=%s\n\n' "$host" "$token" |
    git credential-store --file "$store" store || give_up 82
  if [ ! -O "$store" ] || ! chmod 600 "$store"; then give_up 82; fi
  git config --global --unset-all "$helper"
  git config --global --add "$helper" '' || give_up 82
  # shellcheck disable=SC2088 # git's shell expands it when it asks
  git config --global --add "$helper" 'store --file ~/.agents-env/git-credentials' || give_up 82
}

# The password that git would use for a host.
answer() {
  printf 'protocol=https\nhost=%s\n\n' "$1" | git credential fill 2>/dev/null | sed -n 's/^password=//p'
}

# gh knows no ports.
case $host in
  *:*) keep_in_store ;;
  *) if command -v gh >/dev/null 2>&1; then keep_with_gh; else keep_in_store; fi ;;
esac

[ "$(answer "$host")" = "$token" ] || give_up 83
[ "$(answer "not-$host")" != "$token" ] || give_up 84
printf 'with=%s\n' "$with"
