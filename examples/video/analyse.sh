#!/bin/sh
# Brightness and colour of one frame as JSON: {"frame", "width", "height", "brightness", "contrast", "red", "green", "blue"};
# intensities lie between 0 and 1.
set -eu

if command -v magick >/dev/null 2>&1; then identify='magick identify'; else identify=identify; fi

# A JSON string of any text.
json_string() {
  LC_ALL=C awk 'BEGIN {
    for (i = 1; i < 32; i++) escape[sprintf("%c", i)] = sprintf("\\u%04x", i)
    escape["\""] = "\\\""; escape["\\"] = "\\\\"
    for (i = 1; i <= length(ARGV[1]); i++) { c = substr(ARGV[1], i, 1); text = text ((c in escape) ? escape[c] : c) }
    printf "\"%s\"", text
  }' "$1"
}

numbers=$($identify -format '"width":%w,"height":%h,"brightness":%[fx:mean],"contrast":%[fx:standard_deviation],"red":%[fx:mean.r],"green":%[fx:mean.g],"blue":%[fx:mean.b]' '-[0]' <"$INPUT_FILE_PATH")
printf '{"frame":%s,%s}\n' "$(json_string "$FILE_NAME")" "$numbers" >"$TMP_OUTPUT_DIR/${FILE_NAME%.*}.json"
echo "$FILE_NAME: $numbers"
