#include "server/transparency/keys.h"

#include <inttypes.h>
#include <stdio.h>

static struct err sign(void *self, struct bytes text, struct signature *ret_signature)
{
    return keeper_sign(self, KEEPER_LOG, false, bytes_of(NULL, 0), text, ret_signature);
}

static struct err configure(const struct front_env *env, uint64_t number, uint64_t window_ms,
                            struct kt_keys *keys)
{
    struct kt_config *c = &keys->log.config;
    struct public_key log_key;
    uint8_t secret[KEEPER_KEY_BYTES];
    char origin[KT_ORIGIN_MAX_BYTES + 1];
    int len = snprintf(origin, sizeof origin, "%s/kt/%" PRIu64, env->domain, number);
    if (len < 0 || (size_t)len >= sizeof origin)
        return ERR(DOMAIN);
    c->mode = KT_MODE_CONTACT;
    c->origin_len = (uint8_t)len;
    memcpy(c->origin, origin, (size_t)len);
    TRY(keeper_public(env->keeper, KEEPER_LOG, &log_key));
    if (log_key.len != sizeof c->signature_key)
        return ERR(CRYPTO_KEY_LENGTH);
    memcpy(c->signature_key, log_key.data, log_key.len);
    TRY(keeper_storage_key(env->keeper, KEEPER_LOG_VRF, secret));
    struct err err = vrf_key_init(bytes_of(secret, sizeof secret), &keys->vrf);
    bytes_wipe(secret, sizeof secret);
    TRY(err);
    memcpy(c->vrf_key, keys->vrf.public_key, sizeof c->vrf_key);
    c->max_ahead_ms = KT_MAX_AHEAD_MS;
    c->max_behind_ms = KT_MAX_BEHIND_MS;
    c->window_ms = window_ms != 0 ? window_ms : KT_WINDOW_MS;
    return ERR_OK;
}

struct err kt_keys_open(const struct front_env *env, uint64_t number, uint64_t window_ms,
                        struct kt_keys *ret_keys)
{
    struct kt_keys *keys = ret_keys;
    memset(keys, 0, sizeof *keys);
    struct err err = configure(env, number, window_ms, keys);
    if (err_is_ok(err))
        err = keeper_storage_key(env->keeper, KEEPER_LOG_ROWS, keys->log.rows_key);
    if (err_is_ok(err))
        err = keeper_storage_key(env->keeper, KEEPER_LOG_IDS, keys->log.ids_key);
    if (!err_is_ok(err)) {
        kt_keys_clear(keys);
        return err;
    }
    keys->log.vrf = &keys->vrf;
    keys->log.rng = env->rng;
    keys->log.sign = sign;
    keys->log.sign_self = env->keeper;
    return ERR_OK;
}

void kt_keys_clear(struct kt_keys *keys)
{
    bytes_wipe(keys, sizeof *keys);
}
