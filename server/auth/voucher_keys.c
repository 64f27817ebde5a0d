/* Keys of vouchers: RSA, one for each class and week, made here a week ahead, since they can't be
 * derived as token keys are (key_schedule.h). The keeper wraps each as soon as it is made, and
 * signs with it; what lies in auth.db, sealed as all rows, and in memory is the wrapped form.
 *
 *     struct { opaque public_key[342]; opaque wrapped[]; } row */
#include "server/auth/inside.h"

static struct voucher_key *slot_of(struct auth *auth, uint8_t class, uint32_t week)
{
    return &auth->voucher_keys[week % 3 * (PASS_CLASS_END - 1) + class - 1];
}

static struct bytes place_of(uint8_t class, uint32_t week, uint8_t room[5])
{
    const uint8_t bytes[5] = {class, (uint8_t)(week >> 24), (uint8_t)(week >> 16),
                              (uint8_t)(week >> 8), (uint8_t)week};
    memcpy(room, bytes, sizeof bytes);
    return bytes_of(room, sizeof bytes);
}

/* Takes the buffer. */
static void keep(struct auth *auth, uint8_t class, uint32_t week, const uint8_t *spki,
                 struct buf *wrapped)
{
    pthread_mutex_lock(&auth->lock);
    struct voucher_key *slot = slot_of(auth, class, week);
    buf_clear(&slot->wrapped);
    slot->class = class;
    slot->week = week;
    slot->wrapped = *wrapped;
    memcpy(slot->spki, spki, sizeof slot->spki);
    auth->vouchers_changed = true;
    pthread_mutex_unlock(&auth->lock);
    *wrapped = BUF_INIT;
}

/* ---- the rows */

static struct err map_key(struct stmt *row, void *arg)
{
    struct auth *auth = arg;
    uint8_t room[5];
    struct bytes sealed = stmt_blob(row, 0);
    uint8_t class = (uint8_t)stmt_u64(row, 1);
    uint32_t week = (uint32_t)stmt_u64(row, 2);
    struct buf plain = BUF_INIT, wrapped = BUF_INIT;
    TRY(stmt_row_check(row));
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(STORE_CORRUPT);
    struct err err = auth_unseal(auth, "voucher_key", place_of(class, week, room), sealed, &plain);
    if (err_is_ok(err) && plain.len <= BLIND_RSA_PUBLIC_BYTES)
        err = ERR(STORE_CORRUPT);
    if (err_is_ok(err)) {
        buf_append(&wrapped, plain.data + BLIND_RSA_PUBLIC_BYTES,
                   plain.len - BLIND_RSA_PUBLIC_BYTES);
        err = buf_check(&wrapped);
    }
    if (err_is_ok(err))
        keep(auth, class, week, plain.data, &wrapped);
    buf_clear(&wrapped);
    buf_clear(&plain);
    return err;
}

static struct err load(struct store_txn *txn, void *arg)
{
    struct auth *auth = arg;
    struct stmt *s = stmt_use(txn, VOUCHER_KEY_LIST);
    stmt_bind_u64(s, 1, auth_now_s(auth) / PASS_WEEK_S - 1);
    return stmt_each(s, map_key, auth);
}

struct err voucher_keys_load(struct auth *auth)
{
    return store_call_read(auth->store, load, auth);
}

void voucher_keys_clear(struct auth *auth)
{
    for (size_t i = 0; i < VOUCHER_KEYS; i++)
        buf_clear(&auth->voucher_keys[i].wrapped);
}

/* ---- making */

struct fresh {
    struct auth *auth;
    uint8_t class;
    uint32_t week;
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    struct buf wrapped;
};

static struct err put(struct store_txn *txn, void *arg)
{
    const struct fresh *f = arg;
    uint8_t room[5];
    struct buf plain = BUF_INIT, sealed = BUF_INIT;
    buf_append(&plain, f->spki, sizeof f->spki);
    buf_append_bytes(&plain, buf_view(&f->wrapped));
    struct err err = buf_check(&plain);
    if (err_is_ok(err))
        err = auth_seal(f->auth, "voucher_key", place_of(f->class, f->week, room), buf_view(&plain),
                        &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, VOUCHER_KEY_PUT);
        stmt_bind_u64(s, 1, f->class);
        stmt_bind_u64(s, 2, f->week);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    buf_clear(&plain);
    return err;
}

/* By which a request names its key (RFC 9578 6.1). */
static uint8_t tag_of(const uint8_t spki[BLIND_RSA_PUBLIC_BYTES])
{
    struct digest id;
    hash_once(&hash_sha256, bytes_of(spki, BLIND_RSA_PUBLIC_BYTES), &id);
    return id.data[PASS_KEY_ID_BYTES - 1];
}

/* Does the week before or after name its key so? Requests for one would be signed with the other.
 */
static bool tag_is_taken(const struct fresh *f, uint8_t tag)
{
    bool taken = false;
    pthread_mutex_lock(&f->auth->lock);
    for (uint32_t week = f->week - 1; week <= f->week + 1; week += 2) {
        const struct voucher_key *slot = slot_of(f->auth, f->class, week);
        taken =
            taken || (slot->class == f->class && slot->week == week && tag_of(slot->spki) == tag);
    }
    pthread_mutex_unlock(&f->auth->lock);
    return taken;
}

