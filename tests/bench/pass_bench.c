/* Anonymous tokens: what one core issues, redeems and makes in a second, beside the group
 * operations beneath. The bars: 4,500 tokens issued in batches of 100, 8,000 redeemed. */
#define BENCH_OF_CORE
#include <sodium.h>

#include "bench/bench.h"
#include "pass/redeem.h"
#include "pass/request.h"
#include "pass/voucher.h"

struct world {
    struct pass_issuer_key key;
    struct pass_order order;
    size_t count;
    struct buf request, response;
    struct pass_coin coins[PASS_BATCH_MAX];
    struct pass_token token;
    struct buf token_bytes, header;
    uint8_t scalar[32], wide[64], out[64];
    struct blind_rsa_key rsa;
    struct pass_voucher_order voucher_order;
    uint8_t digest[32], answer[PASS_VOUCHER_RESPONSE_BYTES], voucher[PASS_VOUCHER_BYTES];
    struct buf voucher_request;
};

static struct err multiply(void *self)
{
    struct world *w = self;
    return crypto_scalarmult_ristretto255(w->out, w->scalar, w->key.public.public_key) == 0
               ? ERR_OK
               : ERR(CRYPTO_ELEMENT);
}

static struct err multiply_base(void *self)
{
    struct world *w = self;
    return crypto_scalarmult_ristretto255_base(w->out, w->scalar) == 0 ? ERR_OK
                                                                       : ERR(CRYPTO_ELEMENT);
}

static struct err map(void *self)
{
    struct world *w = self;
    return crypto_core_ristretto255_from_hash(w->out, w->wide) == 0 ? ERR_OK : ERR(CRYPTO_ELEMENT);
}

static struct err order(void *self)
{
    struct world *w = self;
    return pass_order_init(&w->key.public, w->count, &rng_system, &w->order);
}

static struct err issue(void *self)
{
    struct world *w = self;
    struct pass_request request;
    buf_reset_unwiped(&w->response);
    TRY(pass_request_parse(buf_view(&w->request), &request));
    return pass_issue(&w->key, &rng_system, &request, &w->response);
}

static struct err finish(void *self)
{
    struct world *w = self;
    return pass_order_finish(&w->order, buf_view(&w->response), w->coins);
}

static struct err redeem(void *self)
{
    struct world *w = self;
    struct pass_token token;
    TRY(pass_token_parse(buf_view(&w->token_bytes), &token));
    return pass_redeem(&w->key, &token);
}

/* A wrong token costs as much as a right one. */
static struct err redeem_wrong(void *self)
{
    struct world *w = self;
    w->token_bytes.data[PASS_TOKEN_BYTES - 1] ^= 1;
    struct err err = redeem(w);
    w->token_bytes.data[PASS_TOKEN_BYTES - 1] ^= 1;
    return err.code == ERR_PASS_TOKEN ? ERR_OK : ERR(INTERNAL);
}

static struct err spent_tag(void *self)
{
    struct world *w = self;
    pass_spent_tag(w->scalar, w->coins[0].nonce, w->out);
    return ERR_OK;
}

static struct err voucher_order(void *self)
{
    struct world *w = self;
    return pass_voucher_order_init(&w->rsa.public, w->digest, &rng_system, &w->voucher_order);
}

static struct err voucher_issue(void *self)
{
    struct world *w = self;
    return pass_voucher_issue(&w->rsa, buf_view(&w->voucher_request), w->answer);
}

static struct err voucher_finish(void *self)
{
    struct world *w = self;
    return pass_voucher_order_finish(&w->voucher_order, &w->rsa.public,
                                     bytes_of(w->answer, sizeof w->answer), w->voucher);
}

static struct err voucher_check(void *self)
{
    struct world *w = self;
    struct pass_token token;
    TRY(pass_token_parse(bytes_of(w->voucher, sizeof w->voucher), &token));
    return pass_voucher_check(&w->rsa.public, w->digest, &token);
}

static void a_second(const char *what, double us, size_t items, double bar)
{
    double rate = 1e6 / us * (double)items;
    printf("%-44s %10.0f a second and core%s\n", what, rate,
           bar == 0      ? ""
           : rate >= bar ? ", bar met"
                         : ", BAR MISSED");
}

static void batches(struct world *w)
{
    static const size_t counts[] = {1, 10, PASS_BATCH_MAX};
    for (size_t i = 0; i < 3; i++) {
        w->count = counts[i];
        printf("batch of %zu\n", w->count);
        double us = bench_run("  client: order", order, w);
        buf_reset_unwiped(&w->request);
        pass_order_write(&w->order, &w->request);
        double server = bench_run("  server: issue", issue, w);
        us += bench_run("  client: finish", finish, w);
        a_second("  issued", server, w->count, w->count == PASS_BATCH_MAX ? 4500 : 0);
        a_second("  made by a client", us, w->count, 0);
    }
}

static void vouchers(struct world *w)
{
    bench_must(blind_rsa_key_generate(&w->rsa), "key");
    bench_must(pass_voucher_digest(bytes_str("a.test"), bytes_str("b.test"), PASS_DELIVERY, 2968,
                                   w->digest),
               "digest");
    printf("vouchers\n");
    (void)bench_run("  client: order", voucher_order, w);
    pass_voucher_order_write(&w->voucher_order, &w->voucher_request);
    (void)bench_run("  server: issue", voucher_issue, w);
    (void)bench_run("  client: finish", voucher_finish, w);
    (void)bench_run("  visited server: check", voucher_check, w);
}

int main(void)
{
    static struct world w;
    struct voprf_key voprf;
    bench_must(rng_fill(&rng_system, w.wide, sizeof w.wide), "random");
    bench_must(voprf_key_derive(w.wide, bytes_str("bench"), &voprf), "key");
    bench_must(pass_issuer_key_init(bytes_str("a.test"), PASS_DELIVERY, 20780, &voprf, &w.key),
               "key");
    memcpy(w.scalar, voprf.private_key, sizeof w.scalar);
    printf("ristretto255\n");
    (void)bench_run("  multiplication", multiply, &w);
    (void)bench_run("  multiplication of the generator", multiply_base, &w);
    (void)bench_run("  map to the group", map, &w);
    batches(&w);
    pass_coin_write_token(&w.token_bytes, &w.key.public, &w.coins[0]);
    printf("redemption\n");
    double us = bench_run("  redeem", redeem, &w);
    (void)bench_run("  redeem a wrong one", redeem_wrong, &w);
    (void)bench_run("  tag for the spent table", spent_tag, &w);
    a_second("  redeemed", us, 1, 8000);
    vouchers(&w);
    return 0;
}
