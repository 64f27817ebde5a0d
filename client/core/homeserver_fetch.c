/* Fetching and verifying a homeserver's keys (MitM1): everything chains to the pinned root.
 *
 * The first root seen is pinned where nobody said which it has to be. Signing credentials of before
 * may have run out: those are skipped; anything else that does not hold refuses the whole answer.
 */
#include <stdio.h>

#include "client/core/event.h"
#include "client/core/homeserver_inside.h"
#include "client/core/log.h"
#include "client/core/task.h"
#include "client/core/token.h"
#include "hearth/v1/info.pb-c.h"
#include "seal/server_key.h"
#include "seal/system_keys.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { KEYS_MOST = 64, SIGNINGS_MOST = 16 };

void homeserver_lane(const char *domain, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 homeserver lane"), bytes_str(domain)),
              &d);
    memcpy(ret_lane, d.data, 16);
}

struct taking {
    struct homeserver *h;
    const char *domain;
    uint64_t now;
    struct credential root;
    struct credential signings[SIGNINGS_MOST];
    size_t signing_count;
};

static struct err take_root(struct taking *k, struct bytes bytes)
{
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    TRY(credential_parse(bytes, &k->root));
    if (k->root.kind != CREDENTIAL_AS_ROOT || !bytes_equal(k->root.subject, bytes_str(k->domain)))
        return ERR(CREDENTIAL);
    TRY(credential_verify(&k->root, NULL));
    credential_fingerprint(bytes, fingerprint);
    if (memcmp(fingerprint, k->h->pin, k->h->pin_len) != 0)
        return ERR(CREDENTIAL); /* not the one that was pinned */
    memcpy(k->h->pin, fingerprint, sizeof fingerprint);
    k->h->pin_len = sizeof fingerprint;
    buf_clear(&k->h->root);
    buf_append_bytes(&k->h->root, bytes);
    return buf_check(&k->h->root);
}

static struct err take_signing(struct taking *k, struct bytes bytes)
{
    struct credential signing;
    TRY(credential_parse(bytes, &signing));
    struct err err = credential_chain_verify(&k->root, &signing, NULL, k->now);
    if (err.code == ERR_CREDENTIAL_TIME && k->signing_count > 0)
        return ERR_OK; /* one of before */
    TRY(err);
    if (k->signing_count == SIGNINGS_MOST)
        return ERR_OK;
    k->signings[k->signing_count++] = signing;
    wire_write_vector(&k->h->signings, bytes);
    return buf_check(&k->h->signings);
}

/* The first of each use is the current one. */
static struct err take_key(struct taking *k, Hearth__V1__KeyUse use, struct bytes bytes)
{
    bool queue = use == HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING;
    struct public_key *into = queue ? &k->h->queue_key : &k->h->sender_key;
    struct server_key key;
    struct err err = ERR(CREDENTIAL);
    for (size_t i = 0; i < k->signing_count && !err_is_ok(err); i++)
        err = server_key_read(bytes, &k->signings[i], &key);
    TRY(err);
    if (key.use != (uint8_t)use || !bytes_equal(key.domain, bytes_str(k->domain)))
        return ERR(CREDENTIAL);
    if (key.algorithm != (queue ? SERVER_KEY_X25519 : SERVER_KEY_ED25519) || into->len != 0)
        return ERR_OK;
    if (k->now < key.not_before || k->now > key.not_after)
        return ERR(CREDENTIAL_TIME);
    if (key.public_key.len != 32)
        return ERR(CREDENTIAL);
    memcpy(into->data, key.public_key.data, 32);
    into->len = 32;
    return ERR_OK;
}

/* The directory of token keys, behind a statement about its hash:
 *
 *     struct { opaque statement<V>; opaque directory<V>; } */
static struct err read_tokens(struct taking *k, struct bytes bytes, struct bytes *ret_directory)
{
    struct wire_reader r = wire_reader_of(bytes);
    struct server_key key;
    struct digest hash;
    struct bytes statement = wire_read_vector(&r), directory = wire_read_vector(&r);
    TRY(wire_reader_end(&r));
    struct err err = ERR(CREDENTIAL);
    for (size_t i = 0; i < k->signing_count && !err_is_ok(err); i++)
        err = server_key_read(statement, &k->signings[i], &key);
    TRY(err);
    hash_once(&hash_sha256, directory, &hash);
    if (key.use != HEARTH__V1__KEY_USE__KEY_USE_TOKENS || key.algorithm != SERVER_KEY_SHA256 ||
        !bytes_equal(key.domain, bytes_str(k->domain)) ||
        !bytes_equal(key.public_key, bytes_of(hash.data, 32)))
        return ERR(CREDENTIAL);
    if (k->now < key.not_before || k->now > key.not_after)
        return ERR(CREDENTIAL_TIME);
    *ret_directory = directory;
    return ERR_OK;
}

