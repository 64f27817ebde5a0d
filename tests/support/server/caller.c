#include "support/server/caller.h"

#include <stdio.h>

#include "crypto/hash.h"
#include "support/failing.h"
#include "support/test.h"

void caller_set_id(struct caller *c, struct bytes id)
{
    assert_true(id.len <= sizeof c->id_bytes);
    if (id.len > 0)
        memcpy(c->id_bytes, id.data, id.len);
    c->id = bytes_of(c->id_bytes, id.len);
}

void caller_init(struct caller *c, enum request_caller kind, struct bytes id, const char *audience,
                 const struct clock *clock, const struct rng *rng)
{
    *c = (struct caller){.kind = kind, .clock = clock, .rng = rng};
    caller_set_id(c, id);
    (void)snprintf(c->audience, sizeof c->audience, "%s", audience);
    assert_ok(sig_key_generate(&sig_ed25519, rng, &c->key));
    assert_ok(sig_key_generate(&sig_ed25519, rng, &c->other_key));
}

void caller_clear(struct caller *c)
{
    sig_key_clear(&c->key);
    sig_key_clear(&c->other_key);
    buf_clear(&c->last);
}

struct bytes caller_public_key(const struct caller *c)
{
    return bytes_of(c->key.public_key.data, c->key.public_key.len);
}

/* The header, as it should be or not. */
static void make(struct caller *c, const char *path, const uint8_t *message, size_t len,
                 struct buf *header)
{
    const struct caller_faults *f = &c->faults;
    struct digest hash;
    hash_once(&hash_sha256, bytes_of(message, len), &hash);
    if (f->other_body)
        hash.data[7] ^= 1;
    if (!f->replay_nonce)
        assert_ok(rng_fill(c->rng, c->nonce, sizeof c->nonce));
    struct request_auth auth = {
        .kind = f->kind != 0 ? f->kind : c->kind,
        .id = f->id.len > 0 ? f->id : c->id,
        .audience = bytes_str(f->audience != NULL ? f->audience : c->audience),
        .time_ms = clock_unix_ms(c->clock) + (uint64_t)f->time_off_ms,
        .nonce = c->nonce,
    };
    assert_ok(request_auth_sign(header, &auth, bytes_str(f->path != NULL ? f->path : path),
                                hash.data, f->wrong_key ? &c->other_key : &c->key));
    /* the signature comes last: its length in one byte or two, then 64 bytes */
    if (f->zero_signature)
        memset(header->data + header->len - 64, 0, 64);
    if (f->no_signature) {
        header->len -= 66;
        buf_append_byte(header, 0);
    }
    header->len -= f->cut < header->len ? f->cut : header->len;
}

static enum hearth_code sign_it(struct hearth_client_call *call,
                                const struct hearth_endpoint *endpoint, const uint8_t *message,
                                size_t len, struct caller *c)
{
    struct buf header = BUF_INIT;
    c->calls++;
    if (c->faults.no_auth)
        return HEARTH_OK;
    if (c->faults.replay)
        buf_append_bytes(&header, buf_view(&c->last));
    else if (c->faults.garbage)
        buf_append(&header, "garbage that is not", 19);
    else
        make(c, endpoint->path, message, len, &header);
    bool added = true;
    for (int i = 0; i < 1 + c->faults.twice; i++)
        added &=
            hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len);
    buf_clear(&c->last);
    c->last = header;
    return added ? HEARTH_OK : HEARTH_INTERNAL;
}

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    test_pause_failing();
    enum hearth_code code = sign_it(call, endpoint, message, len, self);
    test_resume_failing();
    return code;
}

struct hearth_signer caller_signer(struct caller *c)
{
    return (struct hearth_signer){.sign = sign, .self = c};
}
