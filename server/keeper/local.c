/* A keeper in this process: a keyring behind a lock. */
#include <pthread.h>
#include <stdlib.h>

#include "crypto/labelled.h"
#include "server/keeper/inside.h"
#include "server/keeper/key_file.h"
#include "server/keeper/keyring.h"
#include "server/keeper/ref_cache.h"
#include "server/keeper/voucher.h"

struct local {
    struct keeper keeper; /* first */
    pthread_mutex_t lock;
    struct keyring *ring; /* owned, as are the others */
    struct ref_cache *cache;
    struct key_file file; /* none: in memory only */
    const struct clock *clock;
    const struct rng *rng;
};

static struct local *enter(struct keeper *keeper)
{
    struct local *l = (struct local *)keeper;
    pthread_mutex_lock(&l->lock);
    return l;
}

static void leave(struct local *l)
{
    pthread_mutex_unlock(&l->lock);
}

static struct err local_sign(struct keeper *keeper, enum keeper_signer signer, bool mls,
                             struct bytes label, struct bytes content,
                             struct signature *ret_signature)
{
    struct local *l = enter(keeper);
    const struct sig_key *key = &l->ring->signers[signer];
    struct err err = keeper_signs_plain(signer) ? sig_sign(key, content, ret_signature)
                                                : labelled_sign(key, mls ? LABEL_MLS : LABEL_HEARTH,
                                                                label, content, ret_signature);
    leave(l);
    return err;
}

static struct err local_sign_external(struct keeper *keeper, struct bytes public_key,
                                      struct bytes label, struct bytes content,
                                      struct signature *ret_signature)
{
    struct local *l = enter(keeper);
    const struct sig_key *now = &l->ring->signers[KEEPER_EXTERNAL_SENDER];
    const struct external_key *other = externals_find(&l->ring->externals, public_key);
    struct err err = ERR(NOT_FOUND);
    if (bytes_equal(public_key_view(&now->public_key), public_key))
        err = labelled_sign(now, LABEL_MLS, label, content, ret_signature);
    else if (other != NULL)
        err = external_sign(other, label, content, ret_signature);
    leave(l);
    return err;
}

static void list_externals(const struct externals *x, bool present,
                           struct keeper_external *ret_keys, size_t *ret_count)
{
    for (size_t i = 0; i < x->count; i++) {
        const struct external_key *key = &x->keys[i];
        if ((key->retired_s == 0) == present)
            ret_keys[(*ret_count)++] =
                (struct keeper_external){key->alg->scheme, present, key->public_key};
    }
}

_Static_assert((int)EXTERNAL_MOST + 1 == (int)KEEPER_EXTERNAL_KEYS, "with the present Ed25519 key");

static struct err local_external_keys(struct keeper *keeper, struct keeper_external *ret_keys,
                                      size_t *ret_count)
{
    struct local *l = enter(keeper);
    const struct sig_key *now = &l->ring->signers[KEEPER_EXTERNAL_SENDER];
    ret_keys[0] = (struct keeper_external){now->alg->scheme, true, now->public_key};
    *ret_count = 1;
    list_externals(&l->ring->externals, true, ret_keys, ret_count);
    list_externals(&l->ring->externals, false, ret_keys, ret_count);
    leave(l);
    return ERR_OK;
}

static struct err local_public(struct keeper *keeper, enum keeper_signer signer,
                               struct public_key *ret_key)
{
    struct local *l = enter(keeper);
    *ret_key = l->ring->signers[signer].public_key;
    leave(l);
    return ERR_OK;
}

static struct err local_credential(struct keeper *keeper, enum keeper_signer signer, struct buf *b)
{
    struct local *l = enter(keeper);
    const struct keyring_bytes *kept =
        signer == KEEPER_AS_ROOT ? &l->ring->root : &l->ring->signing;
    buf_append(b, kept->data, kept->len);
    leave(l);
    return buf_check(b);
}

static struct err local_queue_key(struct keeper *keeper, struct public_key *ret_key)
{
    struct local *l = enter(keeper);
    *ret_key = l->ring->queue.public_key;
    leave(l);
    return ERR_OK;
}

static struct err open_under(const struct local *l, const struct keyring_hpke *key,
                             struct bytes sealed, struct queue_ref *ret_ref)
{
    return sealed_ref_open(secret_view(&key->private_key), public_key_view(&key->public_key),
                           bytes_of(l->ring->domain, l->ring->domain_len), sealed, ret_ref);
}