static struct err take_tokens(struct core *c, struct db_txn *t, struct taking *k,
                              const Hearth__V1__GetKeysResponse *in)
{
    for (size_t i = 0; i < in->n_keys; i++) {
        struct bytes directory;
        if (in->keys[i]->use != HEARTH__V1__KEY_USE__KEY_USE_TOKENS)
            continue;
        TRY(read_tokens(k, core_in(in->keys[i]->key), &directory));
        return token_directory_take(c, t, k->domain, directory);
    }
    return ERR_OK; /* it has none */
}

/* A list with a smaller number than ours is an old one, and ours stays. */
static struct err take_revocations(struct taking *k, struct bytes bytes)
{
    struct revocations list;
    struct err err = ERR(CREDENTIAL);
    if (bytes.len == 0)
        return ERR_OK;
    for (size_t i = 0; i < k->signing_count && !err_is_ok(err); i++)
        err = revocations_read(bytes, &k->signings[i], &list);
    TRY(err);
    if (list.number < k->h->revocations_number)
        return ERR_OK;
    k->h->revocations_number = list.number;
    buf_clear(&k->h->revocations);
    buf_append_bytes(&k->h->revocations, list.list);
    return buf_check(&k->h->revocations);
}

static struct err take_rows(struct taking *k, const Hearth__V1__GetKeysResponse *in,
                            Hearth__V1__KeyUse use,
                            struct err (*take)(struct taking *k, struct bytes bytes), size_t most)
{
    for (size_t i = 0; i < in->n_keys && most > 0; i++) {
        if (in->keys[i]->use != use)
            continue;
        TRY(take(k, core_in(in->keys[i]->key)));
        most--;
    }
    return ERR_OK;
}

static struct err take_all(struct taking *k, const Hearth__V1__GetKeysResponse *in)
{
    if (in->n_keys > KEYS_MOST)
        return ERR(CREDENTIAL);
    TRY(take_rows(k, in, HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT, take_root, 1));
    if (k->root.whole.len == 0)
        return ERR(CREDENTIAL);
    buf_clear(&k->h->signings);
    TRY(take_rows(k, in, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING, take_signing, KEYS_MOST));
    if (k->signing_count == 0)
        return ERR(CREDENTIAL);
    k->h->queue_key.len = k->h->sender_key.len = 0;
    for (size_t i = 0; i < in->n_keys; i++) {
        Hearth__V1__KeyUse use = in->keys[i]->use;
        if (use == HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING ||
            use == HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER)
            TRY(take_key(k, use, core_in(in->keys[i]->key)));
    }
    if (k->h->queue_key.len == 0 || k->h->sender_key.len == 0)
        return ERR(CREDENTIAL);
    return take_revocations(k, core_in(in->revocations));
}

/* What the log is asked about. The answer was verified: only keys of uses that we don't look at may
 * not be readable. */
static void claim_one(const struct taking *k, unsigned use, struct bytes bytes, struct buf *b)
{
    struct system_key claim = {.use = (uint8_t)use};
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    struct server_key key;
    struct wire_reader r = wire_reader_of(bytes);
    if (system_label_of(use) == NULL)
        return;
    if (use == HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT ||
        use == HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING) {
        credential_fingerprint(bytes, fingerprint);
        claim.key = bytes_of(fingerprint, sizeof fingerprint);
        system_key_write(b, &claim);
        return;
    }
    if (use == HEARTH__V1__KEY_USE__KEY_USE_TOKENS) {
        (void)wire_read_vector(&r);
        claim.key = wire_read_vector(&r);
        system_key_write(b, &claim);
        return;
    }
    struct err err = ERR(CREDENTIAL);
    for (size_t i = 0; i < k->signing_count && !err_is_ok(err); i++)
        err = server_key_read(bytes, &k->signings[i], &key);
    if (!err_is_ok(err))
        return;
    claim.algorithm = key.algorithm;
    claim.key = key.public_key;
    system_key_write(b, &claim);
}

static struct err claim(struct core *c, struct db_txn *t, const struct taking *k,
                        const Hearth__V1__GetKeysResponse *in)
{
    struct buf claims = BUF_INIT;
    _Static_assert((int)KEYS_MOST <= (int)SYSTEM_KEYS_MOST, "each key that is taken is claimed");
    for (size_t i = 0; i < in->n_keys; i++)
        claim_one(k, in->keys[i]->use, core_in(in->keys[i]->key), &claims);
    struct err err = buf_check(&claims);
    if (err_is_ok(err))
        err = log_keys_claim(c, t, k->domain, buf_view(&claims));
    buf_clear(&claims);
    return err;
}

