#include "seal/key_set.h"

#include "wire/reader.h"
#include "wire/writer.h"

enum { FORMAT = 1, ID_MAX_BYTES = 64, COMMITMENT_BYTES = 32, RECOVERY_KEY_BYTES = 32 };

static const struct sig_alg *alg_of(uint16_t scheme)
{
    const struct sig_alg *const all[] = {&sig_ed25519, &sig_ed448, &sig_ecdsa_p256_sha256,
                                         &sig_ecdsa_p384_sha384, &sig_ecdsa_p521_sha512};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (all[i]->scheme == scheme)
            return all[i];
    }
    return NULL;
}

/* ---- form */

/* The bounds that stand in the structure's own text. */
static struct bytes read_id(struct wire_reader *r, size_t least)
{
    struct bytes id = wire_read_vector8(r);
    if (id.len < least || id.len > ID_MAX_BYTES)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    return id;
}

static struct bytes read_none_or(struct wire_reader *r, size_t len)
{
    struct bytes value = wire_read_vector8(r);
    if (value.len != 0 && value.len != len)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    return value;
}

static void read_client(struct wire_reader *r, struct client_key *client)
{
    client->client_id = read_id(r, 1);
    client->sig_scheme = wire_read_u16(r);
    client->public_key = wire_read_vector16(r);
    client->added_ms = wire_read_u64(r);
    client->flags = wire_read_u8(r);
    const struct sig_alg *alg = alg_of(client->sig_scheme);
    if (alg == NULL || client->public_key.len != alg->public_bytes)
        wire_reader_fail(r, ERR_KEY_SET);
}

static void read_clients(struct wire_reader *r, struct key_set *set)
{
    set->client_count = wire_read_u16(r);
    if (set->client_count > KEY_SET_CLIENTS_MAX)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    for (size_t i = 0; i < set->client_count && r->failure == ERR_NONE; i++) {
        read_client(r, &set->clients[i]);
        if (i > 0 && bytes_compare(set->clients[i - 1].client_id, set->clients[i].client_id) >= 0)
            wire_reader_fail(r, ERR_KEY_SET);
    }
}

static void read_sigs(struct wire_reader *r, struct key_set *set)
{
    set->sig_count = wire_read_u8(r);
    if (set->sig_count > 2 * KEY_SET_CLIENTS_MAX)
        wire_reader_fail(r, ERR_WIRE_LIMIT);
    for (size_t i = 0; i < set->sig_count && r->failure == ERR_NONE; i++) {
        set->sigs[i].client_id = read_id(r, 0);
        set->sigs[i].signature = wire_read_vector16(r);
        if (set->sigs[i].signature.len > SIGNATURE_MAX_BYTES)
            wire_reader_fail(r, ERR_WIRE_VALUE);
    }
}

