/* Devices of one user: the chain of KeySets, names, and what is told. */
#include "client/core/devices.h"

#include "client/core/log.h"

#include <stdlib.h>

#include "client/core/event.h"
#include "client/core/group.h"
#include "seal/key_set.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { NEWS_VERSION = 1, DEVICE_VERSION = 1 };

static const char chain_name[] = "own-key-sets";

/* ---- telling */

struct err devices_tell(struct core *c, struct db_txn *t, enum device_news what, struct bytes body)
{
    static const struct hearth_id none;
    struct buf news = BUF_INIT;
    uint8_t id[16];
    uint64_t task;
    if (hearth_id_equal(&c->account.devices_chat, &none))
        return ERR_OK;
    TRY(rng_fill(c->rng, id, sizeof id));
    wire_write_u8(&news, NEWS_VERSION);
    wire_write_u8(&news, (uint8_t)what);
    wire_write_vector(&news, body);
    struct err err = buf_check(&news);
    if (err_is_ok(err)) {
        const struct content content = {.kind = CONTENT_DEVICE_NEWS,
                                        .id = id,
                                        .sent_ms = core_now_ms(c),
                                        .body = buf_view(&news)};
        err = group_send(c, t, &c->account.devices_chat, &content, 0, &task);
    }
    buf_clear(&news);
    bool cant = err.code == ERR_CLIENT_CHAT_STATE || err.code == ERR_CLIENT_UNVERIFIED ||
                err.code == ERR_CLIENT_LOG || err.code == ERR_NOT_FOUND;
    return cant ? ERR_OK : err;
}

struct err devices_tell_user(struct core *c, struct db_txn *t)
{
    struct buf body = BUF_INIT;
    user_secrets_write(&body, &c->account.user);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = devices_tell(c, t, NEWS_USER, buf_view(&body));
    buf_clear(&body);
    return err;
}

struct err devices_tell_contact(struct core *c, struct db_txn *t, const struct contact *contact)
{
    struct buf body = BUF_INIT;
    contact_write(&body, contact);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = devices_tell(c, t, NEWS_CONTACT, buf_view(&body));
    buf_clear(&body);
    return err;
}

struct err devices_tell_handles(struct core *c, struct db_txn *t, const char *given_up)
{
    struct buf body = BUF_INIT;
    if (given_up != NULL)
        return devices_tell(c, t, NEWS_HANDLE_GONE, bytes_str(given_up));
    struct err err = handles_write(c, t, &body);
    if (err_is_ok(err))
        err = devices_tell(c, t, NEWS_HANDLES, buf_view(&body));
    buf_clear(&body);
    return err;
}

/* ---- KeySets */

size_t devices_count(const struct core *c)
{
    size_t count = 0;
    struct key_set *set = malloc(sizeof *set);
    if (set != NULL && err_is_ok(key_set_parse(buf_view(&c->account.key_set), set)))
        count = set->client_count;
    free(set);
    return count;
}

static bool ends_with(const struct buf *chain, size_t from, struct bytes newest)
{
    struct wire_reader r = wire_reader_of(bytes_of(chain->data + from, chain->len - from));
    struct bytes last = bytes_of(NULL, 0);
    while (wire_reader_more(&r))
        last = wire_read_vector(&r);
    return bytes_equal(last, newest);
}

/* The oldest go when there are too many: those who know them have accepted what followed. */
static struct err trim(struct buf *chain, size_t from)
{
    struct wire_reader r = wire_reader_of(bytes_of(chain->data + from, chain->len - from));
    size_t count = 0, drop = 0;
    while (wire_reader_more(&r)) {
        (void)wire_read_vector(&r);
        count++;
    }
    TRY(wire_reader_end(&r));
    r = wire_reader_of(bytes_of(chain->data + from, chain->len - from));
    for (; count > DEVICE_KEY_SETS_MAX; count--)
        (void)wire_read_vector(&r);
    drop = (size_t)(r.at - (chain->data + from));
    if (drop > 0) {
        memmove(chain->data + from, chain->data + from + drop, chain->len - from - drop);
        chain->len -= drop;
    }
    return ERR_OK;
}

struct err own_key_sets_write(struct core *c, struct db_txn *t, struct buf *b)
{
    size_t from = b->len;
    struct bytes newest = buf_view(&c->account.key_set);
    struct err err = db_get(t, DB_SETTING, bytes_str(chain_name), b);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    if (newest.len > 0 && !ends_with(b, from, newest))
        wire_write_vector(b, newest); /* the first, which came with the registration */
    TRY(buf_check(b));
    return trim(b, from);
}

static struct err take_key_set(struct core *c, struct db_txn *t, struct bytes key_set)
{
    struct buf chain = BUF_INIT, copy = BUF_INIT;
    struct err err = own_key_sets_write(c, t, &chain);
    if (err_is_ok(err)) {
        wire_write_vector(&chain, key_set);
        buf_append_bytes(&copy, key_set);
        err = buf_check(&chain);
    }
    if (err_is_ok(err))
        err = buf_check(&copy);
    if (err_is_ok(err))
        err = db_put(t, DB_SETTING, bytes_str(chain_name), buf_view(&chain));
    buf_clear(&chain);
    if (!err_is_ok(err)) {
        buf_clear(&copy);
        return err;
    }
    buf_clear(&c->account.key_set);
    c->account.key_set = copy;
    return account_write(&c->account, t);
}

