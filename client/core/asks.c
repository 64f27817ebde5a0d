/* Somebody asks us: an offer came for a handle of ours. It is kept, then judged by TASK_OFFER,
 * which waits for the keys of the sender's homeserver; only then is there a contact.
 *
 *     body of the task    Asks (offer.h)
 */
#include <stdlib.h>

#include "client/core/devices.h"
#include "client/core/log.h"
#include "client/core/mutual.h"
#include "client/core/offer.h"
#include "client/core/task.h"
#include "seal/connection_offer.h"
#include "wire/reader.h"

enum {
    LOG_PATIENCE_MS = 10 * 60 * 1000,
    SOON_MS = 2000,
    YOUNG_MS = 60 * 1000,
    WAIT_MS = 30 * 1000,
    GIVE_UP_MS = 14 * 86400 * 1000ULL
};

/* ---- an offer comes */

static struct err open_offer(struct core *c, struct db_txn *t, const char *handle,
                             struct bytes package_hash, struct bytes sealed, struct buf *body)
{
    struct secret private_key = {0};
    struct public_key public_key = {0};
    struct connection_offer offer = {0};
    struct buf plain = BUF_INIT;
    TRY(handle_package_get(c, t, package_hash, &private_key, &public_key));
    struct err err = connection_offer_open(secret_view(&private_key), public_key_view(&public_key),
                                           package_hash.data, sealed, &plain, &offer);
    if (err_is_ok(err)) {
        const struct asks asks = {bytes_str(handle), package_hash.data, offer.whole};
        asks_write(body, &asks);
        err = buf_check(body);
    }
    connection_offer_clear(&offer);
    buf_clear(&plain);
    secret_clear(&private_key);
    return err;
}

struct err contact_offer(struct core *c, struct db_txn *t, const char *handle,
                         struct bytes package_hash, struct bytes sealed)
{
    struct buf body = BUF_INIT;
    uint64_t task;
    if (package_hash.len != 32)
        return ERR_OK;
    struct err err = open_offer(c, t, handle, package_hash, sealed, &body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_OFFER, NULL, NULL, buf_view(&body), &task);
    else if (err_class_of(err) != ERR_CLASS_OURS || err.code == ERR_NOT_FOUND)
        err = ERR_OK; /* to a package of long ago, or rubbish: there is nobody to be told of */
    buf_clear(&body);
    return err;
}

/* ---- judging */

struct count {
    size_t asks;
};

static struct err count_asks(void *arg, const struct contact *contact)
{
    struct count *count = arg;
    count->asks += contact->state == HEARTH_CONTACT_ASKS;
    return ERR_OK;
}

static void copy_text(char *to, size_t cap, struct bytes text)
{
    size_t len = text.len < cap ? text.len : cap - 1;
    while (len < text.len && len > 0 && (text.data[len] & 0xC0) == 0x80)
        len--; /* not in the middle of a character */
    if (len > 0)
        memcpy(to, text.data, len);
    to[len] = 0;
}

static struct err take_facts(struct contact *contact, const struct offer_facts *facts,
                             const struct friendship *friendship)
{
    enum key_sets_say says;
    copy_text(contact->handle, sizeof contact->handle, facts->handle);
    copy_text(contact->name, sizeof contact->name, facts->display_name);
    contact->handle_proved = false;
    buf_clear(&contact->user_id);
    buf_append_bytes(&contact->user_id, facts->user_id);
    TRY(buf_check(&contact->user_id));
    buf_clear(&contact->key_set);
    TRY(key_sets_follow(&contact->key_set, facts->user_id, facts->key_sets, &says));
    contact->changed = facts->reset;
    memcpy(contact->queue_user_id, friendship->queue_user_id, sizeof contact->queue_user_id);
    memcpy(contact->contact_token, friendship->contact_token, sizeof contact->contact_token);
    memcpy(contact->friendship_key, friendship->friendship_key, sizeof contact->friendship_key);
    memcpy(contact->profile_key, friendship->profile_base_key, sizeof contact->profile_key);
    contact->has_package = true;
    return ERR_OK;
}