struct err homeserver_take(struct core *c, struct db_txn *t, const char *domain,
                           const ProtobufCMessage *out)
{
    struct homeserver h;
    if (out == NULL || out->descriptor != &hearth__v1__get_keys_response__descriptor)
        return ERR(INTERNAL);
    TRY(homeserver_row(t, domain, &h));
    struct taking k = {.h = &h, .domain = domain, .now = core_now_ms(c) / 1000};
    struct err err = take_all(&k, (const Hearth__V1__GetKeysResponse *)(const void *)out);
    if (err_is_ok(err)) {
        h.fetched_ms = core_now_ms(c);
        h.failed_ms = 0;
        err = homeserver_put(t, domain, &h);
    }
    if (err_is_ok(err))
        err = claim(c, t, &k, (const Hearth__V1__GetKeysResponse *)(const void *)out);
    if (err_is_ok(err))
        err = take_tokens(c, t, &k, (const Hearth__V1__GetKeysResponse *)(const void *)out);
    homeserver_clear(&h);
    return err;
}

/* ---- the task; its body is the domain. First its keys, then whether calls cost tokens. */

enum fetch_state { FETCH_KEYS, FETCH_INFO };

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    Hearth__V1__GetKeysRequest keys = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    Hearth__V1__GetServerInfoRequest info = HEARTH__V1__GET_SERVER_INFO_REQUEST__INIT;
    if (task->body.len > DOMAIN_MAX_BYTES)
        return ERR(DOMAIN);
    memcpy(call->domain, task->body.data, task->body.len);
    call->anonymous = true;
    if (task->state == FETCH_KEYS) {
        struct homeserver h;
        TRY(homeserver_row(t, call->domain, &h));
        task->not_before_ms = homeserver_again_ms(c, &h);
        homeserver_clear(&h);
        *ret_next = TASK_NEXT_WAIT;
        if (task->not_before_ms != 0)
            return ERR_OK;
    }
    *ret_next = TASK_NEXT_CALL;
    if (task->state == FETCH_INFO)
        return task_call_request(call, "Info", "GetServerInfo", &info.base);
    return task_call_request(call, "Info", "GetKeys", &keys.base);
}

/* shown: somebody shows other keys than he should, and people must hear of it, once. One who says
 * nothing of his keys may be starting, or busy. */
static struct err did_not_verify(struct core *c, struct db_txn *t, const char *domain,
                                 struct err why, bool shown)
{
    struct homeserver h;
    char text[DOMAIN_MAX_BYTES + 128];
    TRY(homeserver_row(t, domain, &h));
    bool told = h.failed_ms != 0;
    h.failed_ms = core_now_ms(c);
    struct err err = homeserver_put(t, domain, &h);
    homeserver_clear(&h);
    if (!err_is_ok(err) || !shown || told)
        return err;
    (void)snprintf(text, sizeof text, "keys of homeserver %s: %s", domain, err_text(why));
    struct hearth_event event = {
        .kind = HEARTH_EVENT_UNVERIFIED, .result = HEARTH_UNVERIFIED, .text = text};
    return event_tell(c, t, &event);
}

/* ret_revoked: its revocation list is another one than before. */
static struct err take(struct core *c, struct db_txn *t, const char *domain,
                       const ProtobufCMessage *out, bool *ret_revoked)
{
    struct homeserver h;
    TRY(homeserver_row(t, domain, &h));
    uint64_t before = h.revocations_number;
    homeserver_clear(&h);
    TRY(homeserver_take(c, t, domain, out));
    TRY(homeserver_row(t, domain, &h));
    *ret_revoked = h.revocations_number != before;
    homeserver_clear(&h);
    return ERR_OK;
}

static bool is_ours(struct err err)
{
    enum err_class class = err_class_of(err);
    return class == ERR_CLASS_OURS || class == ERR_CLASS_LATER;
}

/* What it says of prices is no more than a hint: refusals tell as well. */
static struct err take_info(struct core *c, struct db_txn *t, const char *domain,
                            const ProtobufCMessage *out)
{
    const Hearth__V1__GetServerInfoResponse *in = (const void *)out;
    if (in == NULL)
        return ERR_OK;
    TRY(token_facts_set(t, domain, in->tokens_required));
    return token_plan(c, t);
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    char domain[DOMAIN_MAX_BYTES + 1] = "";
    memcpy(domain, task->body.data, task->body.len);
    bool revoked = false;
    struct err err;
    *ret_next = TASK_NEXT_DONE;
    if (task->state == FETCH_INFO)
        return take_info(c, t, domain, answer->out);
    if (answer->out == NULL) {
        struct hearth_error error;
        core_error_of_status(answer->status, &error);
        task_fail(c, task, &error);
        err = ERR(CREDENTIAL);
    } else {
        err = take(c, t, domain, answer->out, &revoked);
        if (!err_is_ok(err) && is_ours(err))
            return err;
        if (!err_is_ok(err))
            task_fail_err(c, task, err);
    }
    *ret_next = err_is_ok(err) ? TASK_NEXT_AGAIN : TASK_NEXT_FAILED;
    if (err_is_ok(err))
        task->state = FETCH_INFO;
    else
        TRY(did_not_verify(c, t, domain, err, answer->out != NULL));
    if (revoked)
        TRY(homeserver_revoked(c, t, domain));
    return homeserver_news(c, t);
}

const struct task_steps task_steps_HOMESERVER = {.prepare = prepare, .settle = settle};
