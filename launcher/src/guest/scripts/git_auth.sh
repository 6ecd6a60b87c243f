# Keeps git credentials in a home: with gh where that is, else in a store of git's own.
# Runs as whoever they are for. Tokens are lines on stdin, one for each place; they are in no argument and no
# environment. An empty line asks whether there are credentials already.
# $@ places: HOST, or HOST/PART for what is below that name there
# Prints for each, in their order, changed=yes|no and with=gh|store, or with=kept|none where it was asked. Own statuses:
# see git_auth.rs.
set -u
umask 077
# A variable of these names that the environment has would be handed on with what it holds later.
unset token word said key
LC_ALL=C GIT_TERMINAL_PROMPT=0 GH_PROMPT_DISABLED=1 GH_NO_UPDATE_NOTIFIER=1
export LC_ALL GIT_TERMINAL_PROMPT GH_PROMPT_DISABLED GH_NO_UPDATE_NOTIFIER
# gh would take a token from these for the one it is given, and git would ask these programs.
unset GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN GH_HOST GIT_ASKPASS SSH_ASKPASS

command -v git >/dev/null 2>&1 || exit 80
# A clone's own configuration has no say in it.
cd / || exit 1
# What runs below would take the tokens of other places for its own.
exec 3<&0 </dev/null
store=$HOME/.agents-env/git-credentials
# shellcheck disable=SC2088 # git's shell expands it when it asks
ours='store --file ~/.agents-env/git-credentials'

# A failure leaves nothing of the token behind.
give_up() {
  [ "$with" != gh ] || gh auth logout --hostname "$host" >/dev/null 2>&1
  [ "$with" != store ] || forget
  git config --global --unset-all "$helper"
  [ -z "$part" ] || git config --global --unset-all "${helper%.*}.username"
  exit "$1"
}

# Takes what the store has for the host out of it; $1 is whose, where it is not everybody's.
erase() {
  [ ! -e "$store" ] ||
    printf 'protocol=https\nhost=%s\n%s\n' "$host" "${1:+username=$1
}" | git credential-store --file "$store" erase
}

# Whether this key has our store as the last that git asks.
is_ours() {
  [ "$(git config --global --get-all "$1" | tail -n 1)" = "$ours" ]
}

# Takes whatever was kept for the place out of the store. A host is served whole or part by part, or the one would
# answer for the other: what was kept the other way goes too.
forget() {
  if [ -n "$part" ]; then
    erase "$part"
    whole=credential.https://$host.helper
    if is_ours "$whole"; then
      git config --global --unset-all "$whole"
      erase x-access-token
    fi
    return
  fi
  erase ''
  parts=$(printf '%s\n' "$host" | sed 's/[.]/\\./g')
  git config --global --name-only --get-regexp "^credential\\.https://$parts/.*\\.helper\$" "^$ours\$" |
    while IFS= read -r key; do
      for key in "$key" "${key%.*}.username" "${key%.*}.useHttpPath"; do
        git config --global --unset-all "$key"
      done
    done
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
# The store knows no parts: whoever has one is told from others by the name.
keep_in_store() {
  with=store
  mkdir -p "${store%/*}" || exit 82
  if is_ours "$helper" && [ "$(answer "$host" "$below")" = "$token" ]; then
    changed=no
  else
    forget
    printf 'protocol=https\nhost=%s\nusername=%s\npassword=%s\n\n' "$host" "${part:-x-access-token}" "$token" |
      git credential-store --file "$store" store || give_up 82
    git config --global --unset-all "$helper"
    git config --global --add "$helper" '' || give_up 82
    git config --global --add "$helper" "$ours" || give_up 82
    if [ -n "$part" ]; then
      git config --global --replace-all "${helper%.*}.username" "$part" || give_up 82
      # Somebody's own word on it would have git look for the whole path, which the store does not know.
      git config --global --replace-all "${helper%.*}.useHttpPath" false || give_up 82
    fi
  fi
  if [ ! -O "$store" ] || ! chmod 600 "$store"; then give_up 82; fi
}

# The password that git would use for a host, and for a path there where $2 is one.
answer() {
  printf 'protocol=https\nhost=%s\n%s\n' "$1" "${2:+path=$2
}" | git credential fill 2>/dev/null | sed -n 's/^password=//p'
}

keep() {
  # gh knows no ports, and no parts.
  case $place in
    *:* | */*) keep_in_store ;;
    *) if command -v gh >/dev/null 2>&1; then keep_with_gh; else keep_in_store; fi ;;
  esac
  [ "$(answer "$host" "$below")" = "$token" ] || give_up 83
  [ "$(answer "not-$host" "$below")" != "$token" ] || give_up 84
  [ -z "$part" ] || [ "$(answer "$host" "not-$below")" != "$token" ] || give_up 84
}

for place in "$@"; do
  host=${place%%/*}
  part=${place#"$host"}
  part=${part#/}
  # A repository there, as git asks for it.
  below=${part:+$part/project/_git/repository}
  helper=credential.https://$place.helper
  with=
  changed=yes
  IFS= read -r token <&3 || [ -n "$token" ] || exit 1
  if [ -n "$token" ]; then
    keep
  else
    changed=no
    with=none
    [ -z "$(answer "$host" "$below")" ] || with=kept
  fi
  printf 'changed=%s\nwith=%s\n' "$changed" "$with"
done
