/* DB_HOMESERVER, id domain:
 *
 *     struct { uint8 version = 1; opaque pin<V>; opaque root<V>; opaque signings<V>;
 *              uint64 revocations_number; opaque revocations<V>; opaque queue_key<V>;
 *              opaque sender_key<V>; uint64 fetched_ms; uint64 failed_ms; }
 */
#include "client/core/homeserver.h"

#include <stdio.h>

#include "client/core/homeserver_inside.h"
#include "client/core/log.h"
#include "client/core/task.h"
#include "seal/credential_chain.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { ROW_VERSION = 1, PIN_LEAST = 16 };
enum { FRESH_MS = 24 * 3600 * 1000, FAILED_MS = 60 * 1000, REFETCH_MS = 10 * 1000 };

void homeserver_clear(struct homeserver *h)
{
    buf_clear(&h->root);
    buf_clear(&h->signings);
    buf_clear(&h->revocations);
    bytes_wipe(h, sizeof *h);
}

struct err homeserver_put(struct db_txn *t, const char *domain, const struct homeserver *h)
{
    struct buf b = BUF_INIT;
    wire_write_u8(&b, ROW_VERSION);
    wire_write_vector(&b, bytes_of(h->pin, h->pin_len));
    wire_write_vector(&b, buf_view(&h->root));
    wire_write_vector(&b, buf_view(&h->signings));
    wire_write_u64(&b, h->revocations_number);
    wire_write_vector(&b, buf_view(&h->revocations));
    wire_write_vector(&b, public_key_view(&h->queue_key));
    wire_write_vector(&b, public_key_view(&h->sender_key));
    wire_write_u64(&b, h->fetched_ms);
    wire_write_u64(&b, h->failed_ms);
    struct err err = buf_check(&b);
    if (err_is_ok(err))
        err = db_put(t, DB_HOMESERVER, bytes_str(domain), buf_view(&b));
    buf_clear(&b);
    return err;
}

static void read_some(struct wire_reader *r, uint8_t *out, size_t size, size_t *ret_len)
{
    struct bytes view = wire_read_vector(r);
    if (view.len > size) {
        wire_reader_fail(r, ERR_WIRE_LIMIT);
        return;
    }
    if (view.len > 0)
        memcpy(out, view.data, view.len);
    *ret_len = view.len;
}

static struct err read_row(struct bytes in, struct homeserver *h)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != ROW_VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    read_some(&r, h->pin, sizeof h->pin, &h->pin_len);
    buf_append_bytes(&h->root, wire_read_vector(&r));
    buf_append_bytes(&h->signings, wire_read_vector(&r));
    h->revocations_number = wire_read_u64(&r);
    buf_append_bytes(&h->revocations, wire_read_vector(&r));
    read_some(&r, h->queue_key.data, sizeof h->queue_key.data, &h->queue_key.len);
    read_some(&r, h->sender_key.data, sizeof h->sender_key.data, &h->sender_key.len);
    h->fetched_ms = wire_read_u64(&r);
    h->failed_ms = wire_read_u64(&r);
    if (!err_is_ok(wire_reader_end(&r)))
        return ERR(STORE_CORRUPT);
    TRY(buf_check(&h->root));
    TRY(buf_check(&h->signings));
    return buf_check(&h->revocations);
}

struct err homeserver_row(struct db_txn *t, const char *domain, struct homeserver *ret)
{
    struct buf value = BUF_INIT;
    struct homeserver h = {0};
    struct err err = db_get(t, DB_HOMESERVER, bytes_str(domain), &value);
    if (err_is_ok(err))
        err = read_row(buf_view(&value), &h);
    else if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    buf_clear(&value);
    if (!err_is_ok(err)) {
        homeserver_clear(&h);
        return err;
    }
    *ret = h;
    return ERR_OK;
}

uint64_t homeserver_again_ms(const struct core *c, const struct homeserver *h)
{
    uint64_t now = core_now_ms(c);
    bool failed = h->failed_ms != 0 && now >= h->failed_ms && now - h->failed_ms < FAILED_MS;
    return failed ? h->failed_ms + FAILED_MS : 0;
}

struct err homeserver_get(struct core *c, struct db_txn *t, const char *domain,
                          struct homeserver *ret)
{
    struct homeserver h;
    TRY(homeserver_get_unlogged(c, t, domain, &h));
    struct err err = log_keys_gate(t, domain);
    if (!err_is_ok(err)) {
        homeserver_clear(&h);
        return err;
    }
    *ret = h;
    return ERR_OK;
}

struct err homeserver_get_unlogged(struct core *c, struct db_txn *t, const char *domain,
                                   struct homeserver *ret)
{
    struct homeserver h;
    TRY(homeserver_row(t, domain, &h));
    if (h.fetched_ms == 0) {
        struct err err = homeserver_again_ms(c, &h) != 0 ? ERR(CREDENTIAL) : ERR(NOT_FOUND);
        homeserver_clear(&h);
        return err;
    }
    *ret = h;
    return ERR_OK;
}

