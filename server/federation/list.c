/* What the operator is told of peers. */
#include <stdio.h>
#include <stdlib.h>

#include "server/federation/inside.h"

struct saying {
    struct federation *f;
    void (*say)(void *to, const struct federation_peer *p);
    void *to;
};

static uint32_t days_left(const struct peer *peer)
{
    uint64_t now_s = clock_unix_ms(peer->federation->env->clock) / 1000;
    return peer_has_key(peer) ? (uint32_t)((peer->key_until_s - now_s) / 86400) + 1 : 0;
}

static void say_peer(const struct saying *s, struct bytes domain, const struct peer *peer, int rule)
{
    struct federation_peer one = {.domain = domain,
                                  .rule = rule,
                                  .admitted = policy_admits(s->f->policy, domain),
                                  .why = "",
                                  .key_why = "",
                                  .log_why = ""};
    if (peer != NULL) {
        one.reached = peer->reached_us != 0;
        one.heard = peer->heard_us != 0;
        one.reached_h = one.reached
                            ? (uint32_t)((federation_now_us(s->f) - peer->reached_us) / 3600000000u)
                            : 0;
        one.key_days = days_left(peer);
        one.banned_s = peer_banned_s(peer);
        one.why = peer->why;
        one.key_why = peer->fetch_why;
        if (peer->pinned)
            one.root = bytes_of(peer->pin, sizeof peer->pin);
        if (peer->log != NULL) {
            one.log_size = peer->log->has_view ? peer->log->view.size : 0;
            one.log_why = peer->log->why;
            if (one.log_why[0] == '\0' && peer->vouchers != NULL && peer->vouchers->refused)
                one.log_why = "it does not have the keys of its vouchers, or had them too late";
            one.log_evidence = buf_view(&peer->log->evidence);
        }
        if (peer->offered != NULL)
            one.other_root = bytes_of(peer->offered->root, sizeof peer->offered->root);
    }
    s->say(s->to, &one);
}

static void say_named(void *to, struct bytes domain, int rule)
{
    const struct saying *s = to;
    say_peer(s, domain, peer_find(s->f, domain), rule == 2 ? 2 : 1);
}

void federation_each(struct federation *f, void (*say)(void *to, const struct federation_peer *p),
                     void *to)
{
    struct saying s = {f, say, to};
    federation_lock(f);
    policy_each(f->policy, say_named, &s);
    for (size_t i = 0; i < PEER_SLOTS; i++)
        for (const struct peer *p = f->slots[i]; p != NULL; p = p->next) {
            struct bytes domain = bytes_str(p->domain);
            if (!policy_lists(f->policy, domain))
                say_peer(&s, domain, p, 0);
        }
    federation_unlock(f);
}

enum federation_mode federation_mode(struct federation *f)
{
    federation_lock(f);
    enum federation_mode mode = policy_mode(f->policy);
    federation_unlock(f);
    return mode;
}

struct err federation_retry(struct federation *f, struct bytes domain)
{
    federation_lock(f);
    struct peer *peer = peer_find(f, domain);
    bool known = peer != NULL || policy_lists(f->policy, domain);
    if (peer != NULL) {
        peer->banned_until_us = 0;
        peer->fetch_again_us = 0;
        peer->fetch_failures = 0;
        if (peer->log != NULL)
            peer->log->due_us = peer->log->cosign_again_us = 0;
    }
    federation_unlock(f);
    return known ? ERR_OK : ERR(NOT_FOUND);
}

/* What it shows may be older than what the operator was told: it is asked once more, before the
 * answer is no. */
static struct err look_again(struct peer *peer)
{
    if (peer->looked_again && !peer->fetching) {
        peer->looked_again = false;
        return peer->offered == NULL && peer->fetch_failures > 0 ? ERR(FEDERATION_NO_KEYS)
                                                                 : ERR(FEDERATION_ROOT_OTHER);
    }
    if (!peer->looked_again) {
        peer->looked_again = true;
        peer->fetch_again_us = 0;
        peer_want_keys(peer);
    }
    return ERR(FEDERATION_KEYS);
}

/* Under the lock. */
static bool is_convicted(struct federation *f, struct bytes domain)
{
    const struct peer *peer = peer_find(f, domain);
    return peer != NULL && peer->log != NULL && peer->log->evidence.len > 0;
}

/* The offer that has this root, and who made it, held. ERR_FEDERATION_KEYS: come again, its keys
 * are being fetched. ret_peer NULL: it has this root already. */
static struct err find_offer(struct federation *f, struct bytes domain, struct bytes root,
                             struct told_keys *ret_told, struct peer **ret_peer)
{
    struct peer *peer = peer_find(f, domain);
    if (peer == NULL || !peer->pinned)
        return ERR(NOT_FOUND);
    *ret_peer = NULL;
    if (bytes_equal(root, bytes_of(peer->pin, sizeof peer->pin))) {
        peer_log_forget(peer); /* it has begun another log, its operator says */
        return ERR_OK;
    }
    if (peer->offered == NULL ||
        !bytes_equal(root, bytes_of(peer->offered->root, sizeof peer->offered->root)))
        return look_again(peer);
    peer->looked_again = false;
    *ret_told = *peer->offered;
    *ret_peer = peer;
    peer->refs++;
    return ERR_OK;
}

/* What convicted it is gone from here: that it was there is not. */
static void say_forgiven(struct federation *f, struct bytes domain)
{
    char line[DOMAIN_MAX_BYTES + 80];
    (void)snprintf(line, sizeof line, "level=notice event=peer_log_evidence_set_aside peer=%.*s",
                   (int)domain.len, (const char *)domain.data);
    front_log(f->env->front, line);
}

struct err federation_accept_root(struct federation *f, struct bytes domain,
                                  const uint8_t root[CREDENTIAL_FINGERPRINT_BYTES])
{
    struct told_keys told;
    struct peer *peer = NULL;
    federation_lock(f);
    const bool convicted = is_convicted(f, domain);
    struct err err =
        find_offer(f, domain, bytes_of(root, CREDENTIAL_FINGERPRINT_BYTES), &told, &peer);
    const bool same = err_is_ok(err) && peer == NULL;
    federation_unlock(f);
    if (peer != NULL) {
        err = kept_accept(peer, &told);
        federation_lock(f);
        peer_put(peer);
        federation_unlock(f);
    }
    if (err_is_ok(err) && convicted)
        say_forgiven(f, domain);
    if (err_is_ok(err) && !same) {
        err = federation_retry(f, domain);
        front_log(f->env->front, "level=notice event=peer_root_accepted");
    }
    return err;
}
