#include "server/keeper/external.h"

#include "crypto/labelled.h"

static const struct sig_alg *const algs[] = {
    &sig_ecdsa_p256_sha256,
    &sig_ecdsa_p384_sha384,
    &sig_ecdsa_p521_sha512,
    &sig_ed25519,
};
enum { ALGS = sizeof algs / sizeof *algs, DAY_S = 86400 };
_Static_assert(ALGS == EXTERNAL_NIST + 1, "Ed25519 and the others");

static void take(struct external_key *out, const struct sig_key *key, uint64_t retired_s)
{
    *out = (struct external_key){
        .alg = key->alg,
        .private_key = key->private_key,
        .public_key = key->public_key,
        .retired_s = retired_s,
    };
}

static struct err generate(const struct sig_alg *alg, const struct rng *rng,
                           struct external_key *ret_key)
{
    struct sig_key key;
    TRY(sig_key_generate(alg, rng, &key));
    take(ret_key, &key, 0);
    sig_key_clear(&key);
    return ERR_OK;
}

struct err externals_generate(struct externals *x, const struct rng *rng)
{
    for (size_t a = 0; a < EXTERNAL_NIST; a++) {
        bool there = false;
        for (size_t i = 0; i < x->count; i++)
            there |= x->keys[i].alg == algs[a] && x->keys[i].retired_s == 0;
        if (there)
            continue;
        if (x->count == EXTERNAL_MOST)
            return ERR(KEEPER_FILE);
        TRY(generate(algs[a], rng, &x->keys[x->count]));
        x->count++;
    }
    return ERR_OK;
}

/* Of one scheme into the new list: a fresh key (Ed25519's is its owner's), the one that was
 * present, and those before as far as there is room. */
static struct err rotate_alg(const struct externals *x, const struct sig_alg *alg,
                             const struct sig_key *ed25519, uint64_t now_s, bool anyway,
                             const struct rng *rng, struct externals *next)
{
    size_t before = 0;
    if (alg == ed25519->alg) {
        take(&next->keys[next->count++], ed25519, now_s);
        before++;
    } else {
        TRY(generate(alg, rng, &next->keys[next->count]));
        next->count++;
    }
    for (size_t i = 0; i < x->count; i++) {
        const struct external_key *old = &x->keys[i];
        if (old->alg != alg)
            continue;
        if (before == KEEPER_EXTERNAL_BEFORE) {
            if (!anyway && now_s < old->retired_s + (uint64_t)KEEPER_EXTERNAL_REST_DAYS * DAY_S)
                return ERR(KEEPER_IN_USE);
            continue; /* forgotten */
        }
        next->keys[next->count] = *old;
        if (old->retired_s == 0)
            next->keys[next->count].retired_s = now_s;
        next->count++;
        before++;
    }
    return ERR_OK;
}

struct err externals_rotate(struct externals *x, const struct sig_key *ed25519, uint64_t now_s,
                            bool anyway, const struct rng *rng)
{
    struct externals next = {0};
    struct err err = ERR_OK;
    for (size_t a = 0; a < ALGS && err_is_ok(err); a++)
        err = rotate_alg(x, algs[a], ed25519, now_s, anyway, rng, &next);
    if (err_is_ok(err))
        *x = next;
    bytes_wipe(&next, sizeof next);
    return err;
}

const struct external_key *externals_find(const struct externals *x, struct bytes public_key)
{
    for (size_t i = 0; i < x->count; i++) {
        if (bytes_equal(public_key_view(&x->keys[i].public_key), public_key))
            return &x->keys[i];
    }
    return NULL;
}

struct err external_sign(const struct external_key *key, struct bytes label, struct bytes content,
                         struct signature *ret_signature)
{
    struct sig_key ready;
    TRY(sig_key_init(key->alg, secret_view(&key->private_key), &ready));
    struct err err = labelled_sign(&ready, LABEL_MLS, label, content, ret_signature);
    sig_key_clear(&ready);
    return err;
}

void externals_write(struct buf *b, const struct externals *x)
{
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < x->count; i++) {
        wire_write_u16(b, x->keys[i].alg->scheme);
        wire_write_u64(b, x->keys[i].retired_s);
        wire_write_vector(b, secret_view(&x->keys[i].private_key));
    }
    wire_vector_end(b, mark);
}

static struct err read_key(struct wire_reader *r, struct external_key *ret_key)
{
    struct sig_key key;
    uint16_t scheme = wire_read_u16(r);
    uint64_t retired_s = wire_read_u64(r);
    struct bytes private_key = wire_read_vector(r);
    TRY(wire_reader_check(r));
    for (size_t a = 0; a < ALGS; a++) {
        if (algs[a]->scheme != scheme)
            continue;
        TRY(sig_key_init(algs[a], private_key, &key));
        take(ret_key, &key, retired_s);
        sig_key_clear(&key);
        return ERR_OK;
    }
    return ERR(WIRE_VALUE);
}

struct err externals_parse(struct bytes in, struct externals *ret_externals)
{
    struct wire_reader r = wire_reader_of(in);
    ret_externals->count = 0;
    while (wire_reader_more(&r)) {
        if (ret_externals->count == EXTERNAL_MOST)
            return ERR(WIRE_LIMIT);
        TRY(read_key(&r, &ret_externals->keys[ret_externals->count]));
        ret_externals->count++;
    }
    return wire_reader_end(&r);
}
