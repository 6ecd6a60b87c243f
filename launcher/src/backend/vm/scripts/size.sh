# Says what folders take on the disk.
# $@ the folders
set -u
for folder; do
  size=$(du -sk -- "$folder" 2>/dev/null | cut -f 1)
  printf 'size\t%s\t%s\n' "$folder" "${size:-0}"
done
printf 'end\n'
