#!/bin/sh
set -eu
wc "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$FILE_NAME.count"
