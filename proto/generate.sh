#!/usr/bin/env bash
# Writes everything under generated/ from the .proto files: protoc-c's messages and protoc-gen-hearth's stubs.
# usage: proto/generate.sh PLUGIN OUT DOCS     from the project's root; ./dev generate calls it, and so does the
# test golden_generated_fresh, which compares OUT with what is committed.
# PLUGIN may be "none": only the messages that the plugin itself stands on are written (the very first build).
set -euo pipefail
plugin=$1 out=$2 docs=$3
mkdir -p "$out/tests" "$docs"

# Messages only: what the plugin reads, and standard types that others build on.
protoc -I proto -I /usr/include --c_out="$out" \
    google/protobuf/descriptor.proto google/protobuf/compiler/plugin.proto google/protobuf/any.proto \
    google/protobuf/duration.proto hearth/options.proto
[ "$plugin" = none ] && exit

stubs() { # stubs OPTIONS OUT SEARCH... -- FILES...: messages, stubs and pages
    local options=$1 to=$2 search=()
    shift 2
    while [ "$1" != -- ]; do search+=(-I "$1"); shift; done
    shift
    [ $# -gt 0 ] || return 0
    PROTOC_GEN_HEARTH=$plugin protoc --plugin=protoc-gen-hearth="$plugin" \
        --plugin=protoc-gen-c=proto/protoc-gen-messages "${search[@]}" -I /usr/include \
        --c_out="$to" --hearth_out="$options:$to" "$@"
}

pages() { # pages OUT SEARCH FILES...: OUT/protocol/<package>.md
    local to=$1 search=$2
    shift 2
    [ $# -gt 0 ] || return 0
    protoc --plugin=protoc-gen-hearth="$plugin" -I "$search" -I proto -I /usr/include \
        --hearth_out="docs=protocol:$to" "$@"
}

shopt -s nullglob
in_proto() { # in_proto PATTERN: files below proto/, named as imports name them
    (cd proto && printf '%s\n' $1)
}

mapfile -t standard < <(in_proto 'google/rpc/*.proto grpc/*/*/*.proto')
mapfile -t ours < <(in_proto 'hearth/v1/*.proto')
stubs policy=optional "$out" proto -- ${standard[@]}
stubs policy=required "$out" proto -- ${ours[@]}
pages "$docs" proto ${ours[@]}
stubs policy=optional "$out/tests" tests/bench tests/interop/proto -- \
    bench.proto grpc/testing/empty.proto grpc/testing/messages.proto grpc/testing/test.proto \
    mls_client/mls_client.proto

# Golden files of the plugin's own tests.
golden=tests/golden/plugin/good
shapes="golden/shapes.proto golden/rules.proto golden/other.proto"
stubs policy=required "$out/tests" "$golden" proto -- $shapes
pages "$out/tests" "$golden" $shapes
stubs policy=optional "$out/tests" "$golden" -- google/protobuf/empty.proto golden/names.proto
