#include "server/front/once.h"

#include "crypto/hash.h"
#include "seal/at_rest.h"

enum { FIND, KEEP, EXPIRE }; /* order of ONCE_STATEMENTS */

enum { PRF_BYTES = 16, DAY_S = 86400 };

/* What the row is called and sealed under. Wiped by its users. */
struct names {
    uint8_t id[PRF_BYTES], body[PRF_BYTES];
    struct digest key;
};

static void derive(const struct once *once, struct names *ret_names)
{
    struct bytes id = bytes_of(once->id, ONCE_ID_BYTES), hash = bytes_of(once->body_hash, 32);
    at_rest_prf(once->key, BYTES_LIST(bytes_str("once id"), once->scope, id), ret_names->id);
    at_rest_prf(once->key, BYTES_LIST(bytes_str("once body"), once->scope, id, hash),
                ret_names->body);
    /* the id has a fixed length and comes first, so no two inputs run together */
    hmac_once(&hash_sha256, bytes_of(once->key, AT_REST_KEY_BYTES),
              BYTES_LIST(bytes_str("once answer"), id, once->scope), &ret_names->key);
}

static struct bytes aad_of(const struct names *names, uint8_t aad[5 + 2 * PRF_BYTES])
{
    static const uint8_t what[5] = {'o', 'n', 'c', 'e', ':'};
    memcpy(aad, what, sizeof what);
    memcpy(aad + 5, names->id, PRF_BYTES);
    memcpy(aad + 5 + PRF_BYTES, names->body, PRF_BYTES);
    return bytes_of(aad, 5 + 2 * PRF_BYTES);
}

struct finding {
    const struct names *names;
    struct buf *answer;
    bool other_body;
};

static struct err map_answer(struct stmt *row, void *arg)
{
    struct finding *f = arg;
    uint8_t body[PRF_BYTES], aad[5 + 2 * PRF_BYTES];
    stmt_fixed(row, 0, body, sizeof body);
    struct bytes sealed = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    f->other_body = !bytes_equal_ct(bytes_of(body, sizeof body),
                                    bytes_of(f->names->body, sizeof f->names->body));
    if (f->other_body)
        return ERR_OK;
    return at_rest_open(f->answer, f->names->key.data, aad_of(f->names, aad), sealed);
}

struct err once_find(struct store_txn *txn, const struct once *once, struct buf *ret_answer,
                     bool *ret_found)
{
    struct names names;
    derive(once, &names);
    struct finding finding = {.names = &names, .answer = ret_answer};
    struct stmt *s = stmt_use(txn, once->statements + FIND);
    stmt_bind_blob(s, 1, bytes_of(names.id, sizeof names.id));
    struct err err = stmt_first(s, map_answer, &finding);
    bytes_wipe(&names, sizeof names);
    if (finding.other_body)
        return ERR(ONCE_OTHER_BODY);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    *ret_found = err_is_ok(err);
    return ERR_OK;
}

static struct err keep(struct store_txn *txn, const struct once *once, const struct names *names,
                       struct bytes sealed, uint64_t now_s)
{
    struct stmt *s = stmt_use(txn, once->statements + KEEP);
    stmt_bind_blob(s, 1, bytes_of(names->id, sizeof names->id));
    stmt_bind_blob(s, 2, bytes_of(names->body, sizeof names->body));
    stmt_bind_blob(s, 3, sealed);
    stmt_bind_u64(s, 4, now_s / DAY_S + ONCE_DAYS);
    return stmt_run(s, NULL);
}

struct err once_keep(struct store_txn *txn, const struct once *once, const struct rng *rng,
                     struct bytes answer, uint64_t now_s)
{
    struct names names;
    uint8_t aad[5 + 2 * PRF_BYTES];
    struct buf sealed = BUF_INIT;
    derive(once, &names);
    struct err err = at_rest_seal(&sealed, names.key.data, rng, aad_of(&names, aad), answer);
    if (err_is_ok(err))
        err = keep(txn, once, &names, buf_view(&sealed), now_s);
    bytes_wipe(&names, sizeof names);
    buf_clear(&sealed);
    return err;
}

struct err once_expire(struct store_txn *txn, unsigned statements, uint64_t now_s, uint32_t most,
                       uint64_t *ret_deleted)
{
    struct stmt *s = stmt_use(txn, statements + EXPIRE);
    /* a whole day later than its last, so that none goes before its time */
    stmt_bind_u64(s, 1, now_s / DAY_S);
    stmt_bind_u64(s, 2, most);
    return stmt_run(s, ret_deleted);
}
