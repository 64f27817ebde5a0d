/* The table of peers. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hash.h"
#include "server/federation/inside.h"

static struct peer **slot_of(struct federation *f, struct bytes domain)
{
    struct digest d; /* names are chosen by anybody: no chain of one's own making */
    hash_once(&hash_sha256, domain, &d);
    return &f->slots[(d.data[0] | d.data[1] << 8) % PEER_SLOTS];
}

struct peer *peer_find(struct federation *f, struct bytes domain)
{
    for (struct peer *p = *slot_of(f, domain); p != NULL; p = p->next)
        if (bytes_equal(bytes_str(p->domain), domain))
            return p;
    return NULL;
}

static void peer_free(struct peer *peer)
{
    free(peer->vouchers);
    free(peer->offered);
    kept_log_free(peer->log);
    free(peer);
}

static void remove_peer(struct federation *f, struct peer *peer)
{
    struct peer **at = slot_of(f, bytes_str(peer->domain));
    while (*at != peer)
        at = &(*at)->next;
    *at = peer->next;
    f->peer_count--;
    peer_free(peer);
}

/* Our users name domains as they like, so mere names go first: not those whose root is pinned,
 * which would be a stranger's again, nor those that are banned. */
static bool goes_before(const struct peer *a, const struct peer *b)
{
    bool a_known = a->pinned || peer_banned_s(a) > 0, b_known = b->pinned || peer_banned_s(b) > 0;
    return a_known != b_known ? b_known : a->used_us < b->used_us;
}

/* One that nobody holds, unused for longest. */
static void make_room(struct federation *f)
{
    struct peer *oldest = NULL;
    for (size_t i = 0; i < PEER_SLOTS; i++)
        for (struct peer *p = f->slots[i]; p != NULL; p = p->next)
            if (p->refs == 0 && (oldest == NULL || goes_before(p, oldest)))
                oldest = p;
    if (oldest != NULL)
        remove_peer(f, oldest);
}

struct peer *peer_get(struct federation *f, struct bytes domain)
{
    struct peer *p = peer_find(f, domain);
    if (p == NULL && domain.len <= DOMAIN_MAX_BYTES) {
        if (f->peer_count >= PEERS_MOST)
            make_room(f);
        p = f->peer_count < PEERS_MOST ? calloc(1, sizeof *p) : NULL;
        if (p == NULL)
            return NULL;
        p->federation = f;
        memcpy(p->domain, domain.data, domain.len);
        p->signing = (struct signing){f->env, p->domain};
        struct peer **slot = slot_of(f, domain);
        p->next = *slot;
        *slot = p;
        f->peer_count++;
    }
    if (p != NULL) {
        p->refs++;
        p->used_us = federation_now_us(f);
    }
    return p;
}

void peer_put(struct peer *peer)
{
    peer->refs--;
}

void peers_clear(struct federation *f)
{
    for (size_t i = 0; i < PEER_SLOTS; i++)
        for (struct peer *p = f->slots[i], *next; p != NULL; p = next) {
            next = p->next;
            peer_free(p);
        }
}

void peer_say(char why[PEER_WHY_BYTES], const char *what, const char *text)
{
    (void)snprintf(why, PEER_WHY_BYTES, "%s%s%s", what, text != NULL && *text != '\0' ? ": " : "",
                   text != NULL ? text : "");
    for (char *c = why; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
            *c = '?'; /* some of it was said by the other side */
}
