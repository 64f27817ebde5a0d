#include "support/tokens/tokens.h"

#include "hearth/v1/common.pb-c.h"
#include "pass/issue.h"
#include "pass/redeem.h"
#include "pass/request.h"
#include "support/test.h"

void tokens_draw(struct tokens *t, struct keeper *keeper, const char *domain, uint8_t class,
                 uint64_t now_s, size_t count, const struct rng *rng)
{
    static struct pass_order order;
    static struct pass_coin coins[TOKENS_MOST];
    uint8_t private_key[KEEPER_KEY_BYTES];
    struct voprf_key key;
    struct pass_issuer_key issuer;
    struct pass_request request;
    struct buf up = BUF_INIT, down = BUF_INIT;
    assert_in_range(count, 1, TOKENS_MOST);
    assert_ok(keeper_token_key(keeper, class, pass_period_at(now_s), private_key));
    assert_ok(voprf_key_init(private_key, &key));
    assert_ok(pass_issuer_key_init(bytes_str(domain), class, pass_period_at(now_s), &key, &issuer));
    assert_ok(pass_order_init(&issuer.public, count, rng, &order));
    pass_order_write(&order, &up);
    assert_ok(pass_request_parse(buf_view(&up), &request));
    assert_ok(pass_issue(&issuer, rng, &request, &down));
    assert_ok(pass_order_finish(&order, buf_view(&down), coins));
    for (size_t i = 0; i < count; i++) {
        buf_reset_unwiped(&up);
        pass_coin_write_short(&up, &issuer.public, &coins[i]);
        memcpy(t->bytes[i], up.data, PASS_SHORT_BYTES);
        t->metadata[i] =
            (struct hearth_metadata){"hearth-token-bin", t->bytes[i], PASS_SHORT_BYTES};
    }
    t->count = count;
    buf_clear(&up);
    buf_clear(&down);
}

uint32_t tokens_wanted(const struct hearth_status *status)
{
    uint32_t tokens = 0;
    Hearth__V1__TokensRequired *detail = (Hearth__V1__TokensRequired *)hearth_status_find(
        status, &hearth__v1__tokens_required__descriptor);
    if (detail != NULL) {
        tokens = detail->tokens;
        protobuf_c_message_free_unpacked(&detail->base, NULL);
    }
    return tokens;
}
