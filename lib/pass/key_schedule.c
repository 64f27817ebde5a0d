#include "pass/key_schedule.h"

#include "crypto/kdf.h"

enum { SLOTS = 16, PERIODS_IN_USE = 3, CLASSES = PASS_CLASS_END - 1 };
_Static_assert(PERIODS_IN_USE *CLASSES <= SLOTS, "slots for all keys in use");

struct err pass_master_new(const struct rng *rng, uint32_t period, struct pass_master *ret_master)
{
    struct pass_master master = {.period = period};
    TRY(rng_fill(rng, master.secret, sizeof master.secret));
    *ret_master = master;
    pass_master_clear(&master);
    return ERR_OK;
}

struct err pass_master_advance(struct pass_master *master, uint32_t period)
{
    if (period < master->period || period - master->period > PASS_MASTER_ADVANCE_MAX)
        return ERR(ARGUMENT);
    while (master->period < period) {
        struct digest next;
        hash_list(&hash_sha256,
                  BYTES_LIST(bytes_str("Hearth token master 1"),
                             bytes_of(master->secret, sizeof master->secret)),
                  &next);
        memcpy(master->secret, next.data, sizeof master->secret);
        bytes_wipe(&next, sizeof next);
        master->period++;
    }
    return ERR_OK;
}

void pass_master_clear(struct pass_master *master)
{
    bytes_wipe(master, sizeof *master);
}

uint8_t pass_key_slot(uint8_t class, uint32_t period)
{
    return (uint8_t)(period % PERIODS_IN_USE * CLASSES + class - 1);
}

static struct err derive_seed(const struct pass_master *master, uint8_t class, uint32_t period,
                              struct secret *ret_seed)
{
    const uint8_t day[] = {(uint8_t)(period >> 24), (uint8_t)(period >> 16), (uint8_t)(period >> 8),
                           (uint8_t)period};
    struct pass_master then = *master;
    struct secret prk;
    struct err err = pass_master_advance(&then, period);
    if (err_is_ok(err)) {
        kdf_extract(&kdf_hkdf_sha256, bytes_of(NULL, 0),
                    BYTES_LIST(bytes_of(then.secret, sizeof then.secret)), &prk);
        err = kdf_expand(&kdf_hkdf_sha256, secret_view(&prk),
                         BYTES_LIST(bytes_str("tok"), bytes_of(&class, 1), bytes_of(day, 4)),
                         VOPRF_SEED_BYTES, ret_seed);
        secret_clear(&prk);
    }
    pass_master_clear(&then);
    return err;
}

/* The first counter whose key falls into its slot. One in 16 does, so that all 65536 fail is a
 * matter of 2^-6000. */
static struct err derive_key(const struct secret *seed, uint8_t slot, struct voprf_key *ret_key)
{
    static const char label[] = "Hearth token v1";
    uint8_t info[sizeof label - 1 + 2];
    memcpy(info, label, sizeof label - 1);
    for (uint32_t counter = 0; counter <= UINT16_MAX; counter++) {
        struct digest id;
        info[sizeof info - 2] = (uint8_t)(counter >> 8);
        info[sizeof info - 1] = (uint8_t)counter;
        TRY(voprf_key_derive(seed->data, bytes_of(info, sizeof info), ret_key));
        hash_once(&hash_sha256, bytes_of(ret_key->public_key, VOPRF_ELEMENT_BYTES), &id);
        if (id.data[PASS_KEY_ID_BYTES - 1] % SLOTS == slot)
            return ERR_OK;
    }
    return ERR(INTERNAL);
}

struct err pass_master_key(const struct pass_master *master, struct bytes domain, uint8_t class,
                           uint32_t period, struct pass_issuer_key *ret_key)
{
    struct secret seed;
    struct voprf_key key;
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(ARGUMENT);
    TRY(derive_seed(master, class, period, &seed));
    struct err err = derive_key(&seed, pass_key_slot(class, period), &key);
    if (err_is_ok(err))
        err = pass_issuer_key_init(domain, class, period, &key, ret_key);
    secret_clear(&seed);
    voprf_key_clear(&key);
    return err;
}
