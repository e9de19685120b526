#!/bin/sh
# Size and colours of a picture as JSON: {"file", "width", "height", "mean", "standard_deviation", "minimum", "maximum", "colours"};
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

numbers=$($identify -format '"width":%w,"height":%h,"mean":%[fx:mean],"standard_deviation":%[fx:standard_deviation],"minimum":%[fx:minima],"maximum":%[fx:maxima],"colours":%k' '-[0]' <"$INPUT_FILE_PATH")
# A picture of one pixel has no deviation, which ImageMagick writes as nan.
numbers=$(echo "$numbers" | sed 's/:-*nan/:0/g')
printf '{"file":%s,%s}\n' "$(json_string "$FILE_NAME")" "$numbers" >"$TMP_OUTPUT_DIR/${FILE_NAME%.*}.json"
echo "statistics of $FILE_NAME: $numbers"