/* Who asked before and asks again: the newest offer counts. */
enum asker { ASKER_NEW, ASKER_AGAIN, ASKER_FRIEND };

static struct err find_asker(struct core *c, struct db_txn *t, const struct offer_facts *facts,
                             struct contact *contact, enum asker *ret_asker)
{
    struct hearth_id id;
    struct err err = contact_by_user(c, t, facts->user_id, &id);
    *ret_asker = ASKER_NEW;
    if (err_is_ok(err)) {
        TRY(contact_get(c, t, &id, contact));
        if (contact_chat_has_group(c, t, contact, facts->group_id))
            return ERR(CLIENT_CONTACT); /* left twice: accepted already */
        if (contact->state == HEARTH_CONTACT_ASKS) {
            *ret_asker = ASKER_AGAIN;
            return contact_forget_offers(t, contact);
        }
        bool there = false;
        if (contact->state == HEARTH_CONTACT_FRIEND && !facts->reset)
            TRY(mutual_is_there(c, t, contact, &there));
        *ret_asker = there ? ASKER_FRIEND : ASKER_NEW;
        contact_clear(contact); /* a friend who lost us, one removed: somebody new until accepted */
    } else if (err.code != ERR_NOT_FOUND) {
        return err;
    }
    contact->state = HEARTH_CONTACT_ASKS;
    TRY(rng_fill(c->rng, contact->contact_id, sizeof contact->contact_id));
    return core_random_id(c, &contact->id);
}

static struct err store(struct core *c, struct db_txn *t, const struct task *task,
                        const struct asks *asks, const struct offer_facts *facts,
                        const struct friendship *friendship, struct contact *contact)
{
    struct offer_hashes hashes;
    struct offer_facts again_facts;
    enum asker asker;
    uint64_t accepting;
    (void)task;
    TRY(find_asker(c, t, facts, contact, &asker));
    TRY(take_facts(contact, facts, friendship));
    asks_write(&contact->pending, asks);
    TRY(buf_check(&contact->pending));
    TRY(offer_facts_of(asks->offer, &again_facts, &hashes));
    struct err err = offer_psk_put(t, &hashes);
    bytes_wipe(&hashes, sizeof hashes);
    TRY(err);
    TRY(contact_put(c, t, contact));
    TRY(devices_tell_contact(c, t, contact));
    if (asker == ASKER_FRIEND) /* he asked while we did: that we want him is said */
        return contact_accept(c, t, &contact->id, &accepting);
    return asker == ASKER_AGAIN ? ERR_OK
                                : contact_event(c, t, HEARTH_EVENT_CONTACT_ASKS, contact, "");
}

/* The newest of the KeySets in an offer. */
static struct err newest_of(struct bytes key_sets, struct bytes *ret_newest)
{
    struct wire_reader r = wire_reader_of(key_sets);
    *ret_newest = bytes_of(NULL, 0);
    while (wire_reader_more(&r))
        *ret_newest = wire_read_vector(&r);
    return wire_reader_end(&r);
}

/* ERR_NOT_FOUND: not answered yet. last: whoever is not in the log by now will not be. */
static struct err ask_log(struct core *c, struct db_txn *t, const struct offer_facts *facts,
                          bool last)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct bytes newest;
    struct buf label = BUF_INIT;
    enum log_says says = LOG_SAYS_OTHER;
    TRY(newest_of(facts->key_sets, &newest));
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, facts->user_id);
    struct err err = buf_check(&label);
    if (err_is_ok(err) && log_label_domain(buf_view(&label), domain))
        err = log_says_of(c, t, domain, newest, LOG_CONTACT, LOG_FRESH_MS, &says);
    buf_clear(&label);
    TRY(err);
    if (says == LOG_SAYS_LATER || (says == LOG_SAYS_BEHIND && !last))
        return ERR(NOT_FOUND);
    if (says != LOG_SAYS_OTHER && says != LOG_SAYS_BEHIND)
        return ERR_OK;
    return ERR(CLIENT_LOG);
}

