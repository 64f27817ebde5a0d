/* Our signature under calls to others: kind `homeserver`, by the keeper. */
#include "crypto/hash.h"
#include "server/federation/inside.h"

static struct err keeper_signs(void *keeper, struct bytes label, struct bytes content,
                               struct signature *ret_signature)
{
    return keeper_sign(keeper, KEEPER_FEDERATION, false, label, content, ret_signature);
}

static struct err write_auth(struct buf *b, const struct signing *s, const char *path,
                             struct bytes message)
{
    const struct front_env *env = s->env;
    const struct credential_signer signer = {keeper_signs, env->keeper};
    uint8_t nonce[REQUEST_NONCE_BYTES];
    struct digest hash;
    TRY(rng_fill(env->rng, nonce, sizeof nonce));
    hash_once(&hash_sha256, message, &hash);
    const struct request_auth auth = {
        .kind = REQUEST_HOMESERVER,
        .id = bytes_str(env->domain),
        .audience = bytes_str(s->audience),
        .time_ms = clock_unix_ms(env->clock),
        .nonce = nonce,
    };
    return request_auth_sign_by(b, &auth, bytes_str(path), hash.data, &signer);
}

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    struct buf header = BUF_INIT;
    enum hearth_code code = HEARTH_INTERNAL;
    if (err_is_ok(write_auth(&header, self, endpoint->path, bytes_of(message, len))) &&
        hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len))
        code = HEARTH_OK;
    buf_clear(&header);
    return code;
}

struct hearth_signer signer_of(struct signing *signing)
{
    return (struct hearth_signer){.sign = sign, .self = signing};
}
