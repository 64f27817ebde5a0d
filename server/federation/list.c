/* What the operator is told of peers. */
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
                                  .key_why = ""};
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
    }
    s->say(s->to, &one);
}

static void say_named(void *to, struct bytes domain, int rule)
{
    const struct saying *s = to;
    say_peer(s, domain, peer_find(s->f, domain), rule == 2 ? 2 : 1);
}

struct looking {
    struct bytes domain;
    bool there;
};

static void look(void *to, struct bytes domain, int rule)
{
    struct looking *l = to;
    (void)rule;
    l->there = l->there || bytes_equal(l->domain, domain);
}

void federation_each(struct federation *f, void (*say)(void *to, const struct federation_peer *p),
                     void *to)
{
    struct saying s = {f, say, to};
    federation_lock(f);
    policy_each(f->policy, say_named, &s);
    for (size_t i = 0; i < PEER_SLOTS; i++)
        for (const struct peer *p = f->slots[i]; p != NULL; p = p->next) {
            struct looking l = {.domain = bytes_str(p->domain)};
            policy_each(f->policy, look, &l);
            if (!l.there)
                say_peer(&s, l.domain, p, 0);
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

void federation_retry(struct federation *f, struct bytes domain)
{
    federation_lock(f);
    struct peer *peer = peer_find(f, domain);
    if (peer != NULL) {
        peer->banned_until_us = 0;
        peer->fetch_again_us = 0;
        peer->fetch_failures = 0;
    }
    federation_unlock(f);
}
