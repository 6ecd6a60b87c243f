# Sourced by ./dev: looks for texts that break a property of launcher/src/fuzzing, with libFuzzer on stable Rust.
# What it works on is kept under target/fuzz; the corpus in fuzz/corpus changes only by `./dev fuzz keep`.
: "${root:?}" "${target:?}"

# What cargo-fuzz gives the compiler for `--sanitizer none`: counters at every edge and the values that are compared.
# Not its `--cfg fuzzing`, for which the TLS library leaves its cryptography out.
fuzz_flags='-Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0'
fuzz_seconds=20
# Texts of a target that are kept in git: the longest ones reach most, and the rest is soon found again.
fuzz_kept=64

# fuzz build | [keep] [TARGET] [SECONDS|FILE]
fuzz() {
    local action=run names=() name seconds=$fuzz_seconds
    if [[ ${1:-} == build ]]; then
        fuzz_build
        return
    fi
    if [[ ${1:-} == keep ]]; then
        action=keep
        shift
    fi
    mapfile -t names < <(fuzz_targets)
    if [[ -n ${1:-} && ! ${1:-} =~ ^[0-9]+$ ]]; then
        [[ -d $root/fuzz/corpus/$1 ]] || die "no fuzz target $1; there are: ${names[*]}"
        names=("$1")
        shift
    fi
    if [[ -n ${1:-} && ! $1 =~ ^[0-9]+$ ]]; then
        [[ -f $1 && ${#names[@]} -eq 1 ]] || die "not a number of seconds, nor a file for one target: $1"
        action=replay
    elif [[ -n ${1:-} ]]; then
        seconds=$1
    fi
    fuzz_build
    case $action in
        replay) AGENT_WORKSPACE_FUZZ=${names[0]} "$fuzzer" "$1" ;;
        keep) for name in "${names[@]}"; do fuzz_keep "$name"; done ;;
        run) fuzz_all "$seconds" "${names[@]}" ;;
    esac
}

fuzz_targets() { find "$root/fuzz/corpus" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort; }

# fuzz_build: sets `fuzzer` to the program. A platform is named, so that the flags are for the program alone and not
# for what runs at build time.
fuzz_build() {
    local platform
    command -v c++ >/dev/null || apt_install g++
    platform=$(rustc -vV | sed -n 's/^host: //p')
    say 'building the fuzz targets'
    RUSTFLAGS=${fuzz_flags//$'\n'/ } cargo build --release --locked -q --manifest-path "$root/fuzz/Cargo.toml" \
        --target "$platform" --target-dir "$target/fuzz"
    fuzzer=$target/fuzz/$platform/release/agent-workspace-fuzz
}

# fuzz_all SECONDS TARGET...: two at a time; fails when one did, after all have had their time.
fuzz_all() {
    local seconds=$1 name running=0 failed=0
    shift
    for name in "$@"; do
        if ((running == 2)); then
            wait -n || failed=1
            running=$((running - 1))
        fi
        fuzz_one "$name" "$seconds" &
        running=$((running + 1))
    done
    while ((running > 0)); do
        wait -n || failed=1
        running=$((running - 1))
    done
    return "$failed"
}

# fuzz_one TARGET SECONDS: one line of what came of it.
fuzz_one() {
    local name=$1 seconds=$2 work=$target/fuzz/work/$1 log=$target/fuzz/work/$1.log status=0 file
    mkdir -p "$work" "$target/fuzz/broken"
    # What does not end within ten seconds, or takes a gigabyte, counts as broken too.
    AGENT_WORKSPACE_FUZZ=$name "$fuzzer" "$work" "$root/fuzz/corpus/$name" -dict="$root/fuzz/dictionaries/$name" \
        -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$target/fuzz/broken/$name-" >"$log" 2>&1 || status=$?
    if [[ $status -eq 0 ]]; then
        say "fuzz: $name: $(fuzz_summary <"$log")"
        return
    fi
    file=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    say "fuzz: $name: broken by ${file:-something; see $log}"
    grep -m 1 -A 3 -E 'panicked at|ERROR: libFuzzer' "$log" || tail -n 5 "$log"
    [[ -z $file ]] || say "try it again:  ./dev fuzz $name $file"
    return 1
}

# fuzz_summary: runs, edges and texts out of libFuzzer's log on stdin.
fuzz_summary() {
    awk '
        / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1); else if ($i == "corp:") texts = $(i + 1) }
        /^Done / { runs = $2; seconds = $(NF - 1) }
        END { sub("/.*", "", texts); printf "%d runs in %d s, %d edges, %d texts\n", runs, seconds, edges, texts }'
}

# fuzz_keep TARGET: makes the corpus in git the smallest set that covers what was reached here, but for its shortest
# texts where there are many. Texts that once broke something stay.
fuzz_keep() {
    local corpus=$root/fuzz/corpus/$1 work=$target/fuzz/work/$1 fresh
    fresh=$(mktemp -d)
    mkdir -p "$work"
    AGENT_WORKSPACE_FUZZ=$1 "$fuzzer" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$fresh" "$corpus" "$work" \
        >"$target/fuzz/work/$1.log" 2>&1 || die "the corpus of $1 is broken; see $target/fuzz/work/$1.log"
    find "$corpus" -type f ! -name 'broken-*' -delete
    # The names are libFuzzer's hashes.
    find "$fresh" -type f -printf '%s %p\n' | sort -rn | sed -n "1,${fuzz_kept}p" | cut -d' ' -f2- |
        xargs -r mv -t "$corpus"
    rm -r "$fresh"
    say "fuzz: $1: $(find "$corpus" -type f | wc -l) texts kept"
}
