# Sourced by ./dev: what a release consists of, in one folder, with their sums. The same inputs make the same bytes.
: "${root:?}" "${target:?}" "${release_from:?}"

release_platforms=(linux-x86_64 linux-aarch64 macos-x86_64 macos-aarch64 windows-x86_64)

# release [--url BASE] [--out DIR] [--binary PATH]
release() {
    local url='' out=$target/release-archives binary='' version
    while (($#)); do
        case $1 in
            --url | --out | --binary)
                [[ $# -ge 2 && -n $2 ]] || die "release: $1 needs a value"
                ;;&
            --url) url=${2%/} ;;
            --out) out=$(from_where_it_was_said "$2") ;;
            --binary) binary=$(from_where_it_was_said "$2") ;;
            *) die 'usage: ./dev release [--url BASE] [--out DIR] [--binary PATH]' ;;
        esac
        shift 2
    done
    [[ -z $url || $url == https://* ]] || die 'release: --url must begin with https://, as the wrappers take nothing else'

    if [[ -z $binary ]]; then
        ensure_rust
        say 'building agent-workspace'
        cargo build --release --locked -q -p agent-workspace
        binary=$target/release/agent-workspace
    fi
    version=$("$binary" --version) || die "release: $binary does not say its version"
    [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+([-+.][0-9A-Za-z.+-]*)?$ ]] || die "release: $version is no version"
    mkdir -p "$out"

    # In a shell of its own, so that what is staged goes whatever happens.
    (
        stage=$(mktemp -d)
        trap 'rm -rf "$stage"' EXIT
        release_launcher "$stage" "$version" "$binary" "$out"
        release_wrappers "$stage" "$version" "$url" "$out"
        release_sums "$stage" "$version" "$out"
    )
    [[ -n $url ]] || say 'no --url: these wrappers download only where AGENT_WORKSPACE_LAUNCHER_URL is set'
    say "release $version: $out"
}

# ./dev works in the project's folder; paths are meant from where the person is.
from_where_it_was_said() { (cd "$release_from" && realpath -m "$1"); }

# release_launcher STAGE VERSION BINARY OUT: the archive of this platform.
release_launcher() {
    local stage=$1/launcher
    mkdir "$stage"
    install -m 0755 "$3" "$stage/agent-workspace"
    install -m 0644 "$root/LICENSE" "$root/README.md" "$stage"
    pack "$4/agent-workspace-$2-$(release_platform).tar.gz" "$stage" agent-workspace LICENSE README.md
}

# release_wrappers STAGE VERSION URL OUT: the wrappers, with the pins of every archive that is there.
release_wrappers() {
    local stage=$1/wrappers
    mkdir "$stage"
    cp -R "$root/wrappers" "$stage"
    cp "$root/LICENSE" "$stage/wrappers"
    mkdir -p "$stage/wrappers/share"
    pins "$2" "$3" "$4" >"$stage/wrappers/share/pins"
    pack "$4/agent-workspace-wrappers-$2.tar.gz" "$stage" wrappers
}

# pins VERSION URL OUT: what the wrappers check a download against.
pins() {
    local platform archive sum
    printf 'version %s\n' "$1"
    [[ -z $2 ]] || printf 'url %s\n' "$2"
    for platform in "${release_platforms[@]}"; do
        archive=agent-workspace-$1-$platform.tar.gz
        [[ -f $3/$archive ]] || continue
        sum=$(sha256sum "$3/$archive")
        printf '%s %s %s\n' "$platform" "${sum%% *}" "$archive"
    done
}

# release_sums STAGE VERSION OUT: of the wrappers and of every platform's archive.
release_sums() {
    local platform archives=()
    for platform in "${release_platforms[@]}"; do
        [[ ! -f $3/agent-workspace-$2-$platform.tar.gz ]] || archives+=("agent-workspace-$2-$platform.tar.gz")
    done
    archives+=("agent-workspace-wrappers-$2.tar.gz")
    (cd "$3" && sha256sum "${archives[@]}") | LC_ALL=C sort -k2 >"$1/sums"
    install -m 0644 "$1/sums" "$3/.SHA256SUMS.part"
    mv "$3/.SHA256SUMS.part" "$3/SHA256SUMS"
}

# pack ARCHIVE FOLDER MEMBER...: sorted, with one time, owner and set of modes for all, and in place only when whole.
pack() {
    local archive=$1 folder=$2 time
    shift 2
    time=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)}
    tar -C "$folder" --sort=name --format=ustar --mtime="@$time" --owner=0 --group=0 --numeric-owner \
        --mode='u+rwX,go+rX,go-w' -cf - "$@" | gzip -n -9 >"$archive.part"
    mv "$archive.part" "$archive"
}

release_platform() {
    local system machine
    case $(uname -s) in
        Linux) system=linux ;;
        Darwin) system=macos ;;
        *) die "release: there are no archives for $(uname -s)" ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) machine=x86_64 ;;
        aarch64 | arm64) machine=aarch64 ;;
        *) die "release: there are no archives for $(uname -m)" ;;
    esac
    printf '%s-%s\n' "$system" "$machine"
}
