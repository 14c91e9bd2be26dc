#!/bin/sh
# Writes the database into an archive, and keeps the newest seven.
set -eu

target=${1:?the directory of the archives}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

sqlite3 shop.db ".backup '$work/shop.db'"
tar -czf "$target/shop-$(date +%Y%m%d).tar.gz" -C "$work" shop.db

ls -1t -- "$target" | grep '^shop-[0-9]*[.]tar[.]gz$' | tail -n +8 | while IFS= read -r old; do
  rm -f -- "$target/$old"
done
