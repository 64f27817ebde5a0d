#include "server/front/token_keys.h"

void token_keys_init(struct token_keys *keys)
{
    *keys = (struct token_keys){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void token_keys_clear(struct token_keys *keys)
{
    (void)pthread_mutex_destroy(&keys->lock);
    bytes_wipe(keys->keys, sizeof keys->keys);
}

static bool is_key(const struct pass_issuer_key *key, uint8_t class, uint32_t period)
{
    return key->public.class == class && key->public.period == period;
}

static struct err ask_keeper(struct keeper *keeper, struct bytes domain, uint8_t class,
                             uint32_t period, struct pass_issuer_key *ret_key)
{
    uint8_t private_key[KEEPER_KEY_BYTES];
    struct voprf_key key;
    TRY(keeper_token_key(keeper, class, period, private_key));
    struct err err = voprf_key_init(private_key, &key);
    if (err_is_ok(err))
        err = pass_issuer_key_init(domain, class, period, &key, ret_key);
    bytes_wipe(private_key, sizeof private_key);
    voprf_key_clear(&key);
    return err;
}

struct err token_keys_get(struct token_keys *keys, struct keeper *keeper, struct bytes domain,
                          uint8_t class, uint32_t period, struct pass_issuer_key *ret_key)
{
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(PASS_KEY);
    struct pass_issuer_key *kept = &keys->keys[pass_key_slot(class, period)];
    (void)pthread_mutex_lock(&keys->lock);
    bool known = is_key(kept, class, period);
    if (known)
        *ret_key = *kept;
    (void)pthread_mutex_unlock(&keys->lock);
    if (known)
        return ERR_OK;
    TRY(ask_keeper(keeper, domain, class, period, ret_key));
    (void)pthread_mutex_lock(&keys->lock);
    *kept = *ret_key;
    (void)pthread_mutex_unlock(&keys->lock);
    return ERR_OK;
}
