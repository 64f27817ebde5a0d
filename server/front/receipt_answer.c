/* Signed receipts (seal/receipt.h) for who asked for one. The keeper is asked while the loop waits,
 * some 100 us: so there are few (LIMIT_RECEIPTS_...), and a call without one is as good. What is
 * accepted has limits apart, so that it takes no receipt away from a refusal. */
#include "seal/receipt.h"
#include "server/front/inside.h"

enum { HOUR_MS = 3600 * 1000 };

static struct err sign(void *self, struct bytes label, struct bytes content,
                       struct signature *ret_signature)
{
    return keeper_sign(self, KEEPER_AS_SIGNING, false, label, content, ret_signature);
}

static bool wants(struct hearth_call *call, enum hearth_code code)
{
    const uint8_t *value;
    size_t len;
    if (!hearth_call_metadata(call, RECEIPT_ASK_METADATA, 0, &value, &len))
        return false;
    struct bytes said = bytes_of(value, len);
    return bytes_equal(said, bytes_str("always")) ||
           (code != HEARTH_OK && bytes_equal(said, bytes_str("refusal")));
}

/* No answers, and nothing to be shown to anybody. */
static bool is_passing(enum hearth_code code)
{
    return code == HEARTH_CANCELLED || code == HEARTH_UNAVAILABLE ||
           code == HEARTH_DEADLINE_EXCEEDED || code == HEARTH_INTERNAL;
}

static struct err make(const struct admission *p, enum hearth_code code, struct buf *b)
{
    const struct front_env *env = p->front->env;
    const struct credential_signer signer = {sign, env->keeper};
    struct buf signing = BUF_INIT;
    struct err err = keeper_credential(env->keeper, KEEPER_AS_SIGNING, &signing);
    const struct receipt fields = {
        .status = (uint16_t)code,
        .hour = (uint32_t)(clock_unix_ms(env->clock) / HOUR_MS),
        .request_hash = p->caller.body_hash,
        .domain = bytes_str(env->domain),
        .method = bytes_str(p->path),
    };
    if (err_is_ok(err))
        err = receipt_make(b, &fields, buf_view(&signing), &signer);
    buf_clear(&signing);
    return err;
}

static bool afford(struct front *front, const struct admission *p, bool refused)
{
    return err_is_ok(limit_take(front->limits,
                                refused ? LIMIT_RECEIPTS_PREFIX : LIMIT_RECEIPTS_DONE_PREFIX,
                                p->caller.source, 1, NULL)) &&
           err_is_ok(limit_take(front->limits, refused ? LIMIT_RECEIPTS : LIMIT_RECEIPTS_DONE,
                                bytes_str("all"), 1, NULL));
}

void receipt_on_answer(struct hearth_call *call, enum hearth_code code, void *self)
{
    struct front *front = self;
    const struct admission *p = hearth_call_caller(call);
    struct buf receipt = BUF_INIT;
    if (p == NULL || p->heard_us == 0 || is_passing(code) || !wants(call, code))
        return;
    if (!afford(front, p, code != HEARTH_OK))
        return;
    if (err_is_ok(make(p, code, &receipt)))
        (void)hearth_call_add_trailer(call, RECEIPT_METADATA, receipt.data, receipt.len);
    buf_clear(&receipt);
}
