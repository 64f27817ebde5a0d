# Who may use whom, as data. Arrows point from a folder to what it may include and link; nothing else compiles
# (tests/arch/includes.py holds this list against the sources). Order is bottom up.
hearth_module(base lib/base LIBS lib::threads)
hearth_module(wire lib/wire USES base)
hearth_module(crypto lib/crypto USES base wire LIBS lib::crypto lib::sodium)

# MLS rings: codec knows shapes, public what a server may know, member holds the secrets.
hearth_module(mls_codec lib/mls/codec USES base wire crypto)
hearth_module(mls_public lib/mls/public USES base wire crypto mls_codec)
hearth_module(mls_member lib/mls/member USES base wire crypto mls_codec mls_public)

# The stub generator, and the messages it reads.
hearth_generated(generated_descriptor ROOT generated FOLDERS google/protobuf google/protobuf/compiler hearth)
hearth_module(plugin proto/plugin USES base generated_descriptor)
hearth_program(protoc-gen-hearth SOURCES proto/protoc_gen_hearth.c USES plugin)

# gRPC: rpc is bytes in, bytes out; net owns sockets, TLS and the loop.
hearth_generated(generated_status ROOT generated FOLDERS google/rpc USES generated_descriptor)
hearth_module(rpc lib/rpc USES base generated_status LIBS lib::nghttp2 lib::protobuf_c lib::zlib)
hearth_module(net lib/net USES base rpc LIBS lib::event lib::ssl lib::crypto lib::threads)

# Stubs for tests and measurements.
hearth_generated(generated_bench ROOT generated/tests FOLDERS . USES rpc)
