#!/bin/sh
# Installs gc: one executable, under the two names gc and gcompute, without root and without a package manager.
#
#   curl -fsSL https://RELAY/install.sh | sh                a running relay serves this script and its own executable
#   sh install.sh --relay HOST:PORT --ca cert.pem           the same from a relay with a certificate of its own
#   sh install.sh --base-url URL                            from a mirror: a folder with gc-PLATFORM.gz and SHA256SUMS
#   sh install.sh --offline gc-linux-x64.gz                 without a network; SHA256SUMS lies beside the file
#   sh install.sh --uninstall
#
# Nothing happens before the last line has arrived, so a download that breaks off does nothing. Files are made beside
# the target and renamed; the target is either the old executable or the new one, never half of one.

main() {
  set -u
  # A relay that serves this script writes its own address here.
  base_url_default=""

  prefix=${GC_PREFIX:-}
  base_url=${GC_BASE_URL:-$base_url_default}
  version=${GC_VERSION:-}
  offline=""
  expected=""
  ca_file=""
  relay=""
  force=no
  action=install
  work=""
  need_kib=174080 # 170 MiB: the compressed and the unpacked executable at the same time

  read_arguments "$@"
  if [ -z "$prefix" ]; then
    [ -n "${HOME:-}" ] || fail 64 "HOME is not set" "sh install.sh --prefix DIR"
    prefix=$HOME/.local
  fi
  case $prefix in
    /*) ;;
    *) prefix=$(pwd)/$prefix ;;
  esac
  bin=$prefix/bin
  manifest=$prefix/share/gc/installed

  if [ "$action" = uninstall ]; then
    uninstall
    return
  fi
  find_platform
  make_work_folder
  if [ -n "$offline" ]; then take_offline; else download; fi
  unpack
  try_it
  put_in_place
  report
}

usage() {
  cat <<'TEXT'
Usage: sh install.sh [options]
  --prefix DIR      install DIR/bin/gc and DIR/bin/gcompute (default: ~/.local; environment: GC_PREFIX)
  --base-url URL    folder with gc-PLATFORM.gz and SHA256SUMS (environment: GC_BASE_URL)
  --version V       take URL/vV/ instead of URL/, and insist that the executable is V (environment: GC_VERSION)
  --offline FILE    install this file; SHA256SUMS must lie beside it, or give --sha256
  --sha256 HEX      what the downloaded or offline file must hash to, instead of the line in SHA256SUMS
  --relay HOST:PORT take the executable that this relay runs
  --ca FILE         trust this certificate (PEM) alone; with --relay, the relay's own (cert.pem in its data folder)
  --force           replace a gc in DIR/bin that this script did not install
  --uninstall       remove what this script installed; keys, tasks and endpoints under ~/.gc stay
TEXT
}

read_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix | --base-url | --version | --offline | --sha256 | --ca | --relay)
        [ $# -ge 2 ] || fail 64 "$1 needs a value" "sh install.sh --help"
        case $1 in
          --prefix) prefix=$2 ;;
          --base-url) base_url=$2 ;;
          --version) version=${2#v} ;;
          --offline) offline=$2 ;;
          --sha256) expected=$(printf %s "$2" | tr A-F a-f) ;;
          --ca) ca_file=$2 ;;
          --relay) relay=$2 ;;
        esac
        shift 2
        ;;
      --prefix=* | --base-url=* | --version=* | --offline=* | --sha256=* | --ca=* | --relay=*)
        option=${1%%=*}
        value=${1#*=}
        shift
        set -- "$option" "$value" "$@"
        ;;
      --force) force=yes && shift ;;
      --uninstall) action=uninstall && shift ;;
      -h | --help) usage && exit 0 ;;
      *) fail 64 "unknown option \"$1\"" "sh install.sh --help" ;;
    esac
  done
  case $version in
    */* | *..*) fail 64 "\"$version\" is not a version" "sh install.sh --version 0.1.0" ;;
  esac
}

# Exit code, what happened, what to type next. Codes are those of sysexits.h.
fail() {
  printf 'install.sh: %s\n' "$2" >&2
  [ -z "${3:-}" ] || printf '  try: %s\n' "$3" >&2
  exit "$1"
}

say() {
  printf '%s\n' "$*" >&2
}

have() {
  command -v "$1" >/dev/null 2>&1
}

find_platform() {
  system=$(uname -s)
  machine=$(uname -m)
  case $system in
    Linux) os=linux ;;
    Darwin) os=darwin ;;
    *) fail 69 "there is no gc for $system; there is one for Linux and macOS" ;;
  esac
  case $machine in
    x86_64 | amd64) cpu=x64 ;;
    aarch64 | arm64) cpu=arm64 ;;
    *) fail 69 "there is no gc for $machine processors; there is one for x86_64 and arm64" ;;
  esac
  # A shell that runs translated on an Apple processor says x86_64.
  if [ "$os" = darwin ] && [ "$cpu" = x64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
    cpu=arm64
  fi
  platform=$os-$cpu
  if [ "$os" = linux ] && is_musl; then
    fail 69 "this system has the musl C library; gc needs glibc 2.17 or newer" "use a glibc system or container"
  fi
}

