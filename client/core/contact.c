/* Contacts' rows and the two ways to find one. */
#include "client/core/contact.h"

#include "client/core/event.h"

/* ---- indexes: DB_SETTING "contact-user" 0 UserId, "contact-handle" 0 handle -> contact id */

static struct err index_name(const char *what, struct bytes key, struct buf *ret_name)
{
    buf_append(ret_name, what, strlen(what) + 1);
    buf_append_bytes(ret_name, key);
    return buf_check(ret_name);
}

static struct err index_get(struct db_txn *t, const char *what, struct bytes key,
                            struct hearth_id *ret_id)
{
    struct buf name = BUF_INIT, value = BUF_INIT;
    struct err err = index_name(what, key, &name);
    if (err_is_ok(err))
        err = db_get(t, DB_SETTING, buf_view(&name), &value);
    if (err_is_ok(err) && value.len != sizeof ret_id->bytes)
        err = ERR(STORE_CORRUPT);
    if (err_is_ok(err))
        memcpy(ret_id->bytes, value.data, sizeof ret_id->bytes);
    buf_clear(&name);
    buf_clear(&value);
    return err;
}

static struct err index_put(struct db_txn *t, const char *what, struct bytes key,
                            const struct hearth_id *id)
{
    struct buf name = BUF_INIT;
    struct err err = index_name(what, key, &name);
    if (err_is_ok(err))
        err = db_put(t, DB_SETTING, buf_view(&name), bytes_of(id->bytes, sizeof id->bytes));
    buf_clear(&name);
    return err;
}

static struct err index_drop(struct db_txn *t, const char *what, struct bytes key)
{
    struct buf name = BUF_INIT;
    struct err err = index_name(what, key, &name);
    if (err_is_ok(err))
        err = db_drop(t, DB_SETTING, buf_view(&name));
    buf_clear(&name);
    return err;
}

static bool is_over(const struct contact *contact)
{
    return contact->state == HEARTH_CONTACT_REFUSED || contact->state == HEARTH_CONTACT_REMOVED;
}

/* May the index lead to this contact from now on? Who is there goes before who only says so. */
static struct err may_take(struct core *c, struct db_txn *t, const struct contact *contact,
                           const struct hearth_id *holder, bool *ret_may)
{
    struct contact other = {0};
    if (hearth_id_equal(holder, &contact->id)) {
        *ret_may = true;
        return ERR_OK;
    }
    struct err err = contact_get(c, t, holder, &other);
    if (err.code == ERR_NOT_FOUND) {
        *ret_may = true;
        return ERR_OK;
    }
    TRY(err);
    *ret_may = is_over(&other) ||
               (contact->state == HEARTH_CONTACT_FRIEND && other.state != HEARTH_CONTACT_FRIEND);
    contact_clear(&other);
    return ERR_OK;
}

static struct err keep_index(struct core *c, struct db_txn *t, const struct contact *contact,
                             const char *what, struct bytes key)
{
    struct hearth_id holder;
    bool may = true;
    if (key.len == 0)
        return ERR_OK;
    struct err err = index_get(t, what, key, &holder);
    if (err_is_ok(err))
        err = may_take(c, t, contact, &holder, &may);
    else if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    TRY(err);
    return may ? index_put(t, what, key, &contact->id) : ERR_OK;
}

static struct err leave_index(struct db_txn *t, const struct contact *contact, const char *what,
                              struct bytes key)
{
    struct hearth_id holder;
    if (key.len == 0)
        return ERR_OK;
    struct err err = index_get(t, what, key, &holder);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    return hearth_id_equal(&holder, &contact->id) ? index_drop(t, what, key) : ERR_OK;
}

/* ---- rows */

struct err contact_get(struct core *c, struct db_txn *t, const struct hearth_id *id,
                       struct contact *ret)
{
    struct buf value = BUF_INIT;
    (void)c;
    struct err err = db_get(t, DB_CONTACT, bytes_of(id->bytes, sizeof id->bytes), &value);
    if (err_is_ok(err))
        err = contact_read(buf_view(&value), ret);
    buf_clear(&value);
    return err;
}

struct err contact_put(struct core *c, struct db_txn *t, const struct contact *contact)
{
    struct buf value = BUF_INIT;
    contact_write(&value, contact);
    struct err err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_CONTACT, bytes_of(contact->id.bytes, sizeof contact->id.bytes),
                     buf_view(&value));
    buf_clear(&value);
    TRY(err);
    TRY(keep_index(c, t, contact, "contact-user", buf_view(&contact->user_id)));
    return keep_index(c, t, contact, "contact-handle", bytes_str(contact->handle));
}

struct err contact_drop(struct core *c, struct db_txn *t, const struct hearth_id *id)
{
    struct contact contact = {0};
    struct err err = contact_get(c, t, id, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    err = leave_index(t, &contact, "contact-user", buf_view(&contact.user_id));
    if (err_is_ok(err))
        err = leave_index(t, &contact, "contact-handle", bytes_str(contact.handle));
    if (err_is_ok(err))
        err = db_drop(t, DB_CONTACT, bytes_of(id->bytes, sizeof id->bytes));
    contact_clear(&contact);
    return err;
}

struct err contact_by_handle(struct core *c, struct db_txn *t, const char *handle,
                             struct hearth_id *ret_id)
{
    (void)c;
    return index_get(t, "contact-handle", bytes_str(handle), ret_id);
}

struct err contact_by_user(struct core *c, struct db_txn *t, struct bytes user_id,
                           struct hearth_id *ret_id)
{
    (void)c;
    return index_get(t, "contact-user", user_id, ret_id);
}

struct each {
    struct err (*fn)(void *arg, const struct contact *contact);
    void *arg;
};

static struct err each_row(void *arg, struct bytes id, struct bytes value)
{
    const struct each *each = arg;
    struct contact contact = {0};
    (void)id;
    TRY(contact_read(value, &contact));
    struct err err = each->fn(each->arg, &contact);
    contact_clear(&contact);
    return err;
}

struct err contact_each(struct core *c, struct db_txn *t,
                        struct err (*fn)(void *arg, const struct contact *contact), void *arg)
{
    struct each each = {fn, arg};
    (void)c;
    return db_each(t, DB_CONTACT, each_row, &each);
}

struct err contact_event(struct core *c, struct db_txn *t, enum hearth_event_kind kind,
                         const struct contact *contact, const char *text)
{
    return event_tell(c, t,
                      &(struct hearth_event){.kind = kind,
                                             .chat = contact->chat,
                                             .contact = contact->id,
                                             .text = text != NULL ? text : ""});
}