struct err own_key_set_next(struct core *c, struct db_txn *t, struct bytes key_set)
{
    static const struct hearth_event event = {.kind = HEARTH_EVENT_DEVICE, .text = ""};
    struct buf chain = BUF_INIT;
    TRY(take_key_set(c, t, key_set));
    TRY(log_own(c, t));
    struct err err = own_key_sets_write(c, t, &chain);
    if (err_is_ok(err))
        err = devices_tell(c, t, NEWS_KEY_SETS, buf_view(&chain));
    if (err_is_ok(err))
        err = friends_tell(c, t, CONTENT_KEY_SET, buf_view(&chain));
    buf_clear(&chain);
    TRY(err);
    return event_tell(c, t, &event);
}

struct err own_key_sets_keep(struct db_txn *t, struct bytes key_sets)
{
    return db_put(t, DB_SETTING, bytes_str(chain_name), key_sets);
}

struct err own_key_sets_take(struct core *c, struct db_txn *t, struct bytes key_sets)
{
    struct buf newest = BUF_INIT;
    enum key_sets_say says;
    buf_append_bytes(&newest, buf_view(&c->account.key_set));
    struct err err = buf_check(&newest);
    if (err_is_ok(err))
        err = key_sets_follow(&newest, buf_view(&c->account.user_id), key_sets, &says);
    if (err_is_ok(err) && says != KEY_SETS_SAME) {
        err = db_put(t, DB_SETTING, bytes_str(chain_name), key_sets);
        buf_clear(&c->account.key_set);
        c->account.key_set = newest;
        newest = BUF_INIT;
        if (err_is_ok(err))
            err = account_write(&c->account, t);
        if (err_is_ok(err))
            err = contacts_changed(c, t);
        if (err_is_ok(err))
            err = event_tell(c, t, &(struct hearth_event){.kind = HEARTH_EVENT_DEVICE, .text = ""});
    }
    buf_clear(&newest);
    return err;
}

/* ---- names */

void device_write(struct buf *b, const struct device *device)
{
    wire_write_u8(b, DEVICE_VERSION);
    wire_write_fixed(b, bytes_of(device->uuid, sizeof device->uuid));
    wire_write_vector(b, bytes_str(device->name));
    wire_write_u64(b, device->added_ms);
    wire_write_fixed(b, bytes_of(device->queue_client_id, sizeof device->queue_client_id));
}

struct err device_read(struct bytes in, struct device *ret_device)
{
    struct device d = {0};
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != DEVICE_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes uuid = wire_read_fixed(&r, sizeof d.uuid), name = wire_read_vector(&r);
    d.added_ms = wire_read_u64(&r);
    struct bytes queue = wire_read_fixed(&r, sizeof d.queue_client_id);
    TRY(wire_reader_end(&r));
    if (name.len >= sizeof d.name)
        return ERR(WIRE_VALUE);
    memcpy(d.uuid, uuid.data, sizeof d.uuid);
    if (name.len > 0)
        memcpy(d.name, name.data, name.len);
    memcpy(d.queue_client_id, queue.data, sizeof d.queue_client_id);
    *ret_device = d;
    return ERR_OK;
}

struct err device_put(struct db_txn *t, const struct device *device)
{
    struct buf value = BUF_INIT;
    device_write(&value, device);
    struct err err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_DEVICE, bytes_of(device->uuid, sizeof device->uuid), buf_view(&value));
    buf_clear(&value);
    return err;
}

struct err device_get(struct db_txn *t, const uint8_t uuid[UUID_BYTES], struct device *ret_device)
{
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_DEVICE, bytes_of(uuid, UUID_BYTES), &value);
    if (err_is_ok(err))
        err = device_read(buf_view(&value), ret_device);
    buf_clear(&value);
    return err;
}

struct err device_tell(struct core *c, struct db_txn *t, const struct device *device)
{
    struct buf body = BUF_INIT;
    device_write(&body, device);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = devices_tell(c, t, NEWS_DEVICE, buf_view(&body));
    buf_clear(&body);
    return err;
}

static struct err show(struct core *c, struct db_txn *t, const struct client_key *key,
                       bool (*fn)(const struct hearth_device *device, void *arg), void *arg,
                       bool *ret_go_on)
{
    struct device device = {0};
    struct hearth_device shown = {.added_ms = key->added_ms};
    if (key->client_id.len < UUID_BYTES)
        return ERR_OK;
    memcpy(shown.id.bytes, key->client_id.data + key->client_id.len - UUID_BYTES, UUID_BYTES);
    struct err err = device_get(t, shown.id.bytes, &device);
    if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
        return err;
    shown.self = memcmp(shown.id.bytes, c->account.client_uuid, UUID_BYTES) == 0;
    shown.name = shown.self ? c->account.device : device.name;
    *ret_go_on = fn(&shown, arg);
    return ERR_OK;
}

struct err devices_each(struct core *c, struct db_txn *t,
                        bool (*fn)(const struct hearth_device *device, void *arg), void *arg)
{
    struct key_set *set = malloc(sizeof *set);
    bool go_on = true;
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = c->account.key_set.len > 0 ? key_set_parse(buf_view(&c->account.key_set), set)
                                                : ERR(NOT_FOUND);
    for (size_t i = 0; err_is_ok(err) && go_on && i < set->client_count; i++)
        err = show(c, t, &set->clients[i], fn, arg, &go_on);
    free(set);
    return err;
}
