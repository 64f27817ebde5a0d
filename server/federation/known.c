/* Who is calling: the front asks for a homeserver's key. Nothing is fetched for who is not known;
 * a stranger's batch goes to the handler unverified, which looks whom it is for (receive.c). */
#include "server/federation/inside.h"

static struct err key_of(struct federation *f, struct bytes domain, struct public_key *ret_key,
                         bool *ret_stranger)
{
    struct peer *peer = peer_find(f, domain);
    if (!policy_admits(f->policy, domain) || bytes_equal(domain, bytes_str(f->env->domain)))
        return ERR(FEDERATION_REFUSED);
    if (peer == NULL && policy_names(f->policy, domain)) {
        peer = peer_get(f, domain);
        if (peer == NULL)
            return ERR(FEDERATION_BUSY);
        peer_put(peer);
    }
    *ret_stranger = peer == NULL || !(peer->known || policy_names(f->policy, domain));
    if (*ret_stranger)
        return ERR_OK;
    peer->used_us = federation_now_us(f);
    if (peer_banned_s(peer) > 0)
        return ERR(FEDERATION_BANNED);
    if (peer_has_key(peer)) {
        *ret_key = peer->key;
        return ERR_OK;
    }
    peer_want_keys(peer);
    return ERR(FEDERATION_KEYS);
}

static void find(void *self, struct front_pending *pending, enum request_caller kind,
                 struct bytes id)
{
    struct federation *f = self;
    struct public_key key = {.len = 0};
    bool stranger = false;
    (void)kind;
    federation_lock(f);
    struct err err = key_of(f, id, &key, &stranger);
    federation_unlock(f);
    if (!err_is_ok(err))
        front_key_failed(pending, err);
    else if (stranger)
        front_key_later(pending);
    else
        front_key(pending, &sig_ed25519, public_key_view(&key));
}

/* It may have another key now. Whoever claims to be somebody makes us ask that somebody,
 * KEYS_AGAIN_S apart. */
static void failed(void *self, enum request_caller kind, struct bytes id)
{
    struct federation *f = self;
    (void)kind;
    federation_lock(f);
    struct peer *peer = peer_find(f, id);
    if (peer != NULL && peer->key.len > 0)
        peer_want_keys(peer);
    federation_unlock(f);
}

struct front_key_source known_source(struct federation *f)
{
    return (struct front_key_source){.find = find, .failed = failed, .self = f};
}
