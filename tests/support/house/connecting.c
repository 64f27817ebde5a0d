/* Connections: one asks, the other joins the group in which the first waits, or refuses. */
#include "support/house/resident_inside.h"

#include <stdlib.h>

void membership_offer(struct membership *m, struct connection_offer *fields,
                      const struct connection_package *package, struct buf *ret_sealed)
{
    struct resident *r = m->resident;
    r->offer = (struct resident_offer){.open = true};
    assert_ok(kem_generate(&kem_x25519, &r->house->rng, &r->offer.answer_private,
                           &r->offer.answer_public));
    fields->group_id = membership_group_id(m);
    fields->state_key = m->keys[0];
    fields->identity_key = m->identity_key;
    fields->answer_key = r->offer.answer_public.data;
    memcpy(fields->friendship.queue_user_id, r->user_id, QUEUE_ID_BYTES);
    memcpy(fields->friendship.friendship_key, r->friendship_key, FRIENDSHIP_KEY_BYTES);
    resident_token(r, 1, fields->friendship.contact_token);
    assert_ok(connection_offer_seal(ret_sealed, &r->house->rng, fields, package, &r->client_key,
                                    &r->offer.hashes));
}

static void join_by_psk(struct membership *m, const Hearth__V1__GetExternalCommitInfoResponse *info,
                        const struct record *record, struct buf *commit)
{
    struct resident *r = m->resident;
    struct buf data = BUF_INIT;
    struct mls_client client = own_package_client(r, &m->self);
    struct leaf_profile profile = own_package_profile(&m->self);
    struct mls_group_config config = membership_config();
    struct leaf_news news = record_news(record);
    struct psk_id psk = {.type = PSK_EXTERNAL, .id = bytes_of(r->offer.hashes.psk_id, 32)};
    leaf_keys_write(&data, &news, 1);
    struct external_join join = {
        .group_info = bytes_of(info->group_info.data, info->group_info.len),
        .ratchet_tree = bytes_of(info->ratchet_tree.data, info->ratchet_tree.len),
        .psks = &psk,
        .psk_count = 1,
        .authenticated_data = buf_view(&data)};
    assert_ok(group_join_external(&client, &config, &join, &profile, commit, &m->group));
    buf_clear(&data);
}

static enum hearth_code send_join(struct membership *m, struct bytes commit, struct record *record)
{
    struct resident_id id;
    struct access access;
    struct parts parts;
    struct buf info = BUF_INIT;
    struct mls_client client = own_package_client(m->resident, &m->self);
    Hearth__V1__JoinConnectionRequest in = HEARTH__V1__JOIN_CONNECTION_REQUEST__INIT;
    assert_ok(group_make_pending_info(m->group, &client, (struct group_info_options){false, true},
                                      &info));
    parts_of(buf_view(&info), &parts);
    resident_id(m->resident, &id);
    access_of(m, &access);
    in.idempotency = &id.message;
    in.group = &access.message;
    in.commit = resident_data(commit);
    in.group_info = &parts.message;
    in.leaf = &record->message;
    enum hearth_code code = membership_call(m, NULL, "JoinConnection", &in.base, NULL);
    parts_clear(&parts);
    buf_clear(&info);
    return code;
}

static void take_offer(struct membership *m, const struct connection_offer *offer)
{
    struct resident *r = m->resident;
    membership_name(m, offer->group_id);
    membership_key(m, offer->state_key, 0);
    memcpy(m->identity_key, offer->identity_key, IDENTITY_KEY_BYTES);
    resident_random(r, m->user_pseudonym, sizeof m->user_pseudonym);
    own_package_keys(r, &m->self);
    r->offer = (struct resident_offer){.open = true};
    connection_offer_hashes(offer->whole, &r->offer.hashes);
}

static enum hearth_code accept_from(struct membership *m, const ProtobufCMessage *info)
{
    struct buf commit = BUF_INIT;
    struct record *record = calloc(1, sizeof *record);
    assert_non_null(record);
    record_own(m, record);
    join_by_psk(m, (const void *)info, record, &commit);
    enum hearth_code code = send_join(m, buf_view(&commit), record);
    buf_clear(&commit);
    free(record);
    return code;
}

struct membership *resident_accept(struct resident *r, const struct connection_offer *offer,
                                   bool without_psk)
{
    struct membership *m = membership_new(r);
    struct access access;
    Hearth__V1__GetExternalCommitInfoRequest in =
        HEARTH__V1__GET_EXTERNAL_COMMIT_INFO_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    take_offer(m, offer);
    r->offer.hashes.psk[0] ^= without_psk;
    access_of(m, &access);
    in.group = &access.message;
    enum hearth_code code = membership_call(m, NULL, "GetExternalCommitInfo", &in.base, &out);
    if (code == HEARTH_OK)
        code = accept_from(m, out);
    if (out != NULL)
        protobuf_c_message_free_unpacked(out, NULL);
    if (code != HEARTH_OK) {
        membership_clear(m);
        return NULL;
    }
    assert_ok(group_merge_pending(m->group));
    membership_caller(m);
    m->in = true;
    return m;
}

enum hearth_code resident_refuse(struct resident *r, const struct connection_offer *offer,
                                 enum connection_reason reason)
{
    struct resident_id id;
    struct buf sealed = BUF_INIT;
    struct connection_offer_hashes hashes;
    struct connection_answer answer = {CONNECTION_REFUSED, reason, bytes_str("not now")};
    Hearth__V1__GroupAccess access = HEARTH__V1__GROUP_ACCESS__INIT;
    Hearth__V1__RefuseConnectionRequest in = HEARTH__V1__REFUSE_CONNECTION_REQUEST__INIT;
    connection_offer_hashes(offer->whole, &hashes);
    assert_ok(connection_answer_seal(&sealed, &r->house->rng,
                                     bytes_of(offer->answer_key, CONNECTION_KEY_BYTES), hashes.hash,
                                     &answer));
    access.group_id = resident_data(offer->group_id);
    access.state_key = resident_data(bytes_of(offer->state_key, STATE_KEY_BYTES));
    resident_id(r, &id);
    in.idempotency = &id.message;
    in.group = &access;
    in.sealed_answer = resident_data(buf_view(&sealed));
    enum hearth_code code =
        resident_call(r, NULL, &hearth_delivery_descriptor, "RefuseConnection", &in.base, NULL);
    buf_clear(&sealed);
    return code;
}