# Only musl's loader is there, not glibc's: the executable could not start.
is_musl() {
  for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1 \
    /lib64/ld-linux-aarch64.so.1; do
    [ ! -e "$loader" ] || return 1
  done
  for loader in /lib/ld-musl-*.so.1; do
    [ ! -e "$loader" ] || return 0
  done
  return 1
}

# The private folder beside the target in which everything is made; gone again however this script ends.
make_work_folder() {
  mkdir -p "$bin" 2>/dev/null || fail 73 "cannot make the folder \"$bin\"" "sh install.sh --prefix DIR"
  if [ -e "$bin/gc" ] && [ ! -e "$manifest" ] && [ "$force" = no ]; then
    fail 73 "\"$bin/gc\" is there already and was not installed by this script (graphviz has a program of that name)" \
      "sh install.sh --prefix DIR, or --force to replace it"
  fi
  check_space "$need_kib"
  work=$bin/.gc-install.$$
  (umask 077 && mkdir "$work") 2>/dev/null || fail 73 "cannot write in the folder \"$bin\"" "sh install.sh --prefix DIR"
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

check_space() {
  free_kib=$(df -Pk "$bin" 2>/dev/null | awk 'NR == 2 { print $4 }')
  case $free_kib in
    '' | *[!0-9]*) return ;; # cannot tell; a full disk is noticed while writing
  esac
  [ "$free_kib" -ge "$1" ] ||
    fail 73 "\"$bin\" has $((free_kib / 1024)) MiB free; gc needs $(($1 / 1024)) MiB while it is installed" \
      "sh install.sh --prefix DIR on a larger file system"
}

# fetch URL FILE
fetch() {
  if have curl; then
    set -- -fL --retry 2 --connect-timeout 20 -o "$2" "$1"
    [ -z "$ca_file" ] || set -- --cacert "$ca_file" "$@"
    [ -z "$connect_to" ] || set -- --connect-to "$connect_to" "$@"
    if [ -t 2 ]; then curl --progress-bar "$@"; else curl -sS "$@"; fi
  elif have wget; then
    [ -z "$connect_to" ] || fail 69 "--relay with --ca needs curl, and there is only wget" \
      "copy the executable over, then sh install.sh --offline FILE --sha256 HEX"
    set -- -q -O "$2" "$1"
    [ -z "$ca_file" ] || set -- "--ca-certificate=$ca_file" "$@"
    case $(wget --version 2>/dev/null) in
      *GNU*) set -- --tries=2 --timeout=30 "$@" ;; # it would try 20 times; busybox has no such options
    esac
    wget "$@"
  else
    fail 69 "neither curl nor wget is there" "sh install.sh --offline FILE"
  fi
}

# A relay's own certificate is for the name gc-relay, wherever the relay is.
find_relay() {
  case $relay in
    *[!A-Za-z0-9._:-]* | :* | *: | *:*[!0-9]*) fail 64 "\"$relay\" is not HOST:PORT" "sh install.sh --relay HOST:7443"
      ;;
    *:*) ;;
    *) fail 64 "\"$relay\" names no port" "sh install.sh --relay $relay:7443" ;;
  esac
  base_url=https://$relay/gc
  [ -n "$ca_file" ] || return 0
  base_url=https://gc-relay:${relay##*:}/gc
  connect_to=gc-relay:${relay##*:}:$relay
}

download() {
  connect_to=""
  [ -z "$relay" ] || find_relay
  [ -n "$base_url" ] || fail 64 "from where? This copy of install.sh was not served by a relay" \
    "sh install.sh --base-url URL, or --offline FILE"
  from=${base_url%/}
  [ -z "$version" ] || from=$from/v$version
  fetch "$from/SHA256SUMS" "$work/SHA256SUMS" || fail 69 "cannot get \"$from/SHA256SUMS\"" \
    "look at the address, at https_proxy, and whether the relay runs"
  name=gc-$platform.gz
  # A relay serves its own executable as it is; a release is compressed.
  if [ -z "$(sum_of "$work/SHA256SUMS" "$name")" ]; then
    [ -z "$(sum_of "$work/SHA256SUMS" "gc-$platform")" ] || name=gc-$platform
  fi
  [ -n "$expected" ] || expected=$(sum_of "$work/SHA256SUMS" "$name")
  [ -n "$expected" ] || fail 69 "\"$from\" has no gc for $platform" "sh install.sh --base-url URL of another mirror"
  say "downloading $from/$name"
  fetch "$from/$name" "$work/$name" || fail 69 "cannot get \"$from/$name\", or not all of it" "the same command again"
  check_sum "$work/$name" "$from/$name"
}

