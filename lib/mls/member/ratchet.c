#include "mls/member/ratchet.h"

#include <stdlib.h>

#include "crypto/labelled.h"

static struct err tree_secret(const struct suite *suite, const struct secret *from,
                              const char *label, uint32_t generation, size_t len,
                              struct secret *ret_out)
{
    return labelled_derive_tree_secret(suite->hpke.kdf, secret_view(from), LABEL_MLS,
                                       bytes_str(label), generation, len, ret_out);
}

/* RFC 9420 9.1: ratchet_key_[N]_[j] and ratchet_nonce_[N]_[j] */
static struct err derive_key(const struct suite *suite, const struct secret *secret,
                             uint32_t generation, struct message_key *ret_key)
{
    struct message_key k = {.generation = generation};
    struct secret nonce = {0};
    struct err err;
    TRY_OR(tree_secret(suite, secret, "nonce", generation, AEAD_NONCE_BYTES, &nonce), err, out);
    TRY_OR(tree_secret(suite, secret, "key", generation, suite->hpke.aead->key_bytes, &k.key), err,
           out);
    memcpy(k.nonce, nonce.data, sizeof k.nonce);
    *ret_key = k;
out:
    secret_clear(&nonce);
    message_key_clear(&k);
    return err;
}

/* RFC 9420 9.1: ratchet_secret_[N]_[j+1], over the one before */
static struct err step(const struct suite *suite, struct secret *secret, uint32_t generation)
{
    return tree_secret(suite, secret, "secret", generation, suite_hash_bytes(suite), secret);
}

static struct err check_ahead(const struct ratchet *r, const struct secret_tree_limits *limits,
                              uint32_t generation)
{
    /* the last generation stays unused, so that `next` can always say what comes after */
    if (generation - r->next > limits->forward_most || generation == UINT32_MAX)
        return ERR(MLS_GENERATION_FAR);
    return ERR_OK;
}

/* Index of a kept key; kept_count when there is none. */
static uint32_t find_kept(const struct ratchet *r, uint32_t generation)
{
    uint32_t low = 0, high = r->kept_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->kept[middle].generation < generation)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < r->kept_count && r->kept[low].generation == generation;
    return found ? low : r->kept_count;
}

void ratchet_clear(struct ratchet *r)
{
    bytes_wipe(r->kept, r->kept_count * sizeof *r->kept);
    free(r->kept);
    bytes_wipe(r, sizeof *r);
}

void ratchet_end(struct ratchet *r, const struct suite *suite)
{
    ratchet_clear(r);
    r->next = UINT32_MAX;
    secret_set_zero(suite_hash_bytes(suite), &r->secret); /* storage wants its length */
}

struct err ratchet_peek(const struct ratchet *r, const struct suite *suite,
                        const struct secret_tree_limits *limits, uint32_t generation,
                        struct message_key *ret_key)
{
    if (generation < r->next) {
        uint32_t at = find_kept(r, generation);
        if (at == r->kept_count)
            return ERR(MLS_GENERATION_USED);
        *ret_key = (struct message_key){.generation = generation};
        ret_key->key.len = suite->hpke.aead->key_bytes;
        memcpy(ret_key->key.data, r->kept[at].key, ret_key->key.len);
        memcpy(ret_key->nonce, r->kept[at].nonce, AEAD_NONCE_BYTES);
        return ERR_OK;
    }
    TRY(check_ahead(r, limits, generation));
    struct secret secret = r->secret;
    struct err err = ERR_OK;
    for (uint32_t g = r->next; g < generation && err_is_ok(err); g++)
        err = step(suite, &secret, g);
    if (err_is_ok(err))
        err = derive_key(suite, &secret, generation, ret_key);
    secret_clear(&secret);
    return err;
}

/* Drops one kept key; the rest moves down and the end is wiped. The memory is kept until it is
 * empty. */
static void drop_kept(struct ratchet *r, uint32_t at)
{
    r->kept_count--;
    memmove(&r->kept[at], &r->kept[at + 1], (r->kept_count - at) * sizeof *r->kept);
    bytes_wipe(&r->kept[r->kept_count], sizeof *r->kept);
    if (r->kept_count == 0) {
        free(r->kept);
        r->kept = NULL;
    }
}

/* What a jump from r->next to generation leaves behind. */
struct jump {
    struct ratchet_kept *kept; /* the new list, or NULL when it is empty */
    uint32_t kept_count;
    struct secret secret; /* of generation + 1 */
};

static void jump_clear(struct jump *j)
{
    if (j->kept != NULL)
        bytes_wipe(j->kept, j->kept_count * sizeof *j->kept);
    free(j->kept);
    secret_clear(&j->secret);
}

static struct err keep(const struct suite *suite, const struct secret *secret, uint32_t generation,
                       struct ratchet_kept *ret_kept)
{
    struct message_key k;
    TRY(derive_key(suite, secret, generation, &k));
    ret_kept->generation = generation;
    memcpy(ret_kept->key, k.key.data, k.key.len);
    memcpy(ret_kept->nonce, k.nonce, sizeof ret_kept->nonce);
    message_key_clear(&k);
    return ERR_OK;
}

