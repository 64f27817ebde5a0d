# Who may use whom, as data. Arrows point from a folder to what it may include and link; nothing else compiles
# (tests/arch/includes.py holds this list against the sources). Order is bottom up.
hearth_module(base lib/base LIBS lib::threads)
hearth_module(wire lib/wire USES base)
hearth_module(crypto lib/crypto USES base wire LIBS lib::crypto lib::sodium)

# MLS rings: codec knows shapes, public what a server may know, member holds the secrets.
hearth_module(mls_codec lib/mls/codec USES base wire crypto)
hearth_module(mls_public lib/mls/public USES base wire crypto mls_codec)
hearth_module(mls_member lib/mls/member USES base wire crypto mls_codec mls_public)

# Our own envelopes, both ends of each in one file.
hearth_module(seal lib/seal USES base wire crypto)

# The verifiable log of keys: trees, proofs, checkpoints. No I/O: trees stand behind callbacks.
hearth_module(tlog lib/tlog USES base wire crypto seal)
# Anonymous tokens: type 0x0005 in batches, type 0x0002 vouchers between homeservers (Privacy Pass).
hearth_module(pass lib/pass USES base wire crypto)

# Durable storage: mechanism only, knows no table. The only includer of sqlite3.h.
hearth_module(store lib/store USES base LIBS lib::sqlite lib::threads)

# Care with protobuf-c.
hearth_module(pb lib/pb USES base LIBS lib::protobuf_c)

# Messages that the runtime, reflection and the stub generator read.
hearth_generated(generated_messages ROOT generated ONLY .pb-c
  FOLDERS google/protobuf google/protobuf/compiler google/rpc hearth
  grpc/health/v1 grpc/reflection/v1 grpc/reflection/v1alpha)

# The stub generator.
hearth_module(plugin proto/plugin USES base pb generated_messages)
hearth_program(protoc-gen-hearth SOURCES proto/protoc_gen_hearth.c USES plugin)

# gRPC: rpc is bytes in, bytes out; net owns sockets, TLS and the loop.
hearth_module(rpc lib/rpc USES base pb generated_messages LIBS lib::nghttp2 lib::protobuf_c lib::zlib)

# The services that come with it. Their stubs stand on the runtime, which offers them: a ring among static
# libraries, but none among folders.
hearth_generated(generated_core ROOT generated ONLY _rpc
  FOLDERS google/rpc grpc/health/v1 grpc/reflection/v1 grpc/reflection/v1alpha
  USES rpc generated_messages)
hearth_module(rpc_services lib/rpc/services USES base pb rpc generated_core)
hearth_module(net lib/net USES base rpc rpc_services LIBS lib::event lib::cares lib::ssl lib::crypto lib::threads)
target_link_libraries(generated_core PUBLIC net)

# Hearth's own services.
hearth_generated(generated_hearth ROOT generated FOLDERS hearth/v1 USES rpc generated_messages)
target_link_libraries(generated_hearth PUBLIC net)

# The server (docs/server.md). Never mls_member: it can't hold a group secret.
hearth_module(server_confine server/confine USES base)
hearth_module(server_keeper server/keeper USES base wire crypto pass seal server_confine)
hearth_module(server_front server/front
  USES base wire crypto pass seal store rpc pb generated_messages generated_hearth server_keeper)
hearth_module(server_info server/info
  USES base wire crypto pass seal store rpc pb generated_messages generated_hearth server_keeper server_front)
hearth_module(server_auth server/auth
  USES base wire crypto pass seal store rpc pb generated_hearth server_keeper server_front)
hearth_module(server_queue server/queue
  USES base wire crypto seal mls_codec mls_public store rpc pb generated_hearth server_keeper server_front)
hearth_module(server_attachment server/attachment
  USES base wire crypto seal store rpc pb generated_hearth server_keeper server_front)
hearth_module(server_relay server/relay
  USES base wire crypto seal rpc pb generated_hearth server_keeper server_front)
hearth_module(server_courier server/courier
  USES base wire crypto seal store rpc pb generated_hearth server_keeper server_front server_queue)
hearth_module(server_federation server/federation
  USES base wire crypto seal tlog store rpc net pb generated_hearth server_keeper server_front server_queue server_courier)
hearth_module(server_delivery server/delivery
  USES base wire crypto seal mls_codec mls_public store rpc pb generated_hearth server_keeper server_front
  server_queue server_courier)
hearth_module(server_transparency server/transparency
  USES base wire crypto seal tlog store rpc pb generated_hearth server_keeper server_front)
hearth_module(server_admin server/admin
  USES base wire crypto seal store rpc pb generated_hearth server_keeper server_front)
hearth_module(server_main server/main LIBS lib::inih lib::curl
  USES base wire crypto seal tlog store rpc net pb generated_hearth server_confine server_keeper server_front server_info server_auth
  server_queue server_attachment server_relay server_courier server_federation server_delivery server_transparency server_admin)

hearth_program(hearthd SOURCES server/hearthd.c USES server_main)

# Stubs for measurements and tests.
hearth_generated(generated_bench ROOT generated/tests FOLDERS . USES rpc)
hearth_generated(generated_interop ROOT generated/tests FOLDERS grpc/testing mls_client USES rpc)
hearth_generated(generated_golden ROOT generated/tests FOLDERS golden google/protobuf
  USES rpc generated_messages)

# The client (include/hearth/client.h): db knows files, api connections, core everything else.
hearth_module(client_db client/db USES base wire crypto seal store)
hearth_module(client_api client/api USES base wire crypto seal rpc net pb generated_hearth)
hearth_module(client_core client/core
  USES base wire crypto seal tlog mls_codec mls_public mls_member pass rpc net pb generated_hearth client_db client_api LIBS lib::jansson)
hearth_module(client_cli client/cli USES base client_core LIBS lib::jansson lib::edit lib::qrencode)
hearth_program(hearth SOURCES client/hearth.c USES client_cli)
