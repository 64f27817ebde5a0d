/* The fixed parties of fuzz_pass_server and fuzz_pass_client, so that their seeds stay good. */
#ifndef TESTS_FUZZ_PASS_KIT_H
#define TESTS_FUZZ_PASS_KIT_H

#include <stdlib.h>

#include "pass/redeem.h"
#include "pass/request.h"

enum { PASS_KIT_PERIOD = 20780, PASS_KIT_COUNT = 2 };

static inline void kit_must(bool condition)
{
    if (!condition)
        abort();
}

static inline const struct pass_issuer_key *kit_issuer(void)
{
    static struct pass_issuer_key key;
    static const uint8_t seed[VOPRF_SEED_BYTES] = {1};
    struct voprf_key voprf;
    if (key.public.class == 0) {
        kit_must(err_is_ok(voprf_key_derive(seed, bytes_str("fuzz"), &voprf)));
        kit_must(err_is_ok(pass_issuer_key_init(bytes_str("a.test"), PASS_DELIVERY, PASS_KIT_PERIOD,
                                                &voprf, &key)));
    }
    return &key;
}

/* The same order each time. */
static inline const struct pass_order *kit_order(void)
{
    static struct pass_order order;
    static struct rng_seeded seeded;
    if (order.count == 0) {
        rng_seeded_init(&seeded, 1);
        const struct rng rng = rng_of_seeded(&seeded);
        kit_must(err_is_ok(pass_order_init(&kit_issuer()->public, PASS_KIT_COUNT, &rng, &order)));
    }
    return &order;
}

#endif
