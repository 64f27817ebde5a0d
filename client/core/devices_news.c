/* What another of our devices says. It is ours, but may be older, newer, or behind: news that can't
 * be read or do not follow change nothing. */
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/key_package.h"
#include "client/core/log.h"
#include "wire/reader.h"

/* A row of his is ours, but for the chat: each device has its own id for it. */
static struct err take_contact(struct core *c, struct db_txn *t, struct bytes body)
{
    struct contact contact = {0}, known = {0};
    TRY(contact_read(body, &contact));
    struct err err = contact_get(c, t, &contact.id, &known);
    bool is_new = err.code == ERR_NOT_FOUND;
    contact.chat = known.chat;
    if (err_is_ok(err)) /* answered there, perhaps */
        err = contact_forget_offers(t, &known);
    if (err_is_ok(err) || is_new)
        err = contact_remember_offers(t, &contact);
    if (err_is_ok(err))
        err = contact_put(c, t, &contact);
    if (err_is_ok(err) && is_new && contact.state == HEARTH_CONTACT_ASKS)
        err = contact_event(c, t, HEARTH_EVENT_CONTACT_ASKS, &contact, "");
    else if (err_is_ok(err) && known.state != contact.state)
        err = contact_event(c, t, HEARTH_EVENT_CONTACT_CHANGED, &contact, "on another device");
    contact_clear(&contact);
    contact_clear(&known);
    TRY(err);
    return contacts_changed(c, t);
}

static struct err take_user(struct core *c, struct db_txn *t, struct bytes body)
{
    struct user_secrets user = {0};
    TRY(user_secrets_read(body, &user));
    bool rotated = memcmp(user.friendship_key, c->account.user.friendship_key,
                          sizeof user.friendship_key) != 0;
    sig_key_clear(&c->account.user.queue_user_key);
    c->account.user = user; /* Ed25519: nothing behind a pointer */
    bytes_wipe(&user, sizeof user);
    TRY(account_write(&c->account, t));
    return rotated ? key_package_publish(c, t) : ERR_OK;
}

static struct err take_name(struct core *c, struct db_txn *t, struct bytes body)
{
    if (body.len > DISPLAY_NAME_MAX_BYTES)
        return ERR(WIRE_VALUE);
    if (body.len > 0)
        memcpy(c->account.name, body.data, body.len);
    c->account.name[body.len] = 0;
    return account_write(&c->account, t);
}

static struct err take_device(struct db_txn *t, struct bytes body)
{
    struct device device;
    TRY(device_read(body, &device));
    return device_put(t, &device);
}

static struct err take_compared(struct core *c, struct db_txn *t, struct bytes body)
{
    struct contact contact = {0};
    struct hearth_id id;
    if (body.len != sizeof id.bytes + 1)
        return ERR(WIRE_VALUE);
    memcpy(id.bytes, body.data, sizeof id.bytes);
    TRY(contact_get(c, t, &id, &contact));
    contact.compared = body.data[sizeof id.bytes] != 0;
    contact.changed = contact.changed && !contact.compared;
    struct err err = contact_put(c, t, &contact);
    contact_clear(&contact);
    return err;
}

static struct err take_gone(struct core *c, struct db_txn *t, struct bytes body)
{
    struct hearth_id id;
    if (body.len != sizeof id.bytes)
        return ERR(WIRE_VALUE);
    struct contact contact = {0};
    memcpy(id.bytes, body.data, sizeof id.bytes);
    TRY(contact_get(c, t, &id, &contact));
    struct err err = contact_forget_offers(t, &contact);
    contact_clear(&contact);
    TRY(err);
    return contact_drop(c, t, &id);
}

static struct err take_handle_gone(struct core *c, struct db_txn *t, struct bytes body)
{
    char handle[HANDLE_TEXT_MAX_BYTES + 1];
    if (body.len > HANDLE_TEXT_MAX_BYTES)
        return ERR(WIRE_VALUE);
    if (body.len > 0)
        memcpy(handle, body.data, body.len);
    handle[body.len] = 0;
    return handle_forget(c, t, handle);
}

static struct err take(struct core *c, struct db_txn *t, enum device_news what, struct bytes body)
{
    switch (what) {
    case NEWS_CONTACT:
        return take_contact(c, t, body);
    case NEWS_CONTACT_GONE:
        return take_gone(c, t, body);
    case NEWS_HANDLES:
        TRY(handles_take(c, t, body));
        return log_own(c, t);
    case NEWS_HANDLE_GONE:
        return take_handle_gone(c, t, body);
    case NEWS_USER:
        return take_user(c, t, body);
    case NEWS_PROFILE:
        return take_name(c, t, body);
    case NEWS_KEY_SETS:
        TRY(own_key_sets_take(c, t, body));
        return log_own(c, t);
    case NEWS_DEVICE:
        return take_device(t, body);
    case NEWS_COMPARED:
        return take_compared(c, t, body);
    default:
        return ERR_OK; /* of a newer device */
    }
}

struct err devices_news(struct core *c, struct db_txn *t, struct bytes in)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != 1)
        return ERR_OK;
    enum device_news what = (enum device_news)wire_read_u8(&r);
    struct bytes body = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR_OK;
    struct err err = take(c, t, what, body);
    return err_class_of(err) == ERR_CLASS_OURS ? err : ERR_OK;
}
