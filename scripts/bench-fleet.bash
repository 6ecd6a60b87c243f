# Sourced by bench: machines as VMs, and what the launcher does there against the same by `ssh`, a command at a time.
# shellcheck disable=SC2016,SC2154 # backticks are the table's, and bench makes the folder `work` later
: "${label:?}" "${launcher:?}" "${quoted:?}" "${fixture_images:?}"

# Where workspaces are on a machine.
workspaces=/srv/agent-workspace/workspaces
vm_count=3 workspaces_each=4
# Where the machines are; the first is the one that workspaces are made on.
addresses=()

listens() { bash -c ': <"/dev/tcp/$0/22"' "$1"; }

# On a network of their own, which leads nowhere else, and with disks that know access control lists.
start_machines() {
    local number name network=$label folder=$work/fleet
    mkdir -p "$folder/bin"
    ssh-keygen -q -t ed25519 -N '' -f "$folder/user"
    printf '%s\n' 'User admin' "IdentityFile $folder/user" 'IdentitiesOnly yes' 'HashKnownHosts no' 'LogLevel ERROR' \
        "UserKnownHostsFile $folder/known_hosts" 'GlobalKnownHostsFile none' >"$folder/ssh_config"
    # What the launcher asks, as ssh itself never looks at $HOME.
    printf '#!/bin/sh\nexec %q -F %q "$@"\n' "$(command -v ssh)" "$folder/ssh_config" >"$folder/bin/ssh"
    chmod +x "$folder/bin/ssh"
    # The way by hand does not start a shell more than the launcher's own.
    hand=("$(command -v ssh)" -F "$folder/ssh_config")
    export PATH=$folder/bin:$PATH

    docker network create --internal --label "$label=1" "$network" >/dev/null
    for ((number = 1; number <= vm_count; number++)); do
        name=$network.$number
        docker run -d --init --name "$name" --hostname "vm$number" --label "$label=1" --network "$network" \
            -e "AUTHORIZED_KEY=$(<"$folder/user.pub")" -v /srv/agent-workspace "$fixture_images:machine" >/dev/null
        addresses+=("$(docker container inspect --format \
            "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$name")")
        wait_for 60 listens "${addresses[-1]}" || die "no SSH server listens on ${addresses[-1]} within 60 seconds"
        "$launcher" vm create "vm$number" --host "admin@${addresses[-1]}" --accept-new-host-key -q >/dev/null
        # From now on its server tells of every command.
        docker exec "$name" sh -c 'echo LogLevel VERBOSE >>/etc/ssh/sshd_config && kill -HUP "$(cat /run/sshd.pid)"'
        wait_for 60 listens "${addresses[-1]}" || die "the SSH server on ${addresses[-1]} is not back within 60 seconds"
    done
}

# How many commands a machine's SSH server has run, since it tells.
sessions() { docker logs "$label.$1" 2>&1 | grep -c 'Starting session: command' || true; }

# sessions_of COMMAND...: how many it takes, on the machine where it takes most.
sessions_of() {
    local number taken most=0 before=()
    for ((number = 1; number <= vm_count; number++)); do before+=("$(sessions "$number")"); done
    "$@" >/dev/null
    for ((number = 1; number <= vm_count; number++)); do
        taken=$(($(sessions "$number") - before[number - 1]))
        ((taken <= most)) || most=$taken
    done
    printf '%s\n' "$most"
}

# by_hand create|rm NAME: what a workspace is made of, and its end, each step an `ssh` of its own.
by_hand() {
    local user=ws--hand-$2 folder=$workspaces/hand-$2 step steps
    case $1 in
        create)
            steps="groupadd --system $user
                useradd --system --gid $user --no-create-home --home-dir $folder/home --shell /bin/bash $user
                mkdir -m 0700 $folder $folder/work $folder/home $folder/tmp
                chown root:$user $folder
                chown $user:$user $folder/work $folder/home $folder/tmp
                chmod 0750 $folder
                chmod 2770 $folder/work
                setfacl -m u:admin:r-x $folder
                setfacl -m u:admin:rwx,g::rwx,m::rwx,o::--- $folder/work
                setfacl -d -m u::rwx,u:admin:rwx,g::rwx,m::rwx,o::--- $folder/work
                tee $folder/environment
                chown $user:$user $folder/environment
                chmod 0600 $folder/environment"
            ;;
        # What is unsaved, what runs, and the end of both.
        rm)
            steps="find $folder/work $folder/home -mindepth 1
                find /proc -ignore_readdir_race -maxdepth 1 -user $user
                rm -rf $folder
                userdel $user"
            ;;
    esac
    while read -r step; do
        "${hand[@]}" "${addresses[0]}" "sudo -n $step" <<<"export HOME=$folder/home"
    done <<<"$steps" >/dev/null
}

fleet() {
    local hand address number each times=() round what
    start_machines
    for ((number = 1; number <= vm_count; number++)); do
        for ((each = 1; each <= workspaces_each; each++)); do
            "$launcher" create --no-clone --vm "vm$number" --name "vm$number-$each" -q >/dev/null
        done
    done
    # What fails at once is not fast.
    "$launcher" ls --backend vm --output json >"$work/listed"
    [[ $(jq '[.workspaces[] | select(.status == "running")] | length' "$work/listed") \
        -eq $((vm_count * workspaces_each)) ]] || die 'not every workspace on the VMs is listed'

    {
        printf '#!/bin/sh\nset -e\n'
        for address in "${addresses[@]}"; do
            printf '%q ' "${hand[@]}" "$address" "sudo -n ls -l $workspaces"
            printf '\n'
        done
    } >"$work/look"
    chmod +x "$work/look"
    mapfile -t times < <(runs=3 medians "$quoted ls --backend vm --output json" "$work/look")
    compare "\`ls --backend vm\`, $vm_count VMs, $workspaces_each each" "${times[0]}" "${times[1]}" \
        '`ssh VM ls`, one after the other' 1
    at_most 'commands of that `ls` on each VM' "$(sessions_of "$launcher" ls --backend vm --output json)" '' 1

    # The first round warms up.
    for ((round = 0; round <= 5; round++)); do
        for what in vm-create vm-rm; do race "$what" "$round"; done
        ((round)) || rm "$work"/vm-{create,rm}.{ours,bare}
    done
    compare '`create --vm` without a clone' "$(median "$work/vm-create.ours")" "$(median "$work/vm-create.bare")" \
        '`ssh`, one command at a time' 1
    at_most 'commands of that `create` on the VM' "$(sessions_of ours vm-create counted)" '' 5
    compare '`rm` of it' "$(median "$work/vm-rm.ours")" "$(median "$work/vm-rm.bare")" '`ssh`, one command at a time' 1
    at_most 'commands of that `rm` on the VM' "$(sessions_of ours vm-rm counted)" '' 5
    remove_mine
}
