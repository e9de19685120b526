#!/bin/sh
# One frame for each second of the video that has begun, as <video>-001.jpg, <video>-002.jpg …
set -eu
cd "$TMP_OUTPUT_DIR"

# -nostdin: ffmpeg would read the script's own input. The name comes in afterwards, as ffmpeg takes % in it for instructions.
ffmpeg -nostdin -nostats -hide_banner -loglevel error -threads 2 -i "file:$INPUT_FILE_PATH" -vf fps=1:round=up -q:v 2 -f image2 frame-%03d.jpg

count=0
for frame in frame-*.jpg; do
  [ -e "$frame" ] || { echo "no frame in $FILE_NAME" >&2; exit 1; }
  mv -- "$frame" "./${FILE_NAME%.*}-${frame#frame-}"
  count=$((count + 1))
done
echo "$FILE_NAME: $count frames"
