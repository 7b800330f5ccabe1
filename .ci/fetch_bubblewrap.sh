#!/usr/bin/env bash
# Unpacks Debian's or Ubuntu's bubblewrap package into the folder $1, without root and without
# installing anything, where no bwrap is on PATH. The sandbox of the Coder needs it; without it code
# is not run and answers say so. So nothing here makes the set-up fail.
set -u
folder=$1

if command -v bwrap >/dev/null || "$folder/usr/bin/bwrap" --version >/dev/null 2>&1; then
  exit 0
fi

give_up() {
  echo "No sandbox: $1. Programs will not be run until bubblewrap is installed." >&2
  exit 0
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
  give_up "this is not Debian or Ubuntu, and there is no bwrap on PATH"

scratch=$(mktemp -d) || give_up "no temporary folder could be made"
trap 'rm -rf "$scratch"' EXIT
user=(-o "APT::Sandbox::User=$(id -un)")
# A package index of our own, for machines that hold none and for users who may not refresh it.
mkdir -p "$scratch/state/lists/partial" "$scratch/cache/archives/partial" "$scratch/package"
private=("${user[@]}" -o "Dir::State=$scratch/state" -o "Dir::Cache=$scratch/cache"
  -o "Dir::State::status=/var/lib/dpkg/status")

cd "$scratch/package" || exit 0
timeout 60 apt-get -qq "${user[@]}" download bubblewrap >/dev/null 2>&1 || {
  timeout 180 apt-get -qq "${private[@]}" update >/dev/null 2>&1 &&
    timeout 60 apt-get -qq "${private[@]}" download bubblewrap >/dev/null 2>&1
} || give_up "the bubblewrap package could not be downloaded"

cd - >/dev/null && mkdir -p "$folder" &&
  dpkg-deb -x "$scratch"/package/bubblewrap_*.deb "$folder" &&
  "$folder/usr/bin/bwrap" --version >/dev/null 2>&1 ||
  give_up "the bubblewrap package does not run here"
