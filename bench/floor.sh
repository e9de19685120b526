#!/usr/bin/env bash
# The floor that `files-1000` is measured against: the same script on the same files in the plainest sandbox there is, as many at a
# time as there are processors. No server, no cgroup, no wrapper, no fsync; each output file is written.
#   floor.sh INPUTS OUTPUTS
set -euo pipefail
inputs=$(realpath "$1") outputs=$(realpath "$2")
export inputs outputs
find "$inputs" -type f -printf '%f\n' | xargs -P"$(nproc)" -I{} bwrap --unshare-all --die-with-parent \
  --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp \
  --ro-bind "$inputs/{}" "/in/{}" --bind "$outputs" /out \
  --setenv INPUT_FILE_PATH "/in/{}" --setenv FILE_NAME "{}" --setenv TMP_OUTPUT_DIR /out \
  /bin/sh -c 'sha256sum "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME.sha256"'