static struct err judge(struct core *c, struct db_txn *t, const struct task *task,
                        enum task_next *ret_next)
{
    struct asks asks;
    struct offer_facts facts;
    struct friendship friendship = {0};
    struct contact contact = {0};
    struct count count = {0};
    TRY(asks_read(buf_view(&task->body), &asks));
    struct err err = offer_judge(c, t, &asks, &facts, &friendship);
    if (err_is_ok(err))
        err = ask_log(c, t, &facts, core_now_ms(c) > task->made_ms + LOG_PATIENCE_MS);
    if (err.code == ERR_NOT_FOUND) {
        *ret_next = TASK_NEXT_WAIT;
        return ERR_OK;
    }
    if (err_is_ok(err))
        err = contact_each(c, t, count_asks, &count);
    if (err_is_ok(err) && count.asks >= CONTACT_ASKS_MAX)
        err = contact_event(c, t, HEARTH_EVENT_LOSS, &contact, "too many requests wait");
    else if (err_is_ok(err))
        err = store(c, t, task, &asks, &facts, &friendship, &contact);
    if (err.code == ERR_CLIENT_CONTACT)
        err = ERR_OK;
    contact_clear(&contact);
    bytes_wipe(&friendship, sizeof friendship);
    *ret_next = TASK_NEXT_DONE;
    return err;
}

static struct err prepare(struct core *c, struct db_txn *t, struct task *task,
                          struct task_call *call, enum task_next *ret_next)
{
    (void)call;
    TRY(judge(c, t, task, ret_next));
    if (*ret_next == TASK_NEXT_WAIT) {
        /* a wake that a crash swallowed must not cost much */
        bool young = core_now_ms(c) < task->made_ms + YOUNG_MS;
        task->not_before_ms = core_now_ms(c) + (young ? SOON_MS : WAIT_MS);
        if (core_now_ms(c) > task->made_ms + GIVE_UP_MS)
            return ERR(CLIENT_UNVERIFIED); /* nobody answers for that domain */
    }
    return ERR_OK;
}

static struct err settle(struct core *c, struct db_txn *t, struct task *task,
                         const struct task_answer *answer, enum task_next *ret_next)
{
    (void)c, (void)t, (void)task, (void)answer;
    *ret_next = TASK_NEXT_AGAIN;
    return ERR_OK;
}

static struct err failed(struct core *c, struct db_txn *t, struct task *task,
                         const struct hearth_error *error)
{
    static const struct contact nobody;
    (void)task;
    if (strcmp(error->name, "CLIENT_LOG") == 0)
        return log_alarm(c, t, NULL, 0,
                         "a request for a connection came from somebody whose keys are not those "
                         "that the log of his homeserver shows: it was dropped");
    return contact_event(c, t, HEARTH_EVENT_UNVERIFIED, &nobody,
                         "a request for a connection that does not verify was dropped");
}

const struct task_steps task_steps_OFFER = {
    .prepare = prepare,
    .settle = settle,
    .failed = failed,
};

/* ---- giving up */

/* Each offer that pending speaks of. */
static struct err each_offer(struct db_txn *t, const struct contact *contact,
                             struct err (*fn)(struct db_txn *t, const struct offer_hashes *hashes))
{
    struct asked asked = {0};
    struct asks asks;
    struct offer_facts facts;
    struct err err = ERR_OK;
    if (contact->pending.len == 0)
        return ERR_OK;
    if (contact->state == HEARTH_CONTACT_ASKED) {
        TRY(asked_read(buf_view(&contact->pending), &asked));
    } else {
        TRY(asks_read(buf_view(&contact->pending), &asks));
        TRY(offer_facts_of(asks.offer, &facts, &asked.offers[0]));
        asked.count = 1;
    }
    for (size_t i = 0; i < asked.count && err_is_ok(err); i++)
        err = fn(t, &asked.offers[i]);
    asked_clear(&asked);
    return err;
}

struct err contact_forget_offers(struct db_txn *t, struct contact *contact)
{
    TRY(each_offer(t, contact, offer_psk_drop));
    buf_clear(&contact->pending);
    return ERR_OK;
}

struct err contact_remember_offers(struct db_txn *t, const struct contact *contact)
{
    return each_offer(t, contact, offer_psk_put);
}
