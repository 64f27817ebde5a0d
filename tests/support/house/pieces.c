/* What requests about a group are made of. */
#include "mls/codec/message.h"
#include "support/house/resident_inside.h"

void access_of(const struct membership *m, struct access *a)
{
    hearth__v1__group_access__init(&a->message);
    a->message.group_id = resident_data(membership_group_id(m));
    a->message.state_key = resident_data(bytes_of(m->keys[0], STATE_KEY_BYTES));
}

struct leaf_news record_news(const struct record *r)
{
    return (struct leaf_news){.user_pseudonym = r->user_pseudonym,
                              .wrapped_identity_key = bytes_of(r->wrapped, sizeof r->wrapped)};
}

void record_fill(const struct membership *m, const uint8_t pseudonym[16],
                 const uint8_t identity_key[32], const uint8_t user_pseudonym[16],
                 struct record *record)
{
    hearth__v1__leaf_record__init(&record->message);
    assert_ok(identity_key_wrap(&m->resident->house->rng, m->identity_key, pseudonym, identity_key,
                                record->wrapped));
    memcpy(record->user_pseudonym, user_pseudonym, 16);
    record->message.wrapped_identity_key =
        resident_data(bytes_of(record->wrapped, sizeof record->wrapped));
    record->message.user_pseudonym =
        resident_data(bytes_of(record->user_pseudonym, sizeof record->user_pseudonym));
    record->message.queue_reference = &record->reference;
}

void record_own(const struct membership *m, struct record *record)
{
    record_fill(m, m->self.pseudonym, m->self.identity_key, m->user_pseudonym, record);
    own_package_reference(&m->self, &record->reference);
}

void parts_of(struct bytes group_info, struct parts *p)
{
    struct mls_message m;
    arena_init(&p->arena, 1 << 20);
    p->extensions = BUF_INIT;
    assert_ok(mls_message_parse(group_info, &p->arena, &m));
    extensions_write(&p->extensions, &m.group_info.extensions);
    hearth__v1__group_info_parts__init(&p->message);
    p->message.extensions = resident_data(buf_view(&p->extensions));
    p->message.confirmation_tag = resident_data(m.group_info.confirmation_tag);
    p->message.signature = resident_data(m.group_info.signature);
}

void parts_clear(struct parts *p)
{
    buf_clear(&p->extensions);
    arena_clear(&p->arena);
}
