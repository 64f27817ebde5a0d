/* What a contact looks like at rest.
 *
 *     struct { uint8 version = 1; opaque id[16]; uint8 state; uint8 flags; opaque handle<V>;
 *              opaque name<V>; opaque chat[16]; opaque user_id<V>; opaque key_set<V>;
 *              opaque queue_user_id[16]; opaque contact_token[48]; opaque friendship_key[32];
 *              opaque friendship_before[32]; opaque profile_key[32]; opaque contact_id[16];
 *              opaque contact_id_before[16];
 *              opaque pending<V>; opaque key_sets<V>; } Contact
 */
#include "client/core/contact.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, PROVED = 1, COMPARED = 2, CHANGED = 4, PACKAGE = 8 };

void contact_clear(struct contact *contact)
{
    buf_clear(&contact->user_id);
    buf_clear(&contact->key_set);
    buf_clear(&contact->pending);
    buf_clear(&contact->key_sets);
    bytes_wipe(contact, sizeof *contact);
}

#define WRITE_FIXED(b, field) wire_write_fixed((b), bytes_of((field), sizeof(field)))

void contact_write(struct buf *b, const struct contact *contact)
{
    int flags = (contact->handle_proved ? PROVED : 0) | (contact->compared ? COMPARED : 0) |
                (contact->changed ? CHANGED : 0) | (contact->has_package ? PACKAGE : 0);
    wire_write_u8(b, VERSION);
    WRITE_FIXED(b, contact->id.bytes);
    wire_write_u8(b, (uint8_t)contact->state);
    wire_write_u8(b, (uint8_t)flags);
    wire_write_vector(b, bytes_str(contact->handle));
    wire_write_vector(b, bytes_str(contact->name));
    WRITE_FIXED(b, contact->chat.bytes);
    wire_write_vector(b, buf_view(&contact->user_id));
    wire_write_vector(b, buf_view(&contact->key_set));
    WRITE_FIXED(b, contact->queue_user_id);
    WRITE_FIXED(b, contact->contact_token);
    WRITE_FIXED(b, contact->friendship_key);
    WRITE_FIXED(b, contact->friendship_before);
    WRITE_FIXED(b, contact->profile_key);
    WRITE_FIXED(b, contact->contact_id);
    WRITE_FIXED(b, contact->contact_id_before);
    wire_write_vector(b, buf_view(&contact->pending));
    wire_write_vector(b, buf_view(&contact->key_sets));
}

static void read_fixed(struct wire_reader *r, uint8_t *to, size_t len)
{
    struct bytes view = wire_read_fixed(r, len);
    if (view.len == len)
        memcpy(to, view.data, len);
}

static void read_text(struct wire_reader *r, char *to, size_t cap)
{
    struct bytes view = wire_read_vector(r);
    if (view.len >= cap || (view.len > 0 && memchr(view.data, 0, view.len) != NULL)) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return;
    }
    if (view.len > 0)
        memcpy(to, view.data, view.len);
    to[view.len] = 0;
}

static void read_keys(struct wire_reader *r, struct contact *c)
{
    read_fixed(r, c->queue_user_id, sizeof c->queue_user_id);
    read_fixed(r, c->contact_token, sizeof c->contact_token);
    read_fixed(r, c->friendship_key, sizeof c->friendship_key);
    read_fixed(r, c->friendship_before, sizeof c->friendship_before);
    read_fixed(r, c->profile_key, sizeof c->profile_key);
    read_fixed(r, c->contact_id, sizeof c->contact_id);
    read_fixed(r, c->contact_id_before, sizeof c->contact_id_before);
}

static void read_head(struct wire_reader *r, struct contact *c)
{
    if (wire_read_u8(r) != VERSION)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    read_fixed(r, c->id.bytes, sizeof c->id.bytes);
    uint8_t state = wire_read_u8(r), flags = wire_read_u8(r);
    if (state < HEARTH_CONTACT_ASKED || state > HEARTH_CONTACT_REMOVED)
        wire_reader_fail(r, ERR_WIRE_VALUE);
    c->state = (enum hearth_contact_state)state;
    c->handle_proved = flags & PROVED;
    c->compared = flags & COMPARED;
    c->changed = flags & CHANGED;
    c->has_package = flags & PACKAGE;
    read_text(r, c->handle, sizeof c->handle);
    read_text(r, c->name, sizeof c->name);
    read_fixed(r, c->chat.bytes, sizeof c->chat.bytes);
}

struct err contact_read(struct bytes in, struct contact *ret_contact)
{
    struct contact c = {0};
    struct wire_reader r = wire_reader_of(in);
    read_head(&r, &c);
    buf_append_bytes(&c.user_id, wire_read_vector(&r));
    buf_append_bytes(&c.key_set, wire_read_vector(&r));
    read_keys(&r, &c);
    buf_append_bytes(&c.pending, wire_read_vector(&r));
    buf_append_bytes(&c.key_sets, wire_read_vector(&r));
    struct err err = wire_reader_end(&r);
    const struct buf *bufs[] = {&c.user_id, &c.key_set, &c.pending, &c.key_sets};
    for (size_t i = 0; i < 4 && err_is_ok(err); i++)
        err = buf_check(bufs[i]);
    if (err_is_ok(err))
        *ret_contact = c;
    else
        contact_clear(&c);
    return err;
}
