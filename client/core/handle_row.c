/* Rows of handles.
 *
 * DB_HANDLE, id hash:
 *     struct { uint8 version = 1; uint8 state; opaque local<V>; opaque key<V>; opaque key_set<V>;
 *              uint64 offers; uint64 published_ms; uint32 packages_used; }
 */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/handle_inside.h"
#include "client/core/log.h"
#include "seal/key_set.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, BODY_VERSION = 1 };

void handle_row_clear(struct handle_row *row)
{
    sig_key_clear(&row->key);
    buf_clear(&row->key_set);
    bytes_wipe(row, sizeof *row);
}

static struct bytes hash_view(const uint8_t *hash)
{
    return bytes_of(hash, HANDLE_HASH_BYTES);
}

struct err handle_put(struct db_txn *t, const struct handle_row *row)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_u8(&b, (uint8_t)row->state);
    wire_write_vector(&b, bytes_str(row->local));
    wire_write_vector(&b, secret_view(&row->key.private_key));
    wire_write_vector(&b, buf_view(&row->key_set));
    wire_write_u64(&b, row->offers);
    wire_write_u64(&b, row->published_ms);
    wire_write_u32(&b, row->packages_used);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_HANDLE, hash_view(row->hash), buf_view(&b));
    buf_clear(&b);
    return err;
}

static struct err read_row(struct bytes id, struct bytes in, struct handle_row *ret_row)
{
    struct wire_reader r = wire_reader_of(in);
    struct handle_row row = {0};
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    row.state = (enum handle_state)wire_read_u8(&r);
    struct bytes local = wire_read_vector(&r);
    struct bytes key = wire_read_vector(&r);
    struct bytes key_set = wire_read_vector(&r);
    row.offers = wire_read_u64(&r);
    row.published_ms = wire_read_u64(&r);
    row.packages_used = wire_read_u32(&r);
    if (!err_is_ok(wire_reader_end(&r)) || local.len > HANDLE_LOCAL_MAX_BYTES ||
        id.len != HANDLE_HASH_BYTES)
        return ERR(STORE_CORRUPT);
    memcpy(row.hash, id.data, HANDLE_HASH_BYTES);
    if (local.len > 0)
        memcpy(row.local, local.data, local.len);
    buf_append_bytes(&row.key_set, key_set);
    struct err err = buf_check(&row.key_set);
    if (err_is_ok(err))
        err = sig_key_init(&sig_ed25519, key, &row.key);
    if (!err_is_ok(err)) {
        handle_row_clear(&row);
        return err;
    }
    *ret_row = row;
    bytes_wipe(&row, sizeof row);
    return ERR_OK;
}

struct err handle_get(struct db_txn *t, const uint8_t hash[HANDLE_HASH_BYTES],
                      struct handle_row *ret_row)
{
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_HANDLE, hash_view(hash), &value);
    if (err_is_ok(err))
        err = read_row(hash_view(hash), buf_view(&value), ret_row);
    buf_clear(&value);
    return err;
}

struct walk {
    struct err (*fn)(void *arg, const struct handle_row *row);
    void *arg;
};

static struct err walk_one(void *arg, struct bytes id, struct bytes value)
{
    const struct walk *w = arg;
    struct handle_row row;
    TRY(read_row(id, value, &row));
    struct err err = w->fn(w->arg, &row);
    handle_row_clear(&row);
    return err;
}

struct err handle_each(struct core *c, struct db_txn *t,
                       struct err (*fn)(void *arg, const struct handle_row *row), void *arg)
{
    struct walk w = {fn, arg};
    (void)c;
    return db_each(t, DB_HANDLE, walk_one, &w);
}

struct finding {
    struct bytes local; /* empty: any that is ours */
    uint8_t hash[HANDLE_HASH_BYTES];
    bool found;
};

static struct err find_one(void *arg, const struct handle_row *row)
{
    struct finding *f = arg;
    if (f->local.len == 0 ? row->state != HANDLE_OURS
                          : !bytes_equal(f->local, bytes_str(row->local)))
        return ERR_OK;
    memcpy(f->hash, row->hash, sizeof f->hash);
    f->found = true;
    return ERR(CANCELLED);
}

struct err handle_find(struct core *c, struct db_txn *t, struct bytes local,
                       struct handle_row *ret_row)
{
    struct finding f = {.local = local};
    TRY(handle_each(c, t, find_one, &f));
    return f.found ? handle_get(t, f.hash, ret_row) : ERR(NOT_FOUND);
}

struct err handle_own_hash(struct core *c, struct db_txn *t, struct bytes local,
                           uint8_t ret_hash[HANDLE_HASH_BYTES])
{
    struct finding f = {.local = local};
    if (local.len == 0)
        return ERR(NOT_FOUND);
    TRY(handle_each(c, t, find_one, &f));
    if (!f.found)
        return ERR(NOT_FOUND);
    memcpy(ret_hash, f.hash, sizeof f.hash);
    return ERR_OK;
}

void handle_text(const struct core *c, const struct handle_row *row,
                 char ret_text[HANDLE_TEXT_MAX_BYTES + 1])
{
    (void)snprintf(ret_text, HANDLE_TEXT_MAX_BYTES + 1, "%s@%s", row->local, c->account.domain);
}

struct err handle_own(struct core *c, struct db_txn *t, char ret_handle[HANDLE_TEXT_MAX_BYTES + 1])
{
    struct handle_row row;
    struct err err = handle_find(c, t, bytes_of(NULL, 0), &row);
    ret_handle[0] = '\0';
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    handle_text(c, &row, ret_handle);
    handle_row_clear(&row);
    return ERR_OK;
}

