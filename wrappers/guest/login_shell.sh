# Starts the login shell of the user it runs as: the one that the workspace's passwd names, else zsh, bash or sh.
# Takes no arguments.

user_id=$(id -u)
user_shell=
while IFS=: read -r _ _ id _ _ _ shell; do
    if [ "$id" = "$user_id" ]; then
        user_shell=$shell
        break
    fi
done </etc/passwd

# A shell that refuses logins is no shell to attach to.
case $user_shell in
    */nologin | */false | */true | */sync) user_shell= ;;
esac
if [ -z "$user_shell" ] || [ ! -x "$user_shell" ]; then
    for shell in zsh bash sh; do
        user_shell=$(command -v "$shell") && break
    done
fi
SHELL=$user_shell
export SHELL
exec "$user_shell" -l
