#!/bin/sh
# Builds the C guests of this folder into bin/. Needs a clang that knows wasm32-wasi and a wasi-libc.
#
# The committed binaries were built with Zig's:
#   python3 -m venv venv && venv/bin/pip install ziglang==0.17.0
#   CC="venv/bin/python -m ziglang cc" ./build.sh
# With Debian's packages clang, lld, wasi-libc and libclang-rt-dev-wasm32:
#   CC="clang --target=wasm32-wasi" ./build.sh
set -eu
cd "$(dirname "$0")"
CC=${CC:-"python3 -m ziglang cc"}
mkdir -p bin
for guest in noop hello wordcount mandelbrot readall posix; do
    # shellcheck disable=SC2086 # CC is a command with its arguments
    $CC -target wasm32-wasi -O2 -s -Wall -Wextra -Werror -o "bin/$guest.wasm" "$guest.c"
done
ls -l bin
