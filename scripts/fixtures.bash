# Sourced by ./dev: the images and the git server that tests and the quickstart need.
# Everything made here carries the label agent-workspace.fixture=1. An image also carries a hash of what it was made
# from, and is made again only when that changed.
: "${root:?}" "${base_image:?}"

fixture_label=agent-workspace.fixture
fixture_images=agent-workspace-test

# fixture_image NAME FOLDER [BUILD OPTION...]: the image agent-workspace-test:NAME from tests/fixtures/FOLDER.
# A build argument's value is an image, and the hash sees what that image is now.
fixture_image() {
    local tag=$fixture_images:$1 folder=$root/tests/fixtures/$2 option inputs log
    shift 2
    inputs=$({
        tar -C "$folder" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go-w -c .
        docker image inspect --format '{{.Id}}' "$base_image"
        for option in "$@"; do
            printf '%s\n' "$option"
            [[ $option != *=* ]] || docker image inspect --format '{{.Id}}' "${option#*=}"
        done
    } | sha256sum | cut -d' ' -f1)
    if [[ $(docker image inspect --format "{{index .Config.Labels \"$fixture_label.inputs\"}}" "$tag" 2>/dev/null) \
        == "$inputs" ]]; then
        return
    fi
    say "building $tag"
    log=$(mktemp)
    docker build --label "$fixture_label=1" --label "$fixture_label.inputs=$inputs" --tag "$tag" "$@" "$folder" \
        >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        die "could not build $tag"
    }
    rm "$log"
}

git_server_image() { fixture_image git-server git-server; }

# agent_fixture_image BASE: an agent image that trusts the git server.
agent_fixture_image() {
    fixture_image agent agent-image --build-arg "BASE=$1" --build-arg "GIT_SERVER=$fixture_images:git-server"
}

# The agent fixture with gh, and with a zsh that secrets can teach.
tools_fixture_image() { fixture_image tools tools-image --build-arg "AGENT=$fixture_images:agent"; }

# A Debian machine with an SSH server, which becomes a VM.
machine_fixture_image() { fixture_image machine machine --build-arg "BASE=$base_image"; }

# fixtures_up AGENT_IMAGE: all images, and this run's git server; exports what the tests are told.
fixtures_up() {
    local target machine
    # Beside the others, of which it needs nothing: packages are waited for.
    machine_fixture_image &
    machine=$!
    git_server_image
    agent_fixture_image "$1"
    tools_fixture_image
    fixture_image debian plain-debian --build-arg "GIT_SERVER=$fixture_images:git-server"
    for target in busybox noshell entrypoint; do
        fixture_image "$target" minimal --target "$target"
    done
    wait "$machine" || exit
    # Images that had these names before.
    docker image prune -f --filter "label=$fixture_label" >/dev/null

    remove_abandoned
    # Looks like nothing else, so that a test can search for it wherever it must not be.
    AGENT_WORKSPACE_TEST_GIT_TOKEN=canary-$(openssl rand -hex 16)
    git_server_up "$$" "$AGENT_WORKSPACE_TEST_GIT_TOKEN"

    export AGENT_WORKSPACE_TEST_GIT_TOKEN
    export AGENT_WORKSPACE_TEST_GIT_HOST=git.test
    export AGENT_WORKSPACE_TEST_NETWORK=$fixture_label.$$
    export AGENT_WORKSPACE_TEST_IMAGE=$fixture_images:agent
    export AGENT_WORKSPACE_TEST_TOOLS_IMAGE=$fixture_images:tools
    export AGENT_WORKSPACE_TEST_GIT_SERVER_IMAGE=$fixture_images:git-server
    export AGENT_WORKSPACE_TEST_BUSYBOX_IMAGE=$fixture_images:busybox
    export AGENT_WORKSPACE_TEST_NOSHELL_IMAGE=$fixture_images:noshell
    export AGENT_WORKSPACE_TEST_ENTRYPOINT_IMAGE=$fixture_images:entrypoint
    export AGENT_WORKSPACE_TEST_DEBIAN_IMAGE=$fixture_images:debian
    export AGENT_WORKSPACE_TEST_MACHINE_IMAGE=$fixture_images:machine
}

# fixtures_down: this run's git server and network. Images stay, for the next run.
fixtures_down() { git_server_down "$$"; }

# git_server_up RUN [TOKEN]: a git server and its network, both named agent-workspace.fixture.RUN, reachable on that
# network as git.test, other.test and plain.test. RUN is the process that tests, or `quickstart`. One that is there is kept.
git_server_up() {
    local name=$fixture_label.$1
    local labels=(--label "$fixture_label=1" --label "$fixture_label.run=$1")
    docker network inspect "$name" >/dev/null 2>&1 || docker network create "${labels[@]}" "$name" >/dev/null
    if git_server_exists "$1"; then
        docker start "$name" >/dev/null
    else
        # The token by name only: a command line can be read by everybody on the machine.
        GIT_SERVER_TOKEN=${2:-} docker run -d --init --name "$name" "${labels[@]}" --network "$name" \
            --network-alias git.test --network-alias other.test --network-alias plain.test -e GIT_SERVER_TOKEN \
            "$fixture_images:git-server" >/dev/null
    fi
    wait_for 60 docker exec "$name" git ls-remote https://git.test/acme/hello.git || {
        docker logs --tail 20 "$name" >&2
        die 'the git server does not answer within 60 seconds'
    }
}

git_server_exists() { docker container inspect "$fixture_label.$1" >/dev/null 2>&1; }

# git_server_add RUN FOLDER OWNER/REPO: serves the history of a checkout to everybody.
git_server_add() {
    local name=$fixture_label.$1 repository=/srv/git/$3.git copy
    if docker exec "$name" test -e "$repository/public"; then return; fi
    copy=$(mktemp -d)
    git clone -q --bare "$2" "$copy/repository.git"
    docker exec "$name" sh -c 'rm -rf "$1" && mkdir -p "${1%/*}"' sh "$repository"
    docker cp -q "$copy/repository.git" "$name:$repository" 2>/dev/null
    docker exec "$name" sh -c 'chown -R www-data:www-data "$1" && touch "$1/public"' sh "$repository"
    rm -rf "$copy"
}

git_server_down() {
    local name=$fixture_label.$1 attached
    docker rm -f -v "$name" >/dev/null 2>&1 || true
    attached=$(docker network inspect --format '{{range .Containers}}{{.Name}} {{end}}' "$name" 2>/dev/null) || return 0
    if [[ -n $attached ]]; then
        printf 'dev: left behind on the network %s by a test: %s\n' "$name" "$attached" >&2
        xargs -n 1 docker network disconnect -f "$name" <<<"$attached"
    fi
    docker network rm "$name" >/dev/null
}

# remove_abandoned: the git servers of test runs that were killed before they could remove them.
remove_abandoned() {
    local run
    for run in $(docker network ls --filter "label=$fixture_label" --format "{{.Label \"$fixture_label.run\"}}"); do
        [[ $run == quickstart || -d /proc/$run ]] && continue
        # An engine can lose count of what is on a network; that is no reason not to test.
        git_server_down "$run" || printf 'dev: the network of test run %s stays for now\n' "$run" >&2
    done
}
