/* Token keys of three days, as the keeper gives them out. Slots are those of key_schedule.h: what
 * lies in one is of another day once a new day's key takes its place. */
#include "server/auth/inside.h"

static bool is_key(const struct pass_issuer_key *key, uint8_t class, uint32_t period)
{
    return key->public.class == class && key->public.period == period;
}

static struct err ask_keeper(struct auth *auth, uint8_t class, uint32_t period,
                             struct pass_issuer_key *ret_key)
{
    uint8_t private_key[KEEPER_KEY_BYTES];
    struct voprf_key key;
    TRY(keeper_token_key(auth->env->keeper, class, period, private_key));
    struct err err = voprf_key_init(private_key, &key);
    if (err_is_ok(err))
        err = pass_issuer_key_init(auth->domain, class, period, &key, ret_key);
    bytes_wipe(private_key, sizeof private_key);
    voprf_key_clear(&key);
    return err;
}

struct err auth_token_key(struct auth *auth, uint8_t class, uint32_t period,
                          struct pass_issuer_key *ret_key)
{
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(PASS_KEY);
    struct pass_issuer_key *kept = &auth->token_keys[pass_key_slot(class, period)];
    pthread_mutex_lock(&auth->lock);
    bool known = is_key(kept, class, period);
    if (known)
        *ret_key = *kept;
    pthread_mutex_unlock(&auth->lock);
    if (known)
        return ERR_OK;
    TRY(ask_keeper(auth, class, period, ret_key));
    pthread_mutex_lock(&auth->lock);
    *kept = *ret_key;
    pthread_mutex_unlock(&auth->lock);
    return ERR_OK;
}