bool homeserver_is_stale(const struct core *c, const struct homeserver *h)
{
    uint64_t now = core_now_ms(c);
    return h->fetched_ms != 0 && (now < h->fetched_ms || now - h->fetched_ms >= FRESH_MS);
}

static struct err fetch(struct core *c, struct db_txn *t, const char *domain)
{
    uint8_t lane[16];
    bool there = false;
    homeserver_lane(domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_HOMESERVER, &there));
    if (there)
        return ERR_OK;
    return task_add(c, t, TASK_HOMESERVER, lane, NULL, bytes_str(domain), NULL);
}

struct err homeserver_want(struct core *c, struct db_txn *t, const char *domain)
{
    struct homeserver h;
    TRY(domain_check(bytes_str(domain), true));
    TRY(homeserver_row(t, domain, &h));
    bool fresh = h.fetched_ms != 0 && !homeserver_is_stale(c, &h);
    homeserver_clear(&h);
    return fresh ? ERR_OK : fetch(c, t, domain);
}

struct err homeserver_pin(struct core *c, struct db_txn *t, const char *domain, struct bytes pin)
{
    struct homeserver h;
    (void)c;
    if (pin.len < PIN_LEAST || pin.len > sizeof h.pin)
        return ERR(ARGUMENT);
    TRY(homeserver_row(t, domain, &h));
    size_t common = pin.len < h.pin_len ? pin.len : h.pin_len;
    struct err err = ERR_OK;
    if (memcmp(h.pin, pin.data, common) != 0) {
        err = ERR(CREDENTIAL);
    } else if (pin.len > h.pin_len) {
        memcpy(h.pin, pin.data, pin.len);
        h.pin_len = pin.len;
        err = homeserver_put(t, domain, &h);
    }
    homeserver_clear(&h);
    return err;
}

struct err homeserver_unpin(struct db_txn *t, const char *domain)
{
    struct homeserver h;
    TRY(homeserver_row(t, domain, &h));
    bool fetched = h.fetched_ms != 0;
    homeserver_clear(&h);
    return fetched ? ERR_OK : db_drop(t, DB_HOMESERVER, bytes_str(domain));
}

/* ---- credentials of its clients */

bool homeserver_has_revoked(const struct homeserver *h, struct bytes credential)
{
    const struct revocations list = {.list = buf_view(&h->revocations)};
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    credential_fingerprint(credential, fingerprint);
    return revocations_has(&list, fingerprint);
}

/* The one with this fingerprint among the signing credentials. */
static struct err find_signing(const struct homeserver *h, const uint8_t *fingerprint,
                               struct credential *ret_signing)
{
    struct wire_reader r = wire_reader_of(buf_view(&h->signings));
    while (wire_reader_more(&r)) {
        struct bytes one = wire_read_vector(&r);
        uint8_t of[CREDENTIAL_FINGERPRINT_BYTES];
        credential_fingerprint(one, of);
        if (memcmp(of, fingerprint, sizeof of) == 0)
            return credential_parse(one, ret_signing);
    }
    return ERR(NOT_FOUND);
}

static struct err verify(const struct core *c, const struct homeserver *h,
                         const struct credential *client)
{
    struct credential root, signing;
    TRY(find_signing(h, client->signer, &signing));
    TRY(credential_parse(buf_view(&h->root), &root));
    TRY(credential_chain_verify(&root, &signing, client, core_now_ms(c) / 1000));
    if (homeserver_has_revoked(h, client->whole) || homeserver_has_revoked(h, signing.whole))
        return ERR(CREDENTIAL_REVOKED);
    return ERR_OK;
}

struct err homeserver_verify_client(struct core *c, struct db_txn *t, struct bytes credential,
                                    struct verified_client *ret_client)
{
    struct credential client;
    struct client_id id;
    char domain[DOMAIN_MAX_BYTES + 1];
    struct homeserver h;
    TRY(credential_parse(credential, &client));
    if (client.kind != CREDENTIAL_CLIENT)
        return ERR(CREDENTIAL);
    TRY(client_id_parse(client.subject, &id));
    (void)snprintf(domain, sizeof domain, "%.*s", (int)id.user.domain.len,
                   (const char *)id.user.domain.data);
    struct err err = homeserver_get(c, t, domain, &h);
    /* like keys that are still being fetched; what failed says nothing about this credential */
    if (err.code == ERR_CLIENT_LOG_LATER || err.code == ERR_CREDENTIAL)
        return ERR(NOT_FOUND);
    TRY(err);
    err = verify(c, &h, &client);
    bool old = h.fetched_ms + REFETCH_MS <= core_now_ms(c);
    homeserver_clear(&h);
    if (err.code == ERR_NOT_FOUND && old) /* signed by a key that is newer than what we have? */
        TRY(fetch(c, t, domain));
    TRY(err);
    *ret_client = (struct verified_client){.id = id,
                                           .id_bytes = client.subject,
                                           .public_key = client.public_key,
                                           .not_after = client.not_after};
    return ERR_OK;
}