struct err handle_own_set(struct core *c, struct db_txn *t, const uint8_t hash[HANDLE_HASH_BYTES],
                          struct buf *ret_key_set, char *ret_text)
{
    struct handle_row row;
    TRY(handle_get(t, hash, &row));
    struct err err = row.state == HANDLE_OURS ? ERR_OK : ERR(NOT_FOUND);
    handle_text(c, &row, ret_text);
    if (err_is_ok(err)) {
        buf_append_bytes(ret_key_set, buf_view(&row.key_set));
        err = buf_check(ret_key_set);
    }
    handle_row_clear(&row);
    return err;
}

/* ---- calls and KeySets */

void handle_lane(const uint8_t hash[HANDLE_HASH_BYTES], uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 handle lane"), hash_view(hash)), &d);
    memcpy(ret_lane, d.data, 16);
}

struct err handle_call(const struct core *c, const struct handle_row *row, struct task_call *call)
{
    (void)snprintf(call->domain, sizeof call->domain, "%s", c->account.domain);
    core_purpose("handle", hash_view(row->hash), call->purpose);
    call->caller = REQUEST_HANDLE;
    buf_append_bytes(&call->caller_id, hash_view(row->hash));
    TRY(buf_check(&call->caller_id));
    return sig_key_init(&sig_ed25519, secret_view(&row->key.private_key), &call->caller_key);
}

struct err handle_key_set(struct core *c, struct db_txn *t, const struct handle_row *row,
                          uint32_t version, bool reset, bool over, struct buf *b)
{
    static const uint8_t client[16] = "handle";
    uint8_t label[1 + HANDLE_HASH_BYTES] = {KEY_SET_LABEL_HANDLE};
    uint8_t before[HASH_VALUE_BYTES] = {0};
    const struct sig_key *key = &row->key;
    const struct bytes id = bytes_of(client, sizeof client);
    memcpy(label + 1, row->hash, HANDLE_HASH_BYTES);
    if (version > 0 && !reset) /* of a label that others had we do not know what was before */
        TRY(log_commitment_before(c, t, buf_view(&row->key_set), before));
    struct key_set set = {
        .version = version, .created_ms = core_now_ms(c), .reset = reset, .client_count = !over};
    set.label = bytes_of(label, sizeof label);
    set.prev_commitment = bytes_of(before, version > 0 ? sizeof before : 0);
    set.clients[0] = (struct client_key){
        .client_id = id,
        .sig_scheme = sig_ed25519.scheme,
        .public_key = public_key_view(&key->public_key),
        .added_ms = core_now_ms(c),
        .flags = KEY_SET_AUTHORISES,
    };
    return key_set_make(b, &set, &key, &id, 1);
}

struct err handle_next_set(struct core *c, struct db_txn *t, const struct handle_row *row,
                           const struct sig_key *next, struct buf *b)
{
    struct key_set *set = malloc(sizeof *set);
    uint8_t before[HASH_VALUE_BYTES];
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(buf_view(&row->key_set), set);
    if (err_is_ok(err) && set->client_count != 1)
        err = ERR(STORE_CORRUPT);
    if (err_is_ok(err))
        err = log_commitment_before(c, t, buf_view(&row->key_set), before);
    if (err_is_ok(err)) {
        const struct sig_key *const keys[] = {next, &row->key};
        const struct bytes ids[] = {set->clients[0].client_id, set->clients[0].client_id};
        set->version++;
        set->reset = false;
        set->created_ms = core_now_ms(c);
        set->prev_commitment = bytes_of(before, sizeof before);
        set->clients[0].public_key = public_key_view(&next->public_key);
        set->clients[0].added_ms = core_now_ms(c);
        err = key_set_make(b, set, keys, ids, 2);
    }
    free(set);
    return err;
}

/* ---- bodies of tasks */

struct err handle_body_read(const struct task *task, struct handle_body *ret_body)
{
    struct wire_reader r = wire_reader_of(buf_view(&task->body));
    struct handle_body body = {0};
    if (wire_read_u8(&r) != BODY_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes hash = wire_read_fixed(&r, HANDLE_HASH_BYTES);
    body.version = wire_read_u32(&r);
    struct bytes request = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    memcpy(body.hash, hash.data, sizeof body.hash);
    buf_append_bytes(&body.request, request);
    TRY(buf_check(&body.request));
    *ret_body = body;
    return ERR_OK;
}

struct err handle_body_set(struct task *task, const struct handle_body *body)
{
    buf_clear(&task->body);
    wire_write_u8(&task->body, BODY_VERSION);
    wire_write_fixed(&task->body, hash_view(body->hash));
    wire_write_u32(&task->body, body->version);
    wire_write_vector(&task->body, buf_view(&body->request));
    return buf_check(&task->body);
}

struct err handle_task(struct core *c, struct db_txn *t, enum task_kind kind,
                       const uint8_t hash[HANDLE_HASH_BYTES], uint64_t *ret_task)
{
    uint8_t lane[16];
    struct task task = {0};
    struct handle_body body = {0};
    memcpy(body.hash, hash, sizeof body.hash);
    handle_lane(hash, lane);
    struct err err = handle_body_set(&task, &body);
    if (err_is_ok(err))
        err = task_add(c, t, kind, lane, NULL, buf_view(&task.body), ret_task);
    buf_clear(&task.body);
    return err;
}
