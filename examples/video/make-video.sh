#!/bin/sh
# make-video.sh FILE [SECONDS]: renders a test video of SECONDS (20) with moving shapes; FILE's ending says which container.
set -eu
[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: make-video.sh FILE [SECONDS]" >&2; exit 2; }
case $1 in /*) file=$1 ;; *) file=$PWD/$1 ;; esac
seconds=${2:-20}
mkdir -p "$(dirname "$file")"
# mpeg4 is ffmpeg's own: every build has it.
ffmpeg -nostdin -nostats -hide_banner -loglevel error -y -f lavfi -i "testsrc2=size=320x240:rate=25:duration=$seconds" \
  -c:v mpeg4 -q:v 5 -fflags +bitexact -flags:v +bitexact "file:$file"
echo "$seconds seconds of video in $file"
