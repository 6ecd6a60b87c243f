# How a machine is at this moment, one `name=value` a line, and `end` last. Changes nothing.
# $1 the folder of workspaces
folder=$1
[ -d "$folder" ] || folder=/
echo "machine=$(cat /etc/agent-workspace/machine-id 2>/dev/null)"
echo "cpus=$(nproc 2>/dev/null)"
read -r one five fifteen _ </proc/loadavg
echo "load=$one $five $fifteen"
sed -n 's/^\(MemTotal\|MemAvailable\|SwapTotal\|SwapFree\): *\([0-9]*\) kB$/\1=\2/p' /proc/meminfo
df -Pk "$folder" | sed -n '2s/^.* \([0-9]\{1,\}\) \{1,\}[0-9]\{1,\} \{1,\}\([0-9]\{1,\}\) \{1,\}[0-9]*% .*$/disk=\1 \2/p'
read -r uptime _ </proc/uptime
echo "uptime=$uptime"
echo end
