/* Signatures: each attempt has a time and nonce of its own. */
#include <string.h>

#include "client/api/inside.h"
#include "crypto/hash.h"
#include "seal/receipt.h"

enum { DEADLINE_MS = 20000 };

static struct err write_auth(struct buf *header, const struct api_signing *s, const char *path,
                             struct bytes message)
{
    struct digest hash;
    uint8_t nonce[REQUEST_NONCE_BYTES];
    TRY(rng_fill(s->rng, nonce, sizeof nonce));
    hash_once(&hash_sha256, message, &hash);
    struct request_auth auth = {
        .kind = s->caller.kind,
        .id = s->caller.id,
        .audience = bytes_str(s->audience),
        .time_ms = clock_unix_ms(s->clock),
        .nonce = nonce,
    };
    return request_auth_sign(header, &auth, bytes_str(path), hash.data, s->caller.key);
}

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    const struct api_signing *s = self;
    struct buf header = BUF_INIT;
    enum hearth_code code = HEARTH_INTERNAL;
    if (err_is_ok(write_auth(&header, s, endpoint->path, bytes_of(message, len))) &&
        hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len))
        code = HEARTH_OK;
    buf_clear(&header);
    return code;
}

struct hearth_signer api_signer(struct api_signing *signing)
{
    if (signing->caller.kind == 0)
        return (struct hearth_signer){0};
    return (struct hearth_signer){.sign = sign, .self = signing};
}

/* The version of the protocol that this library speaks (protocol.md 4), and what pays the call. */
static void write_headers(const struct api_to *to, struct api_headers *headers)
{
    headers->list[0] = (struct hearth_metadata){.name = "hearth-version", .value = "1", .len = 1};
    headers->count = 1;
    if (to->receipt || to->receipt_always) {
        const char *when = to->receipt_always ? "always" : "refusal";
        headers->list[headers->count++] = (struct hearth_metadata){
            .name = RECEIPT_ASK_METADATA, .value = when, .len = strlen(when)};
    }
    for (size_t at = 0; at < to->tokens.len; at += API_TOKEN_BYTES)
        headers->list[headers->count++] = (struct hearth_metadata){
            .name = "hearth-token-bin", .value = to->tokens.data + at, .len = API_TOKEN_BYTES};
}

struct hearth_call_options api_call_options(const struct api_to *to, struct api_signing *signing,
                                            struct api_headers *headers)
{
    write_headers(to, headers);
    return (struct hearth_call_options){
        .deadline_ms = to->deadline_ms != 0 ? to->deadline_ms : DEADLINE_MS,
        .metadata = headers->list,
        .metadata_count = headers->count,
        .signer = api_signer(signing),
    };
}