/* Fills *set as it goes. */
static struct err read_set(struct bytes in, struct key_set *set)
{
    if (in.len > KEY_SET_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    const uint8_t *from = r.at;
    if (wire_read_u8(&r) != FORMAT)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    set->label = wire_read_vector8(&r);
    if (set->label.len == 0)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    set->version = wire_read_u32(&r);
    set->prev_commitment = read_none_or(&r, COMMITMENT_BYTES);
    set->created_ms = wire_read_u64(&r);
    set->reset = wire_read_present(&r);
    read_clients(&r, set);
    set->recovery_key = read_none_or(&r, RECOVERY_KEY_BYTES);
    set->tbs = wire_reader_since(&r, from);
    read_sigs(&r, set);
    return wire_reader_end(&r);
}

struct err key_set_parse(struct bytes in, struct key_set *ret_set)
{
    struct key_set set = {0};
    TRY(read_set(in, &set));
    *ret_set = set;
    return ERR_OK;
}

/* ---- making */

/* Appends what is signed. */
static void signed_write(struct buf *b, struct bytes tbs)
{
    buf_append(b, "KTL KeySet 1", sizeof "KTL KeySet 1"); /* with its zero byte */
    buf_append_bytes(b, tbs);
}

static void tbs_write(struct buf *b, const struct key_set *fields)
{
    wire_write_u8(b, FORMAT);
    wire_write_vector8(b, fields->label);
    wire_write_u32(b, fields->version);
    wire_write_vector8(b, fields->prev_commitment);
    wire_write_u64(b, fields->created_ms);
    wire_write_u8(b, fields->reset);
    wire_write_u16(b, (uint16_t)fields->client_count);
    for (size_t i = 0; i < fields->client_count; i++) {
        const struct client_key *client = &fields->clients[i];
        wire_write_vector8(b, client->client_id);
        wire_write_u16(b, client->sig_scheme);
        wire_write_vector16(b, client->public_key);
        wire_write_u64(b, client->added_ms);
        wire_write_u8(b, client->flags);
    }
    wire_write_vector8(b, fields->recovery_key);
}

struct err key_set_tbs_make(struct buf *b, const struct key_set *fields)
{
    if (fields->client_count > KEY_SET_CLIENTS_MAX)
        return ERR(WIRE_LIMIT);
    struct buf tbs = {.limit = KEY_SET_MAX_BYTES};
    tbs_write(&tbs, fields);
    struct err err = buf_check(&tbs);
    if (err_is_ok(err)) {
        buf_append_bytes(b, buf_view(&tbs));
        err = buf_check(b);
    }
    buf_clear(&tbs);
    return err;
}

struct err key_set_tbs_sign(struct bytes tbs, const struct sig_key *key,
                            struct signature *ret_signature)
{
    struct buf content = BUF_INIT;
    signed_write(&content, tbs);
    struct err err = buf_check(&content);
    if (err_is_ok(err))
        err = sig_sign(key, buf_view(&content), ret_signature);
    buf_clear(&content);
    return err;
}

struct err key_set_join(struct buf *b, struct bytes tbs, const struct bytes *ids,
                        const struct signature *signatures, size_t count)
{
    if (count > 2 * KEY_SET_CLIENTS_MAX)
        return ERR(WIRE_LIMIT);
    struct buf whole = {.limit = KEY_SET_MAX_BYTES};
    struct key_set made;
    buf_append_bytes(&whole, tbs);
    wire_write_u8(&whole, (uint8_t)count);
    for (size_t i = 0; i < count; i++) {
        wire_write_vector8(&whole, ids[i]);
        wire_write_vector16(&whole, signature_view(&signatures[i]));
    }
    struct err err = buf_check(&whole);
    if (err_is_ok(err)) /* nothing leaves that nobody could read */
        err = key_set_parse(buf_view(&whole), &made);
    if (err_is_ok(err)) {
        buf_append_bytes(b, buf_view(&whole));
        err = buf_check(b);
    }
    buf_clear(&whole);
    return err;
}

struct err key_set_make(struct buf *b, const struct key_set *fields,
                        const struct sig_key *const *keys, const struct bytes *ids, size_t count)
{
    if (count > 2 * KEY_SET_CLIENTS_MAX)
        return ERR(WIRE_LIMIT);
    struct signature signatures[2 * KEY_SET_CLIENTS_MAX];
    struct buf tbs = BUF_INIT;
    struct err err = key_set_tbs_make(&tbs, fields);
    for (size_t i = 0; i < count && err_is_ok(err); i++)
        err = key_set_tbs_sign(buf_view(&tbs), keys[i], &signatures[i]);
    if (err_is_ok(err))
        err = key_set_join(b, buf_view(&tbs), ids, signatures, count);
    buf_clear(&tbs);
    return err;
}

/* ---- following the version before */

const struct client_key *key_set_find(const struct key_set *set, struct bytes client_id)
{
    for (size_t i = 0; i < set->client_count; i++) {
        if (bytes_equal(set->clients[i].client_id, client_id))
            return &set->clients[i];
    }
    return NULL;
}

static bool same_key(const struct client_key *a, const struct client_key *b)
{
    return a->sig_scheme == b->sig_scheme && bytes_equal(a->public_key, b->public_key);
}

/* What the signatures have shown. */
struct shown {
    bool possession[KEY_SET_CLIENTS_MAX]; /* by clients[i] of this version */
    bool authorised;                      /* by the version before */
};

static struct err verify_client(const struct client_key *client, struct bytes content,
                                struct bytes signature)
{
    return sig_verify(alg_of(client->sig_scheme), client->public_key, content, signature);
}

/* A signature by a recovery key: that of the version before authorises. */
static struct err check_recovery(const struct key_set *set, const struct key_set *before,
                                 struct bytes content, struct bytes signature, struct shown *shown)
{
    struct bytes old = before != NULL ? before->recovery_key : bytes_of(NULL, 0);
    if (old.len > 0 && err_is_ok(sig_verify(&sig_ed25519, old, content, signature))) {
        shown->authorised = true;
        return ERR_OK;
    }
    if (set->recovery_key.len == 0)
        return old.len > 0 ? ERR(CRYPTO_SIGNATURE) : ERR(KEY_SET);
    return sig_verify(&sig_ed25519, set->recovery_key, content, signature);
}

/* A signature under a client's id: by its key here, by its key before, or, the same key, by both.
 */
static struct err check_sig(const struct key_set *set, const struct key_set *before,
                            const struct key_set_sig *sig, struct bytes content,
                            struct shown *shown)
{
    if (sig->client_id.len == 0)
        return check_recovery(set, before, content, sig->signature, shown);
    const struct client_key *now = key_set_find(set, sig->client_id);
    const struct client_key *old = before != NULL ? key_set_find(before, sig->client_id) : NULL;
    if (now == NULL && old == NULL)
        return ERR(KEY_SET);
    bool same = now != NULL && old != NULL && same_key(now, old);
    if (now != NULL && !same) {
        struct err err = verify_client(now, content, sig->signature);
        if (err_is_ok(err))
            shown->possession[now - set->clients] = true;
        if (err_is_ok(err) || old == NULL)
            return err;
    }
    TRY(verify_client(old, content, sig->signature));
    if (old->flags & KEY_SET_AUTHORISES)
        shown->authorised = true;
    return ERR_OK;
}

static struct err check_order(const struct key_set *set, const struct key_set *before)
{
    if (before == NULL)
        return set->version == 0 && set->prev_commitment.len == 0 ? ERR_OK : ERR(KEY_SET);
    bool next = before->version != UINT32_MAX && set->version == before->version + 1;
    bool chained = set->reset || set->prev_commitment.len == COMMITMENT_BYTES;
    return next && chained && bytes_equal(set->label, before->label) ? ERR_OK : ERR(KEY_SET);
}

static bool all_shown(const struct key_set *set, const struct key_set *before,
                      const struct shown *shown)
{
    for (size_t i = 0; i < set->client_count; i++) {
        const struct client_key *client = &set->clients[i];
        const struct client_key *old =
            before != NULL ? key_set_find(before, client->client_id) : NULL;
        bool is_new = old == NULL || !same_key(client, old);
        if (is_new && !shown->possession[i])
            return false;
    }
    return before == NULL || set->reset || shown->authorised;
}

struct err key_set_verify(const struct key_set *set, const struct key_set *before)
{
    TRY(check_order(set, before));
    struct buf content = BUF_INIT;
    struct shown shown = {0};
    signed_write(&content, set->tbs);
    struct err err = buf_check(&content);
    for (size_t i = 0; i < set->sig_count && err_is_ok(err); i++)
        err = check_sig(set, before, &set->sigs[i], buf_view(&content), &shown);
    buf_clear(&content);
    TRY(err);
    return all_shown(set, before, &shown) ? ERR_OK : ERR(KEY_SET);
}

struct err key_set_verify_alone(const struct key_set *set)
{
    if (set->version == 0 || set->reset || set->prev_commitment.len != COMMITMENT_BYTES)
        return ERR(KEY_SET);
    struct buf content = BUF_INIT;
    bool signed_by[KEY_SET_CLIENTS_MAX] = {false};
    signed_write(&content, set->tbs);
    struct err err = buf_check(&content);
    for (size_t i = 0; i < set->sig_count && err_is_ok(err); i++) {
        const struct client_key *now =
            set->sigs[i].client_id.len > 0 ? key_set_find(set, set->sigs[i].client_id) : NULL;
        /* another key of the same client, of the version before, may have signed beside it */
        if (now != NULL &&
            err_is_ok(verify_client(now, buf_view(&content), set->sigs[i].signature)))
            signed_by[now - set->clients] = true;
    }
    buf_clear(&content);
    TRY(err);
    for (size_t i = 0; i < set->client_count; i++) {
        if (!signed_by[i])
            return ERR(KEY_SET);
    }
    return ERR_OK;
}