static struct err make(struct fresh *f)
{
    struct blind_rsa_key key;
    TRY(blind_rsa_key_generate(&key));
    if (tag_is_taken(f, tag_of(key.public.spki))) { /* one in 128; a second one hardly ever */
        blind_rsa_key_clear(&key);
        TRY(blind_rsa_key_generate(&key));
    }
    struct buf pkcs8 = BUF_INIT;
    struct err err = blind_rsa_key_write(&key, &pkcs8);
    memcpy(f->spki, key.public.spki, sizeof f->spki);
    blind_rsa_key_clear(&key);
    if (err_is_ok(err))
        err = keeper_voucher_wrap(f->auth->env->keeper, f->class, f->week, buf_view(&pkcs8),
                                  &f->wrapped);
    buf_clear(&pkcs8);
    if (err_is_ok(err))
        err = store_call_growing(f->auth->store, put, f);
    if (err_is_ok(err)) /* a row before anything is signed: vouchers outlive a crash */
        keep(f->auth, f->class, f->week, f->spki, &f->wrapped);
    return err;
}

static bool has(struct auth *auth, uint8_t class, uint32_t week)
{
    pthread_mutex_lock(&auth->lock);
    const struct voucher_key *slot = slot_of(auth, class, week);
    bool there = slot->class == class && slot->week == week;
    pthread_mutex_unlock(&auth->lock);
    return there;
}

bool voucher_keys_make(struct auth *auth)
{
    uint32_t week = (uint32_t)(auth_now_s(auth) / PASS_WEEK_S);
    for (uint32_t ahead = 0; ahead <= 1; ahead++) {
        for (unsigned class = 1; class < PASS_CLASS_END; class ++) {
            struct fresh f = {.auth = auth, .class = (uint8_t) class, .week = week + ahead};
            if (has(auth, f.class, f.week))
                continue;
            struct err err = make(&f);
            buf_clear(&f.wrapped);
            return err_is_ok(err); /* the next run tries again */
        }
    }
    return false;
}

/* ---- using */

void voucher_signer_clear(struct voucher_signer *signer)
{
    buf_clear(&signer->wrapped);
}

struct err voucher_signer_find(struct auth *auth, uint8_t class, uint8_t tag, uint64_t now_s,
                               struct voucher_signer *ret_signer)
{
    uint32_t week = (uint32_t)(now_s / PASS_WEEK_S);
    struct voucher_signer signer = {.class = 0};
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(PASS_KEY);
    pthread_mutex_lock(&auth->lock);
    for (uint32_t ahead = 0; ahead <= 1 && signer.class == 0; ahead++) {
        const struct voucher_key *slot = slot_of(auth, class, week + ahead);
        if (slot->class != class || slot->week != week + ahead || tag_of(slot->spki) != tag)
            continue;
        signer.class = class;
        signer.week = week + ahead;
        memcpy(signer.spki, slot->spki, sizeof signer.spki);
        buf_append_bytes(&signer.wrapped, buf_view(&slot->wrapped));
    }
    pthread_mutex_unlock(&auth->lock);
    struct err err = signer.class == 0 ? ERR(PASS_KEY) : buf_check(&signer.wrapped);
    if (err_is_ok(err))
        *ret_signer = signer;
    else
        buf_clear(&signer.wrapped);
    return err;
}

struct err voucher_signer_sign(struct auth *auth, const struct voucher_signer *signer,
                               struct bytes request,
                               uint8_t ret_response[PASS_VOUCHER_RESPONSE_BYTES])
{
    const uint8_t *blinded;
    TRY(pass_voucher_request_parse(request, signer->spki, &blinded));
    return keeper_voucher_sign(auth->env->keeper, signer->class, signer->week,
                               buf_view(&signer->wrapped), blinded, ret_response);
}

size_t auth_voucher_keys(struct auth *auth,
                         struct auth_voucher_key ret_keys[AUTH_VOUCHER_KEYS_MOST])
{
    uint32_t week = (uint32_t)(auth_now_s(auth) / PASS_WEEK_S);
    size_t count = 0;
    pthread_mutex_lock(&auth->lock);
    for (unsigned class = 1; class < PASS_CLASS_END; class ++) {
        for (uint32_t w = week - 1; w <= week + 1; w++) {
            const struct voucher_key *slot = slot_of(auth, (uint8_t) class, w);
            if (slot->class != class || slot->week != w)
                continue;
            struct auth_voucher_key *key = &ret_keys[count++];
            key->class = slot->class;
            key->week = slot->week;
            memcpy(key->spki, slot->spki, sizeof key->spki);
        }
    }
    pthread_mutex_unlock(&auth->lock);
    return count;
}

bool auth_vouchers_changed(struct auth *auth)
{
    pthread_mutex_lock(&auth->lock);
    bool changed = auth->vouchers_changed;
    auth->vouchers_changed = false;
    pthread_mutex_unlock(&auth->lock);
    return changed;
}
