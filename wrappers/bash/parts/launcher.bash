# Finds the launcher, the program that makes workspaces; or fetches the release that this wrapper has pinned.
# What is fetched is run only after its SHA-256 was compared, and is kept whole or not at all.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

# program NAME: the file of a program in PATH, never a function or an alias.
__agent_workspace_program() {
    REPLY=$(builtin type -P "$1")
}

# pin KEY: what share/pins says of it: a version, an address, or the SHA-256 and the file of a platform.
__agent_workspace_pin() {
    local file=$__agent_workspace_wrappers/share/pins key value
    REPLY=
    [[ -r $file ]] || return 1
    while IFS=' ' builtin read -r key value; do
        if [[ $key == "$1" ]]; then
            REPLY=$value
            return 0
        fi
    done <"$file"
    return 1
}

# cached VERSION: where the launcher of that version is kept once it was fetched.
__agent_workspace_cached() {
    REPLY=${XDG_CACHE_HOME:-${HOME-}/.cache}/agent-workspace/launcher/$1/agent-workspace
}

# find_launcher: the launcher that is there; 1 when there is none. Says nothing and changes nothing.
__agent_workspace_find_launcher() {
    __agent_workspace_setting LAUNCHER
    if [[ -n $REPLY ]]; then
        # A bare name would be looked up again when it is called, and find the function.
        [[ $REPLY == /* ]] || REPLY=$PWD/$REPLY
        [[ -f $REPLY && -x $REPLY ]]
        return
    fi
    REPLY=${__agent_workspace_wrappers%/*}/target/release/agent-workspace
    [[ ! -f $REPLY || ! -x $REPLY ]] || return 0
    ! __agent_workspace_program agent-workspace || return 0
    __agent_workspace_pin version || return 1
    __agent_workspace_cached "$REPLY"
    [[ -f $REPLY && -x $REPLY ]]
}

# launcher: the launcher, fetched if need be.
__agent_workspace_launcher() {
    local download url version platform pin
    __agent_workspace_checked_setting LAUNCHER_AUTO_DOWNLOAD true false || return
    download=${REPLY:-true}
    ! __agent_workspace_find_launcher || return 0

    __agent_workspace_setting LAUNCHER
    if [[ -n $REPLY ]]; then
        __agent_workspace_say "AGENT_WORKSPACE_LAUNCHER is not a program: $REPLY"
        return 1
    fi
    if [[ $download == false ]]; then
        __agent_workspace_not_found 'AGENT_WORKSPACE_LAUNCHER_AUTO_DOWNLOAD=false forbids to download it'
        return
    fi
    if ! __agent_workspace_pin version; then
        __agent_workspace_not_found 'this wrapper has no pinned release to download'
        return
    fi
    version=$REPLY
    __agent_workspace_setting LAUNCHER_URL
    url=$REPLY
    if [[ -z $url ]]; then
        __agent_workspace_pin url
        url=$REPLY
    fi
    if [[ $url != https://* ]]; then
        __agent_workspace_say "a launcher is downloaded over https:// only, not from $url"
        return 2
    fi
    __agent_workspace_platform
    platform=$REPLY
    if ! __agent_workspace_pin "$platform"; then
        __agent_workspace_say "the release $version has no launcher for $platform"
        __agent_workspace_hint 'build it: ./dev quickstart in a checkout'
        return 1
    fi
    pin=$REPLY
    if ! __agent_workspace_program curl && ! __agent_workspace_program wget; then
        __agent_workspace_say 'neither curl nor wget is there to download the launcher'
        return 1
    fi
    __agent_workspace_cached "$version"
    __agent_workspace_say "downloading launcher $version for $platform"
    __agent_workspace_download "${url%/}/${pin##* }" "${pin%% *}" "$REPLY"
}

# not_found WHY
__agent_workspace_not_found() {
    __agent_workspace_say "the launcher was not found, and $1"
    __agent_workspace_hint 'put agent-workspace on PATH, or name it: AGENT_WORKSPACE_LAUNCHER=/path/to/agent-workspace'
    return 1
}

# platform: the name that releases use for this machine.
__agent_workspace_platform() {
    local system machine
    system=$(command uname -s)
    machine=$(command uname -m)
    case $system in
        Linux) system=linux ;;
        Darwin) system=macos ;;
        MINGW*|MSYS*|CYGWIN*) system=windows ;;
    esac
    case $machine in
        amd64) machine=x86_64 ;;
        arm64) machine=aarch64 ;;
    esac
    REPLY=$system-$machine
}

# sha256: the SHA-256 of stdin, by whatever program can tell.
__agent_workspace_sha256() {
    if __agent_workspace_program sha256sum; then
        REPLY=$(command sha256sum)
    elif __agent_workspace_program shasum; then
        REPLY=$(command shasum -a 256)
    elif __agent_workspace_program openssl; then
        REPLY=$(command openssl dgst -sha256 -r)
    else
        __agent_workspace_say 'no program can check what was downloaded: sha256sum, shasum or openssl is needed'
        return 1
    fi
    REPLY=${REPLY%% *}
    [[ -n $REPLY ]]
}

# fetch ADDRESS FILE
__agent_workspace_fetch() {
    local authorities=${SSL_CERT_FILE:-${CURL_CA_BUNDLE-}}
    local address=$1 said line value step
    local -a flags
    flags=()
    if __agent_workspace_program curl; then
        command curl -fsSL --proto '=https' --proto-redir '=https' -o "$2" "$1"
        return
    fi
    # curl reads these variables itself.
    [[ -z $authorities ]] || flags=(--ca-certificate "$authorities")
    # wget would follow to http:// as well, so that it is told each step.
    for step in 1 2 3 4 5 6; do
        said=$(LC_ALL=C command wget -q -S --max-redirect=0 ${flags[@]+"${flags[@]}"} -O "$2" "$address" 2>&1) && return
        address=
        while IFS=$' \t\r' builtin read -r line value; do
            case $line in
                [Ll][Oo][Cc][Aa][Tt][Ii][Oo][Nn]:) address=$value ;;
            esac
        done <<<"$said"
        [[ $address == https://* ]] || return
    done
    return 1
}

# download ADDRESS SHA256 FILE: a subshell, so that its traps and its umask are its own.
__agent_workspace_download() (
    builtin set -o pipefail
    local folder=${3%/*} scratch=''
    umask 077
    trap '[[ -z $scratch ]] || command rm -rf -- "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # Beside its target, so that the last step is a rename and nothing half is ever seen.
    command mkdir -p -- "$folder" || return
    scratch=$(command mktemp -d "$folder/partial.XXXXXX") || return

    if ! __agent_workspace_fetch "$1" "$scratch/archive"; then
        __agent_workspace_say "the launcher could not be downloaded from $1"
        return 1
    fi
    __agent_workspace_sha256 <"$scratch/archive" || return
    if [[ $REPLY != "$2" ]]; then
        __agent_workspace_say "what $1 holds is not what this wrapper has pinned, and was deleted"
        return 1
    fi
    if ! command tar -xzf "$scratch/archive" -C "$scratch" agent-workspace ||
        [[ -L $scratch/agent-workspace || ! -f $scratch/agent-workspace ]]; then
        __agent_workspace_say "there is no launcher in $1"
        return 1
    fi
    command chmod 0755 "$scratch/agent-workspace" && command mv -f -- "$scratch/agent-workspace" "$3"
)
