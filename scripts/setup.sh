#!/usr/bin/env bash
# Installs what is missing to run Sluice, its demo and its tests, when it may (root or sudo; apt, dnf or apk);
# otherwise prints the one line to run. Safe to run again: it does nothing when all is there.
#   setup.sh            what Sluice, its demo and its tests need
#   setup.sh --clients  that, and the S3 clients of test/e2e/clients (without them their tests are skipped)
#   setup.sh --engines  what `npm run test:engines` needs: a registry, tools that make images, Podman
#   setup.sh --peers    only the S3 servers that `npm run bench` compares with, and MinIO's client, built from source (minutes, 2 GB of module cache)
set -euo pipefail

# program : apt package : dnf package : apk package
needs=(
  bwrap:bubblewrap:bubblewrap:bubblewrap
  convert:imagemagick:ImageMagick:imagemagick
  ffmpeg:ffmpeg:ffmpeg-free:ffmpeg
  rclone:rclone:rclone:rclone
  strace:strace:strace:strace
  slirp4netns:slirp4netns:slirp4netns:slirp4netns
  ip:iproute2:iproute:iproute2
)

# What --clients adds. Debian's aws is version 2, the one from PyPI below version 1: both are in use.
client_needs=(
  /usr/bin/aws:awscli:awscli2:aws-cli
  chromium:chromium:chromium:chromium
  s3cmd:s3cmd:s3cmd:s3cmd
  s3fs:s3fs:s3fs-fuse:s3fs-fuse
)

# What --engines adds. On some machines a service begins with its package: it is stopped, the tests start their own.
engine_needs=(
  skopeo:skopeo:skopeo:skopeo
  docker-registry:docker-registry:docker-distribution:docker-registry
  htpasswd:apache2-utils:httpd-tools:apache2-utils
  umoci:umoci:umoci:umoci
  debootstrap:debootstrap:debootstrap:debootstrap
  /usr/bin/busybox:busybox-static:busybox:busybox-static
  musl-gcc:musl-tools:musl-gcc:musl-dev
  gcc:gcc:gcc:gcc
  /usr/include/stdio.h:libc6-dev:glibc-static:libc-dev
  zstd:zstd:zstd:zstd
  podman:podman:podman:podman
  runc:runc:runc:runc
)

# Clients from PyPI, at the versions that are tested.
python_clients=(
  awscli==1.46.3
  boto3==1.44.3
  botocore==1.44.8
  awscrt==0.38.1
)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; }
}

install_packages() {
  local missing=() need field refresh=() install=()
  for need in "${needs[@]}"; do
    command -v "${need%%:*}" >/dev/null 2>&1 || [ -e "${need%%:*}" ] || missing+=("$need")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0

  if command -v apt-get >/dev/null 2>&1; then
    field=2 refresh=(apt-get update -qq) install=(apt-get install -y --no-install-recommends)
  elif command -v dnf >/dev/null 2>&1; then
    field=3 refresh=(true) install=(dnf install -y)
  elif command -v apk >/dev/null 2>&1; then
    field=4 refresh=(apk update) install=(apk add)
  else
    echo "setup: found neither apt-get, dnf nor apk; please install these programs:" "${missing[@]%%:*}" >&2
    return 1
  fi

  local packages=()
  for need in "${missing[@]}"; do packages+=("$(cut -d: -f"$field" <<<"$need")"); done
  if ! may_install; then
    echo "setup: some programs are missing; please run:  sudo ${install[*]} ${packages[*]}" >&2
    return 1
  fi
  echo "setup: installing ${packages[*]}" >&2
  local log
  log=$(mktemp)
  if ! { as_root "${refresh[@]}" && as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" "${packages[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: could not install ${packages[*]}; the whole output is in $log" >&2
    return 1
  fi
  rm -f "$log"
}

# Ubuntu 24.04 and newer forbid user namespaces to programs without an AppArmor profile, and so bubblewrap as well.
allow_user_namespaces() {
  local switch=/proc/sys/kernel/apparmor_restrict_unprivileged_userns profile=/etc/apparmor.d/sluice-bwrap
  if [ ! -r "$switch" ] || [ "$(cat "$switch")" != 1 ] || [ -e "$profile" ] || [ -e /etc/apparmor.d/bwrap-userns-restrict ]; then return 0; fi
  if ! may_install; then
    echo "setup: AppArmor forbids user namespaces; please run:  sudo $0" >&2
    return 1
  fi
  as_root tee "$profile" >/dev/null <<'EOT'
abi <abi/4.0>,
include <tunables/global>

profile sluice-bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
}
EOT
  as_root apparmor_parser -r "$profile"
}

install_clients() {
  # Debian has the module that makes virtual environments in a package apart, which no program shows.
  if ! python3 -c 'import ensurepip' 2>/dev/null; then needs+=(python3-with-venv:python3-venv:python3:python3); fi
  needs+=("${client_needs[@]}")
  install_packages
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/clients log
  if [ "$(cat "$folder/versions" 2>/dev/null)" = "${python_clients[*]}" ] && "$folder/bin/python" -c 'import boto3, awscrt' 2>/dev/null; then
    return 0
  fi
  echo "setup: installing ${python_clients[*]} into $folder" >&2
  log=$(mktemp)
  rm -rf "$folder"
  if ! { python3 -m venv "$folder" && "$folder/bin/pip" install --disable-pip-version-check "${python_clients[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "setup: could not install ${python_clients[*]}; the whole output is in $log" >&2
    return 1
  fi
  rm -f "$log"
  echo "${python_clients[*]}" >"$folder/versions"
}

# program : Go package at the version that is compared with. The last community releases of MinIO and its client have tags that Go cannot name:
# these are their commits.
peers=(
  minio:github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c
  versitygw:github.com/versity/versitygw/cmd/versitygw@v1.8.0
  mc:github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9
)

# Without them the benchmarks say that they compared with nobody, and the tests of mc that they were skipped: a machine that cannot build them
# is no failure.
build_peers() {
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/sluice/peers peer name package log
  if ! command -v go >/dev/null 2>&1; then
    echo "setup: found no go: the S3 benchmarks run without peers (install Go 1.24 or newer for them)" >&2
    return 0
  fi
  mkdir -p "$folder"
  for peer in "${peers[@]}"; do
    name=${peer%%:*} package=${peer#*:}
    if [ -x "$folder/$name" ] && [ "$(cat "$folder/$name.version" 2>/dev/null)" = "$package" ]; then continue; fi
    echo "setup: building $package" >&2
    log=$(mktemp)
    if GOBIN=$folder CGO_ENABLED=0 timeout 1800 go install "$package" >"$log" 2>&1; then
      echo "$package" >"$folder/$name.version"
      rm -f "$log"
    else
      tail -n 5 "$log" >&2
      echo "setup: could not build $name: it is left out; the whole output is in $log" >&2
    fi
  done
}

case ${1:-} in
  "")
    install_packages
    allow_user_namespaces
    ;;
  --clients)
    install_clients
    allow_user_namespaces
    ;;
  --engines)
    needs+=("${engine_needs[@]}")
    install_packages
    if may_install && command -v systemctl >/dev/null 2>&1; then as_root systemctl stop docker-registry 2>/dev/null || true; fi
    allow_user_namespaces
    ;;
  --peers) build_peers ;;
  *) echo "setup: unknown argument $1 (there are --clients, --engines and --peers)" >&2 && exit 2 ;;
esac
