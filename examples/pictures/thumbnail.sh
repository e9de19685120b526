#!/bin/sh
# A grayscale thumbnail of at most 128x128 pixels, as PNG.
# ImageMagick reads and writes pipes here: it would take parts of a file name for instructions ("a[2].jpg", "x%d.png").
set -eu

if command -v magick >/dev/null 2>&1; then magick=magick; else magick=convert; fi

# The whole name stays in the new one, so that cat.jpg and cat.png do not become the same thumbnail.
thumbnail=$TMP_OUTPUT_DIR/$FILE_NAME.png
"$magick" -define jpeg:size=256x256 '-[0]' -auto-orient -background white -alpha remove \
  -thumbnail '128x128>' -colorspace Gray -strip png:- <"$INPUT_FILE_PATH" >"$thumbnail"
echo "thumbnail of $FILE_NAME: $(wc -c <"$thumbnail") bytes"
