/* What the existing device says and hears. */
#include <stdio.h>

#include "client/core/device_add.h"
#include "client/core/device_set.h"
#include "client/core/enrol.h"
#include "client/core/homeserver.h"
#include "client/core/link_inside.h"
#include "client/core/log.h"
#include "seal/credential_chain.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* ---- OFFER */

static struct err write_offer(struct core *c, struct db_txn *t, void *arg)
{
    struct buf *letter = arg;
    struct homeserver h = {0};
    uint8_t pin[CREDENTIAL_FINGERPRINT_BYTES];
    TRY(homeserver_get(c, t, c->account.domain, &h));
    credential_fingerprint(buf_view(&h.root), pin);
    homeserver_clear(&h);
    wire_write_vector(letter, buf_view(&c->account.user_id));
    wire_write_fixed(letter, bytes_of(pin, sizeof pin));
    return buf_check(letter);
}

struct err link_old_begins(struct linking *l)
{
    struct buf letter = BUF_INIT;
    struct err err = core_step(l->core, write_offer, &letter);
    if (err_is_ok(err))
        err = link_say(l, LETTER_OFFER, buf_view(&letter));
    buf_clear(&letter);
    return err;
}

/* ---- REQUEST */

static struct err look_before(struct core *c, struct db_txn *t, void *arg)
{
    return log_commitment_before(c, t, buf_view(&c->account.key_set), arg);
}

static void set_hash(const struct core *c, struct hash_value *ret_hash)
{
    struct digest d;
    hash_once(&hash_sha256, buf_view(&c->account.key_set), &d);
    memcpy(ret_hash->data, d.data, HASH_VALUE_BYTES);
}

struct err link_old_ready(struct linking *l)
{
    TRY(core_step(l->core, look_before, l->before.data));
    set_hash(l->core, &l->before_of);
    return ERR_OK;
}

/* What was there when the code was used up; the log may be being asked again by now. */
static struct err commitment_before(struct linking *l, uint8_t ret_before[HASH_VALUE_BYTES])
{
    struct hash_value now;
    set_hash(l->core, &now);
    if (!hash_value_equal(&now, &l->before_of))
        return core_step(l->core, look_before, ret_before);
    memcpy(ret_before, l->before.data, HASH_VALUE_BYTES);
    return ERR_OK;
}

static struct err take_request(struct linking *l, struct bytes name, struct bytes request)
{
    struct credential_request r;
    struct client_id id;
    struct core *c = l->core;
    if (name.len > DEVICE_NAME_MAX_BYTES ||
        (name.len > 0 && memchr(name.data, 0, name.len) != NULL))
        return ERR(CLIENT_LINK);
    TRY(credential_request_read(request, &r));
    TRY(client_id_parse(r.client_id, &id));
    struct bytes user = bytes_of(r.client_id.data, r.client_id.len - UUID_BYTES);
    if (!bytes_equal(user, buf_view(&c->account.user_id)))
        return ERR(CLIENT_LINK);
    (void)snprintf(l->device, sizeof l->device, "%.*s", (int)name.len, (const char *)name.data);
    memcpy(l->new_uuid, id.client, sizeof l->new_uuid);
    buf_append_bytes(&l->new_key, r.public_key);
    buf_append_bytes(&l->request, request);
    TRY(buf_check(&l->new_key));
    TRY(buf_check(&l->request));
    const struct device_key added = {l->new_uuid, buf_view(&l->new_key)};
    uint8_t before[HASH_VALUE_BYTES];
    TRY(commitment_before(l, before));
    return device_set_tbs(c, &added, NULL, before, &l->tbs);
}

static struct err hear_request(struct linking *l, struct bytes body)
{
    struct wire_reader r = wire_reader_of(body);
    struct bytes name = wire_read_vector(&r), request = wire_read_vector(&r);
    struct buf letter = BUF_INIT;
    buf_append_bytes(&l->queue_auth_key, wire_read_vector(&r));
    buf_append_bytes(&l->queue_key, wire_read_vector(&r));
    TRY(wire_reader_end(&r));
    TRY(buf_check(&l->queue_auth_key));
    TRY(buf_check(&l->queue_key));
    TRY(take_request(l, name, request));
    wire_write_vector(&letter, buf_view(&l->tbs));
    struct err err = buf_check(&letter);
    l->expected = LETTER_SIGNED;
    if (err_is_ok(err))
        err = link_say(l, LETTER_SIGN, buf_view(&letter));
    buf_clear(&letter);
    return err;
}

/* ---- SIGNED: the task takes over */

struct adding {
    struct linking *l;
    struct bytes signature;
};

static struct err add(struct core *c, struct db_txn *t, void *arg)
{
    const struct adding *a = arg;
    struct linking *l = a->l;
    struct buf key_set = BUF_INIT;
    const struct device_key added = {l->new_uuid, buf_view(&l->new_key)};
    struct err err = device_set_join(c, buf_view(&l->tbs), &added, a->signature, &key_set);
    if (err_is_ok(err)) {
        const struct device_add what = {.uuid = l->new_uuid,
                                        .name = l->device,
                                        .credential_request = buf_view(&l->request),
                                        .queue_auth_key = buf_view(&l->queue_auth_key),
                                        .queue_key = buf_view(&l->queue_key),
                                        .key_set = buf_view(&key_set)};
        err = device_add_begin(c, t, &what, &l->task);
    }
    buf_clear(&key_set);
    return err;
}

static struct err hear_signed(struct linking *l, struct bytes body)
{
    struct wire_reader r = wire_reader_of(body);
    struct adding adding = {.l = l};
    adding.signature = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    l->expected = LETTER_THANKS;
    return core_step(l->core, add, &adding);
}

/* ---- GRANT */

struct granting {
    struct linking *l;
    struct buf grant;
};

static struct err write_grant(struct core *c, struct db_txn *t, void *arg)
{
    struct granting *g = arg;
    return grant_write(c, t, buf_view(&g->l->credential), buf_view(&g->l->signing),
                       g->l->queue_client_id, &g->grant);
}

struct err link_old_grants(struct linking *l)
{
    struct granting granting = {.l = l, .grant = {.limit = LINK_LETTER_MAX_BYTES - 1}};
    if (l->failed.result != HEARTH_DONE) {
        link_end(l, &l->failed);
        return ERR_OK;
    }
    TRY(buf_check(&l->credential));
    TRY(buf_check(&l->signing));
    struct err err = core_step(l->core, write_grant, &granting);
    if (err_is_ok(err))
        err = link_say(l, LETTER_GRANT, buf_view(&granting.grant));
    buf_clear(&granting.grant);
    return err;
}

struct err link_old_hears(struct linking *l, struct bytes body)
{
    switch (l->expected) {
    case LETTER_REQUEST:
        return hear_request(l, body);
    case LETTER_SIGNED:
        return hear_signed(l, body);
    case LETTER_THANKS:
        link_close(l);
        link_end(l, NULL);
        return ERR_OK;
    default:
        return ERR(CLIENT_LINK);
    }
}
