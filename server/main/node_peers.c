/* What the operator's verbs about peers do to a running node. What the courier knows lies on its
 * loop: the verb's thread, which may wait, has it asked there. */
#include <stdio.h>
#include <string.h>

#include "server/main/node_inside.h"

struct asking {
    struct node *node;
    void (*fn)(struct node *n, void *arg);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool done;
};

static void on_back(void *arg)
{
    struct asking *a = arg;
    a->fn(a->node, a->arg);
    (void)pthread_mutex_lock(&a->lock);
    a->done = true;
    (void)pthread_cond_signal(&a->answered);
    (void)pthread_mutex_unlock(&a->lock);
}

/* The operator's door is closed before the back loop ends. */
static struct err ask_back(struct node *n, void (*fn)(struct node *n, void *arg), void *arg)
{
    struct asking a = {.node = n, .fn = fn, .arg = arg};
    (void)pthread_mutex_init(&a.lock, NULL);
    (void)pthread_cond_init(&a.answered, NULL);
    bool posted = hearth_loop_post(n->back, on_back, &a);
    (void)pthread_mutex_lock(&a.lock);
    while (posted && !a.done)
        (void)pthread_cond_wait(&a.answered, &a.lock);
    (void)pthread_mutex_unlock(&a.lock);
    (void)pthread_cond_destroy(&a.answered);
    (void)pthread_mutex_destroy(&a.lock);
    return posted ? ERR_OK : ERR(NO_MEMORY);
}

/* ---- list, show, why */

enum { PEERS_SHOWN = 4096 };

struct listing {
    struct node *node;
    struct bytes only;
    void (*say)(void *to, const struct admin_peer *peer);
    void *to;
    const struct federation_peer *peer;
    struct admin_peer shown;
    size_t count;
};

static void merge(void *to, const struct courier_domain *d)
{
    struct listing *l = to;
    if (!bytes_equal(d->name, l->peer->domain))
        return;
    l->shown.rows = d->rows;
    l->shown.bytes = d->bytes;
    l->shown.failures = d->failures;
    l->shown.next_attempt_s = d->due_s;
}

static void say_peer(void *to, const struct federation_peer *p)
{
    struct listing *l = to;
    if ((l->only.len > 0 && !bytes_equal(l->only, p->domain)) || l->count == PEERS_SHOWN)
        return;
    l->count++;
    l->peer = p;
    l->shown = (struct admin_peer){.domain = p->domain,
                                   .rule = p->rule,
                                   .admitted = p->admitted,
                                   .reached = p->reached,
                                   .heard = p->heard,
                                   .banned_s = p->banned_s,
                                   .key_days = p->key_days,
                                   .unreachable_h = p->reached_h,
                                   .why = p->why,
                                   .key_why = p->key_why,
                                   .root = p->root,
                                   .other_root = p->other_root,
                                   .log_size = p->log_size,
                                   .log_why = p->log_why,
                                   .log_evidence = p->log_evidence};
    courier_each(l->node->courier, merge, l);
    l->say(l->to, &l->shown);
}

static void list(struct node *n, void *arg)
{
    federation_each(n->federation, say_peer, arg);
}

void node_peers(void *node, struct bytes domain,
                void (*say)(void *to, const struct admin_peer *peer), void *to,
                char ret_mode[ADMIN_MODE_BYTES])
{
    static const char *const modes[] = {"off", "open", "allow"};
    struct node *n = node;
    struct listing l = {.node = n, .only = domain, .say = say, .to = to};
    (void)snprintf(ret_mode, ADMIN_MODE_BYTES, "%s", modes[federation_mode(n->federation)]);
    struct err err = ask_back(n, list, &l); /* without memory there is nothing to show */
    (void)err;
}

/* ---- accept-key, retry, drop */

struct err node_peer_accept(void *node, struct bytes domain, const uint8_t root[32])
{
    struct node *n = node;
    TRY(federation_accept_root(n->federation, domain, root));
    courier_contact(n->courier, domain); /* what waits for it is due */
    return ERR_OK;
}

struct err node_peer_retry(void *node, struct bytes domain)
{
    struct node *n = node;
    TRY(federation_retry(n->federation, domain));
    federation_watch_logs(n->federation);
    courier_contact(n->courier, domain);
    return ERR_OK;
}

struct dropping {
    struct bytes domain;
    bool found;
};

static void drop(struct node *n, void *arg)
{
    struct dropping *d = arg;
    d->found = courier_drop(n->courier, d->domain);
}

struct err node_peer_drop(void *node, struct bytes domain)
{
    struct dropping d = {.domain = domain};
    TRY(ask_back(node, drop, &d));
    return d.found ? ERR_OK : ERR(NOT_FOUND);
}
