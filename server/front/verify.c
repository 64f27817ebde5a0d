/* Is it who it says: signature and nonce. The one place that verifies, so that all ways of being
 * wrong cost the same. */
#include "server/front/inside.h"

/* RFC 8032 7.1, TEST 1: a key and a signature of nobody's, good enough to be verified in full. */
static const uint8_t nobody_key[32] = {
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
static const uint8_t nobody_signature[64] = {
    0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a,
    0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55,
    0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b,
    0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b};

static struct err verify(struct admission *p, const struct sig_alg *alg, struct bytes key)
{
    metrics_add(p->front->metrics, METRIC_VERIFICATIONS, 1);
    return request_auth_verify(&p->auth, bytes_str(p->path), p->caller.body_hash, alg, key);
}

void front_verify_dummy(void)
{
    static const uint8_t message[256] = {1};
    struct err err = sig_verify(&sig_ed25519, bytes_of(nobody_key, sizeof nobody_key),
                                bytes_of(message, sizeof message),
                                bytes_of(nobody_signature, sizeof nobody_signature));
    (void)err;
}

void pending_verify_dummy(struct admission *p)
{
    if (!p->auth_ok) {
        metrics_add(p->front->metrics, METRIC_VERIFICATIONS, 1);
        front_verify_dummy();
        return;
    }
    struct err err = verify(p, &sig_ed25519, bytes_of(nobody_key, sizeof nobody_key));
    (void)err;
}

static struct err keep_nonce(struct admission *p)
{
    struct front *front = p->front;
    if (p->nonce_kept)
        return ERR_OK;
    uint8_t kind = (uint8_t)p->caller.kind;
    uint32_t window_s = (uint32_t)limit_value(front->limits, LIMIT_AUTH_WINDOW_S);
    struct err err = nonce_table_take(
        &front->nonces,
        BYTES_LIST(bytes_of(&kind, 1), p->caller.id, bytes_of(p->auth.nonce, REQUEST_NONCE_BYTES)),
        (uint32_t)limit_value(front->limits, LIMIT_NONCES), clock_monotonic_us(front->env->clock),
        2 * window_s);
    if (err.code == ERR_FRONT_UNAUTHENTICATED)
        metrics_add(front->metrics, METRIC_REFUSED_REPLAY, 1);
    p->nonce_kept = err_is_ok(err);
    return err;
}

struct err pending_verify(struct admission *p, const struct sig_alg *alg, struct bytes key)
{
    struct err err = verify(p, alg, key);
    if (p->wrong || (!err_is_ok(err) && err.code != ERR_NO_MEMORY))
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(err);
    TRY(keep_nonce(p));
    p->caller.verified = true;
    front_set_known(p->front, p->claimed);
    return ERR_OK;
}

struct err front_verify(struct hearth_call *call, const struct sig_alg *alg,
                        struct bytes public_key)
{
    /* const only towards handlers */
    struct admission *p = (struct admission *)(uintptr_t)hearth_call_caller(call);
    if (p == NULL)
        return ERR(FRONT_UNAUTHENTICATED);
    if (p->front->options.control) {
        p->caller.verified = true;
        return ERR_OK;
    }
    p->caller.verified = false;
    if (p->auth_ok && alg != NULL && public_key.len > 0)
        return pending_verify(p, alg, public_key);
    pending_verify_dummy(p);
    return ERR(FRONT_UNAUTHENTICATED);
}
