/* What the new device says and hears. */
#include "client/core/device_set.h"
#include "client/core/enrol.h"
#include "client/core/link_inside.h"
#include "seal/credential_chain.h"
#include "seal/key_set.h"
#include "seal/sealed_ref.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* ---- OFFER: whose device we become */

static struct err make_names(struct linking *l, struct bytes user_id)
{
    struct domain_name user;
    TRY(domain_name_parse(user_id, &user));
    if (!bytes_equal(user.domain, bytes_str(l->domain)))
        return ERR(CLIENT_LINK); /* of another homeserver than the one that relays */
    TRY(rng_fill(l->core->rng, l->client_uuid, sizeof l->client_uuid));
    buf_append_bytes(&l->user_id, user_id);
    const struct client_id id = {user, l->client_uuid};
    client_id_write(&l->client_id, &id);
    TRY(buf_check(&l->user_id));
    return buf_check(&l->client_id);
}

static struct err hear_offer(struct linking *l, struct bytes body)
{
    struct wire_reader r = wire_reader_of(body);
    struct buf request = BUF_INIT, letter = BUF_INIT;
    struct bytes user_id = wire_read_vector(&r), pin = wire_read_fixed(&r, sizeof l->pin);
    TRY(wire_reader_end(&r));
    memcpy(l->pin, pin.data, sizeof l->pin);
    TRY(make_names(l, user_id));
    TRY(sig_key_generate(&sig_ed25519, l->core->rng, &l->client_key));
    TRY(sig_key_generate(&sig_ed25519, l->core->rng, &l->queue_client_key));
    TRY(kem_generate(seal_hpke->kem, l->core->rng, &l->queue_private, &l->queue_public));
    struct err err = credential_request_make(&request, buf_view(&l->client_id), &l->client_key);
    if (err_is_ok(err)) {
        wire_write_vector(&letter, bytes_str(l->device));
        wire_write_vector(&letter, buf_view(&request));
        wire_write_vector(&letter, public_key_view(&l->queue_client_key.public_key));
        wire_write_vector(&letter, public_key_view(&l->queue_public));
        err = buf_check(&letter);
    }
    l->expected = LETTER_SIGN;
    if (err_is_ok(err))
        err = link_say(l, LETTER_REQUEST, buf_view(&letter));
    buf_clear(&request);
    buf_clear(&letter);
    return err;
}

/* ---- SIGN: the KeySet with us in it */

static struct err hear_sign(struct linking *l, struct bytes body)
{
    struct wire_reader r = wire_reader_of(body);
    struct bytes tbs = wire_read_vector(&r);
    struct signature signature;
    struct buf letter = BUF_INIT;
    const struct device_key us = {l->client_uuid, public_key_view(&l->client_key.public_key)};
    TRY(wire_reader_end(&r));
    TRY(device_set_check(tbs, buf_view(&l->user_id), &us));
    TRY(key_set_tbs_sign(tbs, &l->client_key, &signature));
    wire_write_vector(&letter, signature_view(&signature));
    struct err err = buf_check(&letter);
    l->expected = LETTER_GRANT;
    if (err_is_ok(err))
        err = link_say(l, LETTER_SIGNED, buf_view(&letter));
    buf_clear(&letter);
    return err;
}

/* ---- GRANT: everything */

struct taking {
    struct linking *l;
    struct bytes grant;
    uint64_t task;
};

static struct err take(struct core *c, struct db_txn *t, void *arg)
{
    struct taking *taking = arg;
    const struct linking *l = taking->l;
    const struct newcomer us = {.user_id = buf_view(&l->user_id),
                                .client_id = buf_view(&l->client_id),
                                .client_uuid = l->client_uuid,
                                .client_key = &l->client_key,
                                .queue_client_key = &l->queue_client_key,
                                .queue_private = &l->queue_private,
                                .queue_public = &l->queue_public,
                                .device = l->device,
                                .pin = l->pin};
    return grant_take(c, t, &us, taking->grant, &taking->task);
}

static struct err hear_grant(struct linking *l, struct bytes body)
{
    struct taking taking = {.l = l, .grant = body};
    TRY(core_step(l->core, take, &taking));
    if (l->op != NULL) /* it ends with the task from here on */
        l->op->task = taking.task;
    l->op = NULL;
    TRY(link_say(l, LETTER_THANKS, bytes_of(NULL, 0)));
    link_close(l);
    link_end(l, NULL);
    return ERR_OK;
}

struct err link_new_hears(struct linking *l, struct bytes body)
{
    switch (l->expected) {
    case LETTER_OFFER:
        return hear_offer(l, body);
    case LETTER_SIGN:
        return hear_sign(l, body);
    case LETTER_GRANT:
        return hear_grant(l, body);
    default:
        return ERR(CLIENT_LINK);
    }
}