static struct err open_ref(struct local *l, struct bytes sealed, struct queue_ref *ret_ref)
{
    uint8_t key[REF_CACHE_KEY_BYTES];
    if (sealed.len > SEALED_REF_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    ref_cache_key(sealed, key);
    const struct queue_ref *known = ref_cache_find(l->cache, key);
    if (known != NULL) {
        *ret_ref = *known;
        return ERR_OK;
    }
    struct err err = open_under(l, &l->ring->queue, sealed, ret_ref);
    for (size_t i = 0; err.code == ERR_CRYPTO_TAG && i < KEEPER_QUEUE_BEFORE; i++) {
        struct keyring_hpke *before = &l->ring->queue_before[i];
        if (before->private_key.len == 0)
            break;
        err = open_under(l, before, sealed, ret_ref);
        before->used |= err_is_ok(err);
    }
    if (err_is_ok(err))
        ref_cache_put(l->cache, key, ret_ref);
    return err;
}

static struct err local_open_refs(struct keeper *keeper, const struct bytes *sealed, size_t count,
                                  struct queue_ref *ret_refs, struct err *ret_results)
{
    struct local *l = enter(keeper);
    for (size_t i = 0; i < count; i++)
        ret_results[i] = open_ref(l, sealed[i], &ret_refs[i]);
    leave(l);
    return ERR_OK;
}

static struct err local_storage_key(struct keeper *keeper, enum keeper_purpose purpose,
                                    uint8_t *ret_key)
{
    struct secret key;
    uint8_t context[1] = {(uint8_t)purpose};
    struct local *l = enter(keeper);
    struct err err = labelled_expand(
        &kdf_hkdf_sha256, bytes_of(l->ring->master, sizeof l->ring->master), LABEL_HEARTH,
        bytes_str("storage key"), bytes_of(context, sizeof context), KEEPER_KEY_BYTES, &key);
    leave(l);
    TRY(err);
    memcpy(ret_key, key.data, KEEPER_KEY_BYTES);
    secret_clear(&key);
    return ERR_OK;
}

static struct err write_ring(const struct keyring *ring, const struct key_file *file, bool fresh)
{
    struct buf b = BUF_INIT;
    struct err err = keyring_write(ring, &b);
    if (err_is_ok(err))
        err = key_file_write(file, buf_view(&b), fresh);
    buf_clear(&b);
    return err;
}

/* Written before it is used: a key that was given out and is lost at the next start would leave
 * references and credentials behind that nobody can serve. */
static struct err local_rotate(struct keeper *keeper, unsigned what, bool anyway)
{
    struct local *l = enter(keeper);
    struct keyring *fresh = NULL;
    struct err err = keyring_rotated(l->ring, what, anyway, l->clock, l->rng, &fresh);
    if (err_is_ok(err) && l->file.folder >= 0)
        err = write_ring(fresh, &l->file, false);
    if (err_is_ok(err)) {
        keyring_free(l->ring);
        l->ring = fresh;
        fresh = NULL;
        ref_cache_empty(l->cache); /* what a forgotten key opened opens no more */
    }
    keyring_free(fresh);
    leave(l);
    return err;
}

/* The master moves on when a day has gone by: also in the file, so that the keys of days gone can't
 * be had from it any more. Where it can't be written the old one serves on. */
static struct err advance_tokens(struct local *l, uint32_t day)
{
    struct keyring *fresh = NULL;
    if (day <= l->ring->tokens.period)
        return ERR_OK;
    TRY(keyring_advanced(l->ring, day, &fresh));
    struct err err = l->file.folder >= 0 ? write_ring(fresh, &l->file, false) : ERR_OK;
    if (!err_is_ok(err)) {
        keyring_free(fresh);
        return err;
    }
    keyring_free(l->ring);
    l->ring = fresh;
    return ERR_OK;
}

static struct err local_token_key(struct keeper *keeper, uint8_t class, uint32_t period,
                                  bool private_half, uint8_t *ret_key)
{
    struct pass_issuer_key key;
    struct local *l = enter(keeper);
    const uint32_t first = keyring_token_day(l->clock);
    const uint32_t days = private_half ? KEEPER_TOKEN_DAYS : KEEPER_TOKEN_PUBLIC_DAYS;
    struct err err = ERR(PASS_KEY);
    if (period >= first && period - first < days) {
        (void)err_is_ok(advance_tokens(l, first));
        err = pass_master_key(&l->ring->tokens, bytes_of(l->ring->domain, l->ring->domain_len),
                              class, period, &key);
    }
    leave(l);
    if (err.code == ERR_ARGUMENT) /* the clock was set back, past a master that is gone */
        return ERR(PASS_KEY);
    TRY(err);
    memcpy(ret_key, private_half ? key.voprf.private_key : key.voprf.public_key, KEEPER_KEY_BYTES);
    pass_issuer_key_clear(&key);
    return ERR_OK;
}

static struct err local_voucher_wrap(struct keeper *keeper, uint8_t class, uint32_t week,
                                     struct bytes pkcs8, struct buf *wrapped)
{
    struct local *l = enter(keeper);
    struct err err = voucher_wrap(l->ring->master, l->rng, class, week, pkcs8, wrapped);
    leave(l);
    return err;
}

static struct err local_voucher_sign(struct keeper *keeper, uint8_t class, uint32_t week,
                                     struct bytes wrapped, const uint8_t *blinded,
                                     uint8_t *ret_signature)
{
    struct local *l = enter(keeper);
    struct err err = voucher_sign(l->ring->master, class, week, wrapped, blinded, ret_signature);
    leave(l);
    return err;
}

static void local_close(struct keeper *keeper);

static const struct keeper_ops local_ops = {
    .sign = local_sign,
    .public_of = local_public,
    .credential = local_credential,
    .rotate = local_rotate,
    .external_keys = local_external_keys,
    .sign_external = local_sign_external,
    .queue_key = local_queue_key,
    .open_refs = local_open_refs,
    .storage_key = local_storage_key,
    .token_key = local_token_key,
    .voucher_wrap = local_voucher_wrap,
    .voucher_sign = local_voucher_sign,
    .close = local_close,
};

void keeper_local_forget(struct keeper *keeper)
{
    struct local *l = enter(keeper);
    ref_cache_empty(l->cache);
    leave(l);
}

int keeper_local_folder(const struct keeper *keeper)
{
    return ((const struct local *)keeper)->file.folder;
}

/* ---- beginning and end */

static void local_close(struct keeper *keeper)
{
    struct local *l = (struct local *)keeper;
    keyring_free(l->ring);
    ref_cache_free(l->cache);
    pthread_mutex_destroy(&l->lock);
    key_file_close(&l->file);
    free(l);
}

static struct err load(struct local *l, const char *path, struct bytes domain)
{
    struct buf b = BUF_INIT;
    TRY(keyring_new(&l->ring));
    if (path == NULL)
        return keyring_generate(l->ring, domain, l->clock, l->rng);
    TRY(key_file_open(path, &l->file));
    struct err err = key_file_read(&l->file, KEYRING_FILE_MAX_BYTES, &b);
    if (err_is_ok(err))
        err = keyring_parse(l->ring, buf_view(&b), domain);
    buf_clear(&b);
    bool changed = false;
    if (err_is_ok(err))
        err = keyring_complete(l->ring, l->clock, l->rng, &changed);
    return err_is_ok(err) && changed ? write_ring(l->ring, &l->file, false) : err;
}

struct err keeper_open(const char *path, struct bytes domain, const struct clock *clock,
                       const struct rng *rng, struct keeper **ret_keeper)
{
    struct err err = ERR(NO_MEMORY);
    struct local *l = calloc(1, sizeof *l);
    if (l == NULL)
        return err;
    if (pthread_mutex_init(&l->lock, NULL) != 0) {
        free(l);
        return err;
    }
    l->keeper.ops = &local_ops;
    l->file = KEY_FILE_NONE;
    l->clock = clock;
    l->rng = rng;
    TRY_OR(ref_cache_new(&l->cache), err, out);
    TRY_OR(load(l, path, domain), err, out);
    *ret_keeper = &l->keeper;
    return ERR_OK;
out:
    local_close(&l->keeper);
    return err;
}

struct err keeper_init(const char *path, struct bytes domain, const struct clock *clock,
                       const struct rng *rng)
{
    struct keyring *ring = NULL;
    struct key_file file = KEY_FILE_NONE;
    TRY(keyring_new(&ring));
    struct err err = keyring_generate(ring, domain, clock, rng);
    if (err_is_ok(err))
        err = key_file_open(path, &file);
    if (err_is_ok(err))
        err = write_ring(ring, &file, true);
    key_file_close(&file);
    keyring_free(ring);
    return err;
}