/* The newest kept_most of the old list and the generations jumped over. */
static struct err jump_init(const struct ratchet *r, const struct suite *suite,
                            const struct secret_tree_limits *limits, uint32_t generation,
                            struct jump *j)
{
    uint32_t jumped = generation - r->next;
    uint32_t fresh = jumped < limits->kept_most ? jumped : limits->kept_most;
    uint32_t room = limits->kept_most - fresh;
    uint32_t old = r->kept_count < room ? r->kept_count : room;
    *j = (struct jump){.kept_count = old + fresh, .secret = r->secret};
    if (j->kept_count > 0) {
        j->kept = calloc(j->kept_count, sizeof *j->kept);
        if (j->kept == NULL)
            return ERR(NO_MEMORY);
        if (old > 0)
            memcpy(j->kept, r->kept + (r->kept_count - old), old * sizeof *j->kept);
    }
    uint32_t at = old;
    for (uint32_t g = r->next; g < generation; g++) {
        if (j->kept != NULL && generation - g <= fresh)
            TRY(keep(suite, &j->secret, g, &j->kept[at++]));
        TRY(step(suite, &j->secret, g));
    }
    return step(suite, &j->secret, generation);
}

struct err ratchet_consume(struct ratchet *r, const struct suite *suite,
                           const struct secret_tree_limits *limits, uint32_t generation)
{
    if (generation < r->next) {
        uint32_t at = find_kept(r, generation);
        if (at == r->kept_count)
            return ERR(MLS_GENERATION_USED);
        drop_kept(r, at);
        return ERR_OK;
    }
    TRY(check_ahead(r, limits, generation));
    if (generation == r->next) { /* in order: nothing to keep, nothing to allocate */
        TRY(step(suite, &r->secret, generation));
        r->next = generation + 1;
        return ERR_OK;
    }
    struct jump j;
    struct err err = jump_init(r, suite, limits, generation, &j);
    if (err_is_ok(err)) {
        ratchet_clear(r);
        *r = (struct ratchet){
            .next = generation + 1, .secret = j.secret, .kept = j.kept, .kept_count = j.kept_count};
        j.kept = NULL;
    }
    jump_clear(&j);
    return err;
}

struct err ratchet_next(struct ratchet *r, const struct suite *suite, struct message_key *ret_key)
{
    if (r->next == UINT32_MAX)
        return ERR(MLS_RATCHET_END);
    struct message_key k;
    TRY(derive_key(suite, &r->secret, r->next, &k));
    struct err err = step(suite, &r->secret, r->next);
    if (err_is_ok(err)) {
        r->next++;
        *ret_key = k;
    }
    message_key_clear(&k);
    return err;
}

/* struct { uint32 next; opaque secret[Nh]; struct { uint32 generation; opaque key[Nk]; opaque
 * nonce[Nn]; } kept<V>; } */
void ratchet_write(struct buf *b, const struct ratchet *r, const struct suite *suite)
{
    wire_write_u32(b, r->next);
    wire_write_fixed(b, secret_view(&r->secret));
    size_t mark = wire_vector_begin(b);
    for (uint32_t i = 0; i < r->kept_count; i++) {
        wire_write_u32(b, r->kept[i].generation);
        wire_write_fixed(b, bytes_of(r->kept[i].key, suite->hpke.aead->key_bytes));
        wire_write_fixed(b, bytes_of(r->kept[i].nonce, AEAD_NONCE_BYTES));
    }
    wire_vector_end(b, mark);
}

static void kept_read(struct wire_reader *in, size_t key_bytes, struct ratchet_kept *kept)
{
    kept->generation = wire_read_u32(in);
    struct bytes key = wire_read_fixed(in, key_bytes);
    struct bytes nonce = wire_read_fixed(in, AEAD_NONCE_BYTES);
    if (in->failure != ERR_NONE)
        return;
    memcpy(kept->key, key.data, key.len);
    memcpy(kept->nonce, nonce.data, nonce.len);
}

struct err ratchet_read(struct wire_reader *in, const struct suite *suite, struct ratchet *r)
{
    *r = (struct ratchet){.next = wire_read_u32(in)};
    TRY(secret_set(wire_read_fixed(in, suite_hash_bytes(suite)), &r->secret));
    struct wire_reader list = wire_read_nested(in);
    size_t key_bytes = suite->hpke.aead->key_bytes;
    size_t each = sizeof(uint32_t) + key_bytes + AEAD_NONCE_BYTES;
    size_t count = wire_reader_left(&list) / each;
    if (count * each != wire_reader_left(&list)) {
        wire_reader_fail(in, ERR_WIRE_VALUE);
        return ERR_OK;
    }
    if (count > 0 && (r->kept = calloc(count, sizeof *r->kept)) == NULL)
        return ERR(NO_MEMORY);
    r->kept_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        kept_read(&list, key_bytes, &r->kept[i]);
        uint32_t above = i + 1 < count ? UINT32_MAX : r->next;
        if (r->kept[i].generation >= above ||
            (i > 0 && r->kept[i].generation <= r->kept[i - 1].generation))
            wire_reader_fail(in, ERR_WIRE_VALUE);
    }
    wire_reader_join(in, &list);
    return ERR_OK;
}
