/* The test client: what its cases share. A case returns true when all that its description asserts
 * holds, and else says on stderr what does not.
 */
#ifndef TESTS_INTEROP_CLIENT_H
#define TESTS_INTEROP_CLIENT_H

#include "grpc/testing/test_rpc.h"

struct client_settings {
    const char *host, *host_override, *test_case, *ca_file;
    unsigned port;
    bool use_tls, use_test_ca;
    unsigned soak_iterations, soak_max_failures, soak_latency_ms, soak_timeout_s, soak_wait_ms;
    unsigned soak_request_size, soak_response_size;
    unsigned slow_consumer_ms; /* between two reads */
};

struct client {
    const struct client_settings *settings;
    struct hearth_channel *channel;
};

struct test_case {
    const char *name;
    bool (*run)(struct client *client);
};

/* By file; the last row's name is NULL. */
extern const struct test_case unary_cases[], stream_cases[], compressed_cases[], many_cases[],
    http2_cases[];

/* A new channel to the server of the settings; NULL, with the reason on stderr. */
struct hearth_channel *client_connect(const struct client_settings *settings);

/* ---- assertions ---- */

/* Prints and returns false. */
bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Complains when the code is another than wanted; clears nothing. */
bool code_is(const char *what, enum hearth_code want, const struct hearth_status *status);
/* The payload has so many bytes, all zero. */
bool payload_is(const Grpc__Testing__Payload *payload, size_t size);

/* ---- requests ---- */

enum { LARGE_REQUEST_BYTES = 271828, LARGE_RESPONSE_BYTES = 314159, ZEROS_BYTES = 1024 * 1024 };

/* What a SimpleRequest of these tests is made of: init, then set members of `in`. */
struct simple {
    Grpc__Testing__SimpleRequest in;
    Grpc__Testing__Payload payload;
    Grpc__Testing__BoolValue expect_compressed, response_compressed;
    Grpc__Testing__EchoStatus echo;
};
/* request_bytes and response_bytes of payload; the rest unset. request_bytes up to ZEROS_BYTES. */
void simple_init(struct simple *s, size_t request_bytes, size_t response_bytes);
/* Sets expect_compressed or response_compressed. */
void simple_expect(struct simple *s, bool compressed);
void simple_want(struct simple *s, bool compressed);

/* One request of a stream with room for four answers. */
struct output {
    Grpc__Testing__StreamingOutputCallRequest in;
    Grpc__Testing__ResponseParameters parameters[4], *at[4];
    Grpc__Testing__BoolValue compressed[4];
    Grpc__Testing__Payload payload;
    Grpc__Testing__EchoStatus echo;
};
void output_init(struct output *o, size_t request_bytes);
/* Asks for one more answer. */
void output_add(struct output *o, size_t response_bytes);
/* The last one asked for shall be compressed, or not. */
void output_want(struct output *o, bool compressed);

/* Calls UnaryCall, expects OK and a payload of the size asked for. options may be NULL. */
bool large_unary(struct hearth_channel *channel, const struct hearth_call_options *options,
                 const struct simple *s, struct hearth_status *status);

#endif
