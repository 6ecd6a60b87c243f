# Sourced by ./dev: brings a Debian machine (12 or 13) to where the project can be built and run.
# Every function looks first and does nothing where there is nothing to do. Root, or sudo without a password,
# is used only when something has to be installed or started.
: "${root:?}"

# Debian leaves these out of an ordinary user's path; dockerd, sshd and debootstrap live there.
export PATH=$PATH:/usr/sbin:/sbin
base_image=debian:bookworm-slim

say() { printf '%s\n' "$*"; }

die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

privileged() { [[ $(id -u) -eq 0 ]] || sudo -n true 2>/dev/null; }

as_root() {
    if [[ $(id -u) -eq 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# wait_for SECONDS COMMAND...: until the command succeeds, at most that long.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.2
    done
}

apt_install() {
    local log command=(env DEBIAN_FRONTEND=noninteractive
        apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "$@")
    privileged || die "needs root for this; run it, then ./dev again:  sudo apt-get install -y $*"
    say "installing Debian packages: $*"
    log=$(mktemp)
    # The package lists may be absent or old: fetch them only when the first try shows it.
    if ! as_root "${command[@]}" >"$log" 2>&1; then
        as_root apt-get update -q >>"$log" 2>&1 || true
        as_root "${command[@]}" >>"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            die "apt-get could not install: $*"
        }
    fi
    rm "$log"
}

# apt_knows PACKAGE: whether this Debian has it. Empty package lists are fetched first.
apt_knows() {
    apt-cache show "$1" >/dev/null 2>&1 && return
    compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null && return 1
    as_root apt-get update -q >/dev/null 2>&1 || true
    apt-cache show "$1" >/dev/null 2>&1
}

# ensure_commands COMMAND...: installs those that are missing; Debian's packages have the same names.
ensure_commands() {
    local command missing=()
    for command in "$@"; do
        command -v "$command" >/dev/null || missing+=("$command")
    done
    [[ ${#missing[@]} -eq 0 ]] || apt_install "${missing[@]}"
}

ensure_ssh_server() {
    command -v sshd >/dev/null && return
    apt_install openssh-server
    # Tests start servers of their own; installing the package must not open this machine.
    [[ ! -d /run/systemd/system ]] || as_root systemctl disable -q --now ssh.service
}

rust_is_new_enough() {
    local have
    have=$(cargo --version 2>/dev/null | cut -d' ' -f2) || return 1
    [[ -n $have ]] && printf '%s\n' "$1" "$have" | sort -V -C
}

ensure_rust() {
    local needed
    # cargo and rustup trust what the system trusts, which on a bare Debian is nobody.
    [[ -e /etc/ssl/certs/ca-certificates.crt ]] || apt_install ca-certificates
    command -v cc >/dev/null || apt_install gcc libc6-dev
    needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
    export PATH=$PATH:$HOME/.cargo/bin
    if rust_is_new_enough "$needed"; then return; fi
    if ! command -v rustup >/dev/null && apt_knows rustup; then
        apt_install rustup
    fi
    if command -v rustup >/dev/null; then
        say 'installing the stable Rust toolchain with rustup'
        rustup toolchain install stable || true
        export RUSTUP_TOOLCHAIN=stable
    fi
    rust_is_new_enough "$needed" || die "Rust $needed or newer is needed; run this, then ./dev again:" \
        "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y"
}

engine_answers() { docker version --format '{{.Server.Version}}'; }

# ensure_engine: a Docker Engine that answers this user. DOCKER_HOST names one that is not ours to start.
ensure_engine() {
    if ! command -v docker >/dev/null; then
        # Debian 13 has the client in a package of its own.
        if apt_knows docker-cli; then apt_install docker-cli; else apt_install docker.io; fi
    fi
    if engine_answers >/dev/null 2>&1; then return; fi
    [[ -z ${DOCKER_HOST:-} ]] || die "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST;" \
        "start it, or run:  unset DOCKER_HOST"
    command -v dockerd >/dev/null || apt_install docker.io
    privileged || die "the Docker Engine does not answer $(id -un); run this, log in again, then ./dev:" \
        "sudo systemctl start docker && sudo usermod -aG docker $(id -un)"
    as_root docker version >/dev/null 2>&1 || start_engine
    if engine_answers >/dev/null 2>&1; then return; fi
    join_docker_group
}

start_engine() {
    say 'starting the Docker Engine'
    if [[ -d /run/systemd/system ]]; then
        as_root systemctl start docker
    else
        # Its own session, so that it outlives this script and the terminal.
        as_root setsid sh -c 'exec dockerd </dev/null >/var/log/dockerd.log 2>&1 &'
    fi
    wait_for 60 as_root docker version || {
        [[ -d /run/systemd/system ]] || tail -n 20 /var/log/dockerd.log >&2
        die 'the Docker Engine was started and does not answer within 60 seconds'
    }
}

# join_docker_group: the engine answers root and not this user. Whoever has sudo without a password loses nothing by
# joining; the group holds for new logins only, so this script starts itself again inside it.
join_docker_group() {
    local user
    user=$(id -un)
    if [[ -n ${AGENT_WORKSPACE_DEV_IN_GROUP:-} ]] || ! command -v sg >/dev/null; then
        die "the Docker Engine does not answer $user; run this, log in again, then ./dev:" \
            "sudo usermod -aG docker $user"
    fi
    say "adding $user to the group docker (in other terminals it holds after the next login)"
    as_root usermod -aG docker "$user"
    export AGENT_WORKSPACE_DEV_IN_GROUP=1
    # shellcheck disable=SC2154 # dev keeps its arguments there.
    exec sg docker -c "$(printf '%q ' "$root/dev" "${dev_arguments[@]}")"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

ensure_base_image() {
    if has_image "$base_image"; then return; fi
    say "pulling $base_image"
    if timeout 300 docker pull -q "$base_image" >/dev/null 2>&1; then return; fi
    say "no image registry answers: making $base_image with debootstrap (half a minute)"
    ensure_commands debootstrap
    privileged || die 'debootstrap needs root; run ./dev once as root, or where an image registry can be reached'
    bootstrap_base_image
}

# In a subshell, so that the folder goes away whatever happens. Not under /tmp, which may forbid device files.
bootstrap_base_image() (
    folder=$(mktemp -d /var/tmp/agent-workspace-base.XXXXXX)
    trap 'as_root rm -rf --one-file-system "$folder"' EXIT
    mirror=http://deb.debian.org
    as_root debootstrap --variant=minbase bookworm "$folder/root" "$mirror/debian" >"$folder/log" 2>&1 || {
        tail -n 20 "$folder/log" >&2
        exit 1
    }
    printf '%s\n' "deb $mirror/debian bookworm main" "deb $mirror/debian bookworm-updates main" \
        "deb $mirror/debian-security bookworm-security main" | as_root tee "$folder/root/etc/apt/sources.list" >/dev/null
    # What makes the published image slim: no manuals and translations, now or with later packages.
    printf 'path-exclude /usr/share/%s/*\n' doc info locale man |
        as_root tee "$folder/root/etc/dpkg/dpkg.cfg.d/slim" >/dev/null
    as_root find "$folder/root"/usr/share/{doc,info,locale,man} \
        "$folder/root"/var/{cache/apt,lib/apt/lists,log} -mindepth 1 -delete
    as_root tar -C "$folder/root" --numeric-owner -c . |
        docker import --change 'CMD ["bash"]' --message 'made with debootstrap' - "$base_image" >/dev/null
)
