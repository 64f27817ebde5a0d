// The public header from C++: a server and a blocking client in a few lines.
#include <hearth/rpc.h>

#include <cstdio>
#include <cstring>

#include "bench_rpc.h"

static enum hearth_code echo(struct hearth_call *, const Bench__EchoRequest *in,
                             Bench__EchoReply *out, void *)
{
    out->payload = in->payload;
    return HEARTH_OK;
}

int main()
{
    struct bench_echo_service impl = {};
    impl.unary = echo;
    struct hearth_server *server = hearth_server_new(nullptr);
    char address[32];
    if (!hearth_server_add_bench_echo(server, &impl, nullptr) ||
        !hearth_server_listen(server, "127.0.0.1:0", nullptr) || !hearth_server_start(server))
        return 1;
    std::snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(server, 0));
    struct hearth_channel *channel = hearth_channel_new(address, nullptr);
    Bench__EchoRequest in = BENCH__ECHO_REQUEST__INIT;
    Bench__EchoReply *out = nullptr;
    uint8_t text[] = {'h', 'i'};
    in.payload.len = sizeof text;
    in.payload.data = text;
    struct hearth_status status = {};
    bool good = bench_echo_unary(channel, nullptr, &in, &out, &status) == HEARTH_OK &&
                out->payload.len == 2 && std::memcmp(out->payload.data, "hi", 2) == 0;
    if (out != nullptr)
        bench__echo_reply__free_unpacked(out, nullptr);
    hearth_status_clear(&status);
    hearth_channel_free(channel);
    hearth_server_free(server);
    return good ? 0 : 1;
}