take_offline() {
  [ -f "$offline" ] || fail 66 "there is no file \"$offline\""
  name=${offline##*/}
  case $offline in
    */*) sums=${offline%/*}/SHA256SUMS ;;
    *) sums=SHA256SUMS ;;
  esac
  if [ -z "$expected" ]; then
    [ -f "$sums" ] || fail 65 "there is no \"$sums\" to check the file against" \
      "sh install.sh --offline FILE --sha256 HEX"
    expected=$(sum_of "$sums" "$name")
    [ -n "$expected" ] || fail 65 "\"$sums\" has no line for \"$name\"" "keep the file's name as it was published"
  fi
  cp "$offline" "$work/$name" || fail 74 "cannot copy \"$offline\" to \"$bin\"; is the disk full, or a quota reached?"
  check_sum "$work/$name" "$offline"
}

# sum_of SUMS NAME: the hash in the line for exactly this name.
sum_of() {
  awk -v name="$2" '{ n = $2; sub(/^\*/, "", n); if (n == name) { print tolower($1); exit } }' "$1"
}

check_sum() {
  if have sha256sum; then
    found=$(sha256sum <"$1")
  elif have shasum; then
    found=$(shasum -a 256 <"$1")
  elif have openssl; then
    found=$(openssl dgst -sha256 -r <"$1")
  else
    fail 69 "there is no sha256sum, shasum or openssl to check the download with"
  fi
  found=${found%% *}
  [ "$found" = "$expected" ] || fail 65 "\"$2\" is damaged or not what was published
  expected $expected
  found    $found" "the same command again; if it repeats, tell whoever runs the mirror"
}

unpack() {
  case $name in
    *.gz)
      have gzip || fail 69 "there is no gzip to unpack \"$name\" with"
      gzip -dc "$work/$name" >"$work/gc" ||
        fail 74 "cannot unpack \"$name\" in \"$bin\"; is the disk full, or a quota reached?"
      ;;
    *) mv "$work/$name" "$work/gc" || fail 74 "cannot write in \"$bin\"" ;;
  esac
  chmod 755 "$work/gc" || fail 73 "cannot make \"$work/gc\" executable"
  # On stable storage before it takes the old one's name; an older sync knows no file names and syncs everything.
  sync "$work/gc" 2>/dev/null || :
}

# The new executable must start here before it replaces anything.
try_it() {
  said=$("$work/gc" --version 2>"$work/said" </dev/null)
  code=$?
  case $code in
    0) ;;
    126) fail 73 "programs may not be started in \"$bin\" (mounted noexec?)" "sh install.sh --prefix DIR elsewhere" ;;
    132) fail 69 "this processor is too old for gc: it needs x86-64-v2 (2009 and newer)" ;;
    *) fail 69 "gc does not start on this machine (exit code $code): $(head -n 3 "$work/said")" \
      "look whether glibc is 2.17 or newer and ulimit -v is unlimited" ;;
  esac
  said=$(printf '%s\n' "$said" | head -n 1)
  [ -z "$version" ] || case " $said " in
    *" $version "*) ;;
    *) fail 65 "asked for gc $version, but \"$name\" says \"$said\"" ;;
  esac
}

put_in_place() {
  mkdir -p "${manifest%/*}" || fail 73 "cannot make the folder \"${manifest%/*}\"" "sh install.sh --prefix DIR"
  printf '%s\n' "$bin/gc" "$bin/gcompute" >"$work/installed" || fail 73 "cannot write in \"$bin\""
  mv -f "$work/installed" "$manifest" || fail 73 "cannot write \"$manifest\""
  mv -f "$work/gc" "$bin/gc" || fail 73 "cannot write \"$bin/gc\""
  ln -s gc "$work/gcompute" 2>/dev/null || ln "$bin/gc" "$work/gcompute" ||
    fail 73 "cannot make the second name \"gcompute\" in \"$bin\""
  mv -f "$work/gcompute" "$bin/gcompute" || fail 73 "cannot write \"$bin/gcompute\""
}

report() {
  say "installed $said as $bin/gc and $bin/gcompute (sha256 checked)"
  winner=$(command -v gc 2>/dev/null)
  case ":$PATH:" in
    *":$bin:"*)
      if [ "$winner" = "$bin/gc" ]; then
        say "gc on your PATH is this one"
      else
        say "\"gc\" on your PATH is $winner, not this one: use gcompute, or put $bin first:"
        say "  export PATH=\"$bin:\$PATH\""
      fi
      ;;
    *)
      [ -z "$winner" ] || say "\"gc\" on your PATH is $winner, another program"
      say "$bin is not on your PATH yet; add this to your shell's start-up file:"
      say "  export PATH=\"$bin:\$PATH\""
      ;;
  esac
  say "next: gc run -- hostname"
}

uninstall() {
  [ -f "$manifest" ] ||
    fail 66 "gc was not installed under \"$prefix\" by this script" "sh install.sh --uninstall --prefix DIR"
  # Only the two names in our own folder, whatever the list says.
  for file in "$bin/gc" "$bin/gcompute"; do
    grep -qxF "$file" "$manifest" || continue
    rm -f "$file" || fail 73 "cannot remove \"$file\""
    say "removed $file"
  done
  rm -f "$manifest" || fail 73 "cannot remove \"$manifest\""
  rmdir "${manifest%/*}" 2>/dev/null
  say "kept ${GC_HOME:-${HOME:-~}/.gc}: keys, tasks and endpoints; an endpoint that runs goes on until it is stopped"
  return 0
}

# In braces: a shell reads to the closing one before it starts anything.
{ main "$@" && exit 0; }
