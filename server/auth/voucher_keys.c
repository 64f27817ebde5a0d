/* Keys of vouchers: RSA, one for each class and week, made here a week ahead, since they can't be
 * derived as token keys are (key_schedule.h). They lie sealed in auth.db, and as bytes in memory:
 * good for a week, and for nothing but calls to other homeservers. */
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
static struct err keep(struct auth *auth, uint8_t class, uint32_t week, struct buf *pkcs8)
{
    struct blind_rsa_key key;
    struct err err = blind_rsa_key_init(buf_view(pkcs8), &key);
    if (!err_is_ok(err)) {
        buf_clear(pkcs8);
        return err;
    }
    pthread_mutex_lock(&auth->lock);
    struct voucher_key *slot = slot_of(auth, class, week);
    buf_clear(&slot->pkcs8);
    slot->class = class;
    slot->week = week;
    slot->pkcs8 = *pkcs8;
    memcpy(slot->spki, key.public.spki, sizeof slot->spki);
    auth->vouchers_changed = true;
    pthread_mutex_unlock(&auth->lock);
    *pkcs8 = BUF_INIT;
    blind_rsa_key_clear(&key);
    return ERR_OK;
}

/* ---- the rows */

static struct err map_key(struct stmt *row, void *arg)
{
    struct auth *auth = arg;
    uint8_t room[5];
    struct bytes sealed = stmt_blob(row, 0);
    uint8_t class = (uint8_t)stmt_u64(row, 1);
    uint32_t week = (uint32_t)stmt_u64(row, 2);
    struct buf pkcs8 = BUF_INIT;
    TRY(stmt_row_check(row));
    if (class == 0 || class >= PASS_CLASS_END)
        return ERR(STORE_CORRUPT);
    struct err err = auth_unseal(auth, "voucher_key", place_of(class, week, room), sealed, &pkcs8);
    if (!err_is_ok(err)) {
        buf_clear(&pkcs8);
        return err;
    }
    return keep(auth, class, week, &pkcs8);
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
        buf_clear(&auth->voucher_keys[i].pkcs8);
}

/* ---- making */

struct fresh {
    struct auth *auth;
    uint8_t class;
    uint32_t week;
    struct buf pkcs8;
};

static struct err put(struct store_txn *txn, void *arg)
{
    const struct fresh *f = arg;
    uint8_t room[5];
    struct buf sealed = BUF_INIT;
    struct err err = auth_seal(f->auth, "voucher_key", place_of(f->class, f->week, room),
                               buf_view(&f->pkcs8), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, VOUCHER_KEY_PUT);
        stmt_bind_u64(s, 1, f->class);
        stmt_bind_u64(s, 2, f->week);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
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
    struct err err = blind_rsa_key_write(&key, &f->pkcs8);
    blind_rsa_key_clear(&key);
    if (err_is_ok(err))
        err = store_call_growing(f->auth->store, put, f);
    /* a row before anything is signed: vouchers outlive a crash */
    return err_is_ok(err) ? keep(f->auth, f->class, f->week, &f->pkcs8) : err;
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
            buf_clear(&f.pkcs8);
            return err_is_ok(err); /* the next run tries again */
        }
    }
    return false;
}

/* ---- using */

struct err voucher_key_get(struct auth *auth, uint8_t class, uint8_t tag, uint64_t now_s,
                           struct blind_rsa_key *ret_key)
{
    uint32_t week = (uint32_t)(now_s / PASS_WEEK_S);
    struct err err = ERR(PASS_KEY);
    if (class == 0 || class >= PASS_CLASS_END)
        return err;
    pthread_mutex_lock(&auth->lock);
    for (uint32_t ahead = 0; ahead <= 1 && err.code == ERR_PASS_KEY; ahead++) {
        const struct voucher_key *slot = slot_of(auth, class, week + ahead);
        if (slot->class == class && slot->week == week + ahead && tag_of(slot->spki) == tag)
            err = blind_rsa_key_init(buf_view(&slot->pkcs8), ret_key);
    }
    pthread_mutex_unlock(&auth->lock);
    return err;
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
