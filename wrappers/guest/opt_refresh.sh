# Copies the image's kit to the folder that agents read.
# Argument: `add` deletes nothing there; `mirror` deletes what the kit does not have; `count` touches nothing and prints
# `kit KIT -> FOLDER` and `deletions N`, or nothing when `mirror` would delete nothing.
# Without a kit, that folder or rsync it does nothing.

what=$1
target=${AGENTS_HOME:-$HOME/.agents}
[ -d "$target" ] || exit 0
command -v rsync >/dev/null 2>&1 || exit 0

for kit in /opt/agent-kit /opt/codex-kit; do
    [ -e "$kit/.git" ] || continue
    case $what in
        add) set -- -a ;;
        count) set -- -an --delete --itemize-changes ;;
        mirror) set -- -a --delete ;;
        *)
            echo 'agent-workspace: opt_refresh takes add, count or mirror' >&2
            exit 2
            ;;
    esac
    # The excluded names are kept in the target too: they are credentials, settings and history of who works here. What
    # else somebody has put there is not the kit's, and is deleted by `mirror`.
    changes=$(
        rsync "$@" \
            --exclude=.env --exclude=.venv --exclude=AGENTS.override.md --exclude=auth.json --exclude=history.jsonl \
            --exclude=config.toml --exclude=out/ --exclude=log/ --exclude=sessions/ --exclude=shell_snapshots/ \
            --exclude=tmp/ \
            "$kit/" "$target/"
    ) || exit
    if [ "$what" = count ]; then
        deletions=$(printf '%s\n' "$changes" | grep -c '^\*deleting')
        [ "$deletions" -eq 0 ] || printf 'kit %s -> %s\ndeletions %d\n' "$kit" "$target" "$deletions"
    fi
    # A second kit would delete what the first has brought.
    exit 0
done
