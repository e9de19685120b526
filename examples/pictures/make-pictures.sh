#!/bin/sh
# make-pictures.sh FOLDER [COUNT]: renders COUNT (40) pictures of different sizes as JPEG, PNG and WebP, the same ones every time.
set -eu

if [ "${1:-}" = --one ]; then
  number=$2 folder=$3
  if command -v magick >/dev/null 2>&1; then magick=magick; else magick=convert; fi
  width=$((160 + number * 397 % 1121)) height=$((120 + number * 283 % 841))
  size=${width}x${height}
  kind=$((number % 6))
  case $kind in
    0) name=plasma ;; 1) name=gradient ;; 2) name=pattern ;; 3) name=noise ;; 4) name="rings and lines" ;; 5) name=dégradé ;;
  esac
  case $((number / 6 % 4)) in 0) end=jpg ;; 1) end=png ;; 2) end=webp ;; 3) end=jpeg ;; esac
  file=$folder/$(printf '%03d' "$number")-$name.$end
  set -- -seed "$number" -size "$size"
  case $kind in
    0) set -- "$@" plasma:fractal ;;
    1) set -- "$@" "gradient:hsl($((number * 47 % 360)),70%,45%)-hsl($((number * 91 % 360)),60%,80%)" ;;
    2) set -- "$@" tile:pattern:leftshingle -fill "hsl($((number * 67 % 360)),60%,50%)" -colorize 40 ;;
    3) set -- "$@" "xc:hsl($((number * 29 % 360)),50%,50%)" -attenuate 0.5 +noise Gaussian ;;
    4) set -- "$@" xc:white -fill none -stroke "hsl($((number * 31 % 360)),80%,40%)" -strokewidth 5
       step=12
       while [ "$step" -lt "$height" ]; do
         set -- "$@" -draw "circle $((width / 2)),$((height / 2)) $((width / 2)),$step line 0,$step $width,$((height - step))"
         step=$((step + 48))
       done ;;
    5) set -- "$@" "radial-gradient:hsl($((number * 83 % 360)),80%,60%)-black" ;;
  esac
  # Without dates in the files they are the same, byte for byte, wherever the same ImageMagick runs.
  "$magick" "$@" -depth 8 -strip -define png:exclude-chunks=date,time -quality 88 "$file.part.$end"
  mv "$file.part.$end" "$file"
  exit
fi

[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: make-pictures.sh FOLDER [COUNT]" >&2; exit 2; }
folder=$1 count=${2:-40}
mkdir -p "$folder"
number=0
while [ "$number" -lt "$count" ]; do
  number=$((number + 1))
  echo "$number"
done | MAGICK_THREAD_LIMIT=1 xargs -P "$(nproc)" -I '{}' sh "$0" --one '{}' "$folder"
echo "$count pictures in $folder"
