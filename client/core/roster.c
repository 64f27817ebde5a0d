/* Verifying who the leaves of a chat are (roster.h). */
#include "client/core/roster.h"

#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/group.h"
#include "client/core/homeserver.h"
#include "client/core/log_proof.h"
#include "client/core/task.h"
#include "crypto/hash.h"
#include "seal/key_set.h"

/* ---- looking */

const struct roster_leaf *roster_find(const struct roster *r, uint32_t leaf)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->leaves[i].leaf == leaf)
            return &r->leaves[i];
    return NULL;
}

static size_t count_state(const struct roster *r, enum roster_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        count += r->leaves[i].state == state;
    return count;
}

size_t roster_unverified(const struct roster *r)
{
    return count_state(r, ROSTER_UNVERIFIED);
}

size_t roster_pending(const struct roster *r)
{
    return count_state(r, ROSTER_PENDING);
}

bool roster_may_hear_keys(const struct roster *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->leaves[i].state == ROSTER_UNVERIFIED ||
            (r->leaves[i].state == ROSTER_PENDING && r->leaves[i].outside))
            return false;
    return true;
}

void roster_from_outside(struct open_chat *chat, uint32_t leaf)
{
    for (size_t i = 0; i < chat->roster->count; i++)
        chat->roster->leaves[i].outside |= chat->roster->leaves[i].leaf == leaf;
    chat->roster->changed = true;
}

struct bytes roster_user(const struct roster_leaf *leaf)
{
    return leaf->client_id_len > UUID_BYTES
               ? bytes_of(leaf->client_id, leaf->client_id_len - UUID_BYTES)
               : bytes_of(NULL, 0);
}

/* ---- leaves */

static void leaf_hash(const struct leaf_node *node, uint8_t ret_hash[32])
{
    struct digest digest;
    hash_list(&hash_sha256, BYTES_LIST(node->signature_key, node->credential.body), &digest);
    memcpy(ret_hash, digest.data, 32);
}

static struct err tell_unverified(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                  const struct roster_leaf *l, const char *why)
{
    return event_tell(c, t,
                      &(struct hearth_event){.kind = HEARTH_EVENT_UNVERIFIED,
                                             .chat = chat->chat.id,
                                             .contact = l->contact,
                                             .message = l->leaf,
                                             .result = HEARTH_UNVERIFIED,
                                             .text = why});
}

static struct err set_unverified(struct core *c, struct db_txn *t, const struct open_chat *chat,
                                 struct roster_leaf *l, const char *why)
{
    bool news = l->state != ROSTER_UNVERIFIED;
    l->state = ROSTER_UNVERIFIED;
    return news ? tell_unverified(c, t, chat, l, why) : ERR_OK;
}

/* Two leaves with one user pseudonym are of one user. */
static bool fits_pseudonym(const struct roster *r, const struct roster_leaf *l)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct roster_leaf *other = &r->leaves[i];
        if (other != l && other->state == ROSTER_VERIFIED &&
            memcmp(other->user_pseudonym, l->user_pseudonym, sizeof l->user_pseudonym) == 0 &&
            !bytes_equal(roster_user(other), roster_user(l)))
            return false;
    }
    return true;
}

static struct err unwrap(const struct chat *chat, const struct roster_leaf *l,
                         uint8_t ret_key[IDENTITY_KEY_BYTES])
{
    struct bytes wrapped = buf_view(&l->wrapped_identity_key);
    struct err err = identity_key_unwrap(chat->identity_key, l->pseudonym, wrapped, ret_key);
    for (size_t i = 0; i < chat->identity_before_count && !err_is_ok(err); i++)
        err = identity_key_unwrap(chat->identity_before[i], l->pseudonym, wrapped, ret_key);
    return err;
}

bool roster_waits_for(const struct roster *r, const uint8_t identity_key[IDENTITY_KEY_BYTES])
{
    uint8_t key[IDENTITY_KEY_BYTES];
    bool opens = false;
    for (size_t i = 0; i < r->count && !opens; i++) {
        const struct roster_leaf *l = &r->leaves[i];
        opens = l->state == ROSTER_PENDING && l->waits == ROSTER_WAITS_KEY &&
                err_is_ok(identity_key_unwrap(identity_key, l->pseudonym,
                                              buf_view(&l->wrapped_identity_key), key));
    }
    bytes_wipe(key, sizeof key);
    return opens;
}

struct err roster_credential(const struct open_chat *chat, const struct roster_leaf *l,
                             struct buf *scratch, struct bytes *ret_client_credential)
{
    struct leaf_node node;
    struct leaf_credential credential;
    uint8_t key[IDENTITY_KEY_BYTES];
    if (!public_group_leaf(group_public(chat->group), l->leaf, &node))
        return ERR(NOT_FOUND);
    TRY(leaf_credential_parse(node.credential.body, &credential));
    TRY(unwrap(&chat->chat, l, key));
    struct err err =
        leaf_credential_open(&credential, key, node.signature_key, scratch, ret_client_credential);
    bytes_wipe(key, sizeof key);
    return err;
}

static void take_identity(struct roster_leaf *l, const struct roster_identity *identity)
{
    memcpy(l->client_id, identity->client_id, identity->client_id_len);
    l->client_id_len = identity->client_id_len;
    l->contact = identity->contact;
    l->own_user = identity->own_user;
}

static bool is_ours(struct err err)
{
    return err.code == ERR_NO_MEMORY || err.code == ERR_IO || err.code == ERR_STORE_FULL ||
           err.code == ERR_STORE_LOW_DISK || err.code == ERR_STORE_STOPPED ||
           err.code == ERR_STORE_UNCERTAIN;
}

/* Since when could we have heard? Not while we were away. */
static bool is_patient(const struct core *c, const struct roster_leaf *l)
{
    uint64_t since = l->news_ms > c->opened_ms ? l->news_ms : c->opened_ms;
    return core_now_ms(c) < since + ROSTER_PATIENCE_MS;
}

/* Stays what it was; while it is pending, somebody comes back to it. */
static struct err wait_for(struct core *c, struct db_txn *t, const struct open_chat *chat,
                           struct roster_leaf *l, enum roster_waits waits)
{
    uint8_t lane[16];
    bool there;
    if (l->state != ROSTER_PENDING)
        return ERR_OK;
    l->waits = waits;
    chat_lane(&chat->chat.id, CHAT_LANE_ROSTER, lane);
    TRY(task_in_lane(c, t, lane, TASK_ROSTER, &there));
    return there ? ERR_OK
                 : task_add(c, t, TASK_ROSTER, lane, &chat->chat.id, bytes_of(NULL, 0), NULL);
}

static struct err judge(struct core *c, struct db_txn *t, struct open_chat *chat,
                        struct roster_leaf *l, struct err err, const char *domain,
                        const struct roster_identity *identity)
{
    if (err_is_ok(err)) {
        take_identity(l, identity);
        if (!fits_pseudonym(chat->roster, l))
            return set_unverified(c, t, chat, l,
                                  "a device claims to belong to another member of the chat");
        l->state = ROSTER_VERIFIED;
        l->waits = ROSTER_WAITS_NONE;
        return ERR_OK;
    }
    if (is_ours(err))
        return err;
    if (err.code == ERR_NOT_FOUND || err.code == ERR_CLIENT_LOG_LATER) {
        TRY(homeserver_want(c, t, domain));
        return wait_for(c, t, chat, l, ROSTER_WAITS_SERVER);
    }
    if (err.code == ERR_CLIENT_MEMBER_LATER || (err.code == ERR_KEY_SET && is_patient(c, l)))
        return wait_for(c, t, chat, l, ROSTER_WAITS_SET);
    return set_unverified(c, t, chat, l,
                          err.code == ERR_KEY_SET
                              ? "a device in the chat is not among its user's devices"
                              : "the identity of a device in the chat does not hold");
}

static struct err try_leaf(struct core *c, struct db_txn *t, struct open_chat *chat,
                           struct roster_leaf *l)
{
    struct leaf_node node;
    uint8_t key[IDENTITY_KEY_BYTES], hash[32];
    char domain[DOMAIN_MAX_BYTES + 1];
    struct roster_identity identity = {0};
    if (!public_group_leaf(group_public(chat->group), l->leaf, &node))
        return ERR_OK;
    leaf_hash(&node, hash);
    if (memcmp(hash, l->leaf_hash, sizeof hash) != 0)
        return set_unverified(c, t, chat, l,
                              "a device came to the chat without saying whose it is");
    if (l->news_ms == 0) /* refused, or with no identity that could open */
        return set_unverified(c, t, chat, l, "the identity of a device in the chat does not hold");
    struct err err = unwrap(&chat->chat, l, key);
    if (!err_is_ok(err))
        return is_ours(err) ? err : wait_for(c, t, chat, l, ROSTER_WAITS_KEY);
    err = roster_identify(c, t, node.credential.body, node.signature_key, key,
                          chat->chat.kind == HEARTH_CHAT_GROUP, domain, &identity);
    bytes_wipe(key, sizeof key);
    return judge(c, t, chat, l, err, domain, &identity);
}

/* ---- those that are late */

static bool is_late(const struct core *c, const struct roster_leaf *l)
{
    return l->state == ROSTER_PENDING &&
           (l->waits == ROSTER_WAITS_KEY || l->waits == ROSTER_WAITS_SET) && !is_patient(c, l);
}

size_t roster_late(const struct core *c, const struct roster *r)
{
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        count += is_late(c, &r->leaves[i]);
    return count;
}

/* No alarm: nothing speaks against it. */
static struct err tell_late(struct core *c, struct db_txn *t, const struct open_chat *chat,
                            struct roster_leaf *l)
{
    if (l->told || !is_late(c, l))
        return ERR_OK;
    l->told = true;
    return event_tell(
        c, t,
        &(struct hearth_event){.kind = HEARTH_EVENT_CHAT_CHANGED,
                               .chat = chat->chat.id,
                               .message = l->leaf,
                               .text = l->waits == ROSTER_WAITS_KEY
                                           ? "nobody has said yet whose a device in the chat is"
                                           : "a device in the chat is newer than what its user "
                                             "has told us of his devices"});
}

struct err roster_retry_pending(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    if (chat->group == NULL)
        return ERR_OK;
    for (size_t i = 0; i < chat->roster->count; i++) {
        struct roster_leaf *l = &chat->roster->leaves[i];
        if (l->state != ROSTER_PENDING || l->leaf == group_own_leaf(chat->group))
            continue;
        chat->roster->changed = true;
        TRY(try_leaf(c, t, chat, l));
        TRY(tell_late(c, t, chat, l));
    }
    return ERR_OK;
}

/* ---- rows */

static struct roster_leaf *find(struct roster *r, uint32_t leaf)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->leaves[i].leaf == leaf)
            return &r->leaves[i];
    return NULL;
}

static void row_clear(struct roster_leaf *l)
{
    buf_clear(&l->wrapped_identity_key);
    buf_clear(&l->wrapped_profile_key);
    *l = (struct roster_leaf){.leaf = l->leaf};
}

/* The row of that leaf, made if there is none, in its place. */
static struct err row_of(struct roster *r, uint32_t leaf, struct roster_leaf **ret_leaf)
{
    *ret_leaf = find(r, leaf);
    if (*ret_leaf != NULL)
        return ERR_OK;
    struct roster_leaf *leaves = realloc(r->leaves, (r->count + 1) * sizeof *leaves);
    if (leaves == NULL)
        return ERR(NO_MEMORY);
    r->leaves = leaves;
    size_t i = r->count++;
    for (; i > 0 && leaves[i - 1].leaf > leaf; i--)
        leaves[i] = leaves[i - 1];
    leaves[i] = (struct roster_leaf){.leaf = leaf};
    *ret_leaf = &leaves[i];
    return ERR_OK;
}

static struct err fill_row(struct core *c, const struct leaf_node *node,
                           const struct leaf_news *news, uint64_t accepted_s, struct roster_leaf *l)
{
    struct leaf_credential credential;
    bool outside = l->outside && l->state != ROSTER_VERIFIED; /* another leaf of the same */
    row_clear(l);
    l->outside = outside;
    l->since_s = accepted_s;
    l->news_ms = core_now_ms(c);
    memcpy(l->user_pseudonym, news->user_pseudonym, sizeof l->user_pseudonym);
    leaf_hash(node, l->leaf_hash);
    /* another credential has no identity that could open: it ends up unverified */
    if (node->credential.type == LEAF_CREDENTIAL_TYPE &&
        err_is_ok(leaf_credential_parse(node->credential.body, &credential)))
        memcpy(l->pseudonym, credential.pseudonym, sizeof l->pseudonym);
    else
        l->news_ms = 0;
    buf_append_bytes(&l->wrapped_identity_key, news->wrapped_identity_key);
    buf_append_bytes(&l->wrapped_profile_key, news->wrapped_profile_key);
    TRY(buf_check(&l->wrapped_identity_key));
    return buf_check(&l->wrapped_profile_key);
}

static void fill_own(struct core *c, const struct chat *chat, struct roster_leaf *l)
{
    l->state = ROSTER_VERIFIED;
    l->own_user = true;
    memcpy(l->pseudonym, chat->pseudonym, sizeof l->pseudonym);
    if (c->account.client_id.len <= sizeof l->client_id) {
        memcpy(l->client_id, c->account.client_id.data, c->account.client_id.len);
        l->client_id_len = c->account.client_id.len;
    }
}

struct err roster_news(struct core *c, struct db_txn *t, struct open_chat *chat,
                       const struct leaf_news *news, uint64_t accepted_s)
{
    struct leaf_node node;
    struct roster_leaf *l;
    if (chat->group == NULL || !public_group_leaf(group_public(chat->group), news->leaf, &node))
        return ERR_OK; /* of a leaf that is not there: nothing to say */
    chat->roster->changed = true;
    TRY(row_of(chat->roster, news->leaf, &l));
    bool newcomer = memcmp(l->user_pseudonym, news->user_pseudonym, sizeof l->user_pseudonym) != 0;
    TRY(fill_row(c, &node, news, accepted_s, l));
    if (news->leaf == group_own_leaf(chat->group)) {
        fill_own(c, &chat->chat, l);
        return ERR_OK;
    }
    TRY(try_leaf(c, t, chat, l));
    return newcomer && !l->own_user ? log_proof_due(c, t, chat) : ERR_OK;
}

bool roster_opened(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        struct leaf_node node;
        uint8_t key[IDENTITY_KEY_BYTES], hash[32];
        if (l->state != ROSTER_PENDING ||
            !public_group_leaf(group_public(chat->group), l->leaf, &node))
            continue;
        leaf_hash(&node, hash);
        bool opened = memcmp(hash, l->leaf_hash, sizeof hash) == 0 &&
                      err_is_ok(unwrap(&chat->chat, l, key)) &&
                      roster_opens(c, t, node.credential.body, node.signature_key, key);
        bytes_wipe(key, sizeof key);
        if (!opened)
            return false;
    }
    return true;
}

struct err roster_prune(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    const struct public_group *g = group_public(chat->group);
    struct roster *r = chat->roster;
    struct leaf_node node;
    uint8_t hash[32];
    size_t kept = 0;
    r->changed = true;
    for (size_t i = 0; i < r->count; i++) {
        if (public_group_leaf(g, r->leaves[i].leaf, &node)) {
            r->leaves[kept++] = r->leaves[i];
            continue;
        }
        row_clear(&r->leaves[i]);
    }
    r->count = kept;
    for (uint32_t i = 0; i < g->tree.width; i++) {
        struct roster_leaf *l;
        if (!public_group_leaf(g, i, &node))
            continue;
        TRY(row_of(r, i, &l));
        leaf_hash(&node, hash);
        if (memcmp(hash, l->leaf_hash, sizeof hash) == 0)
            continue;
        row_clear(l);
        memcpy(l->leaf_hash, hash, sizeof hash);
        l->news_ms = 0;
        TRY(set_unverified(c, t, chat, l, "a device came to the chat without saying whose it is"));
    }
    return ERR_OK;
}

/* Is the key that it came under still among those that we keep? */
static bool can_open(const struct chat *chat, const struct roster_leaf *l)
{
    uint8_t key[IDENTITY_KEY_BYTES];
    bool can = err_is_ok(unwrap(chat, l, key));
    bytes_wipe(key, sizeof key);
    return can;
}

/* A verified leaf against what we have learned since: its user has become a contact, or his KeySet
 * has changed. */
static struct err check_again(struct core *c, struct db_txn *t, struct open_chat *chat,
                              struct roster_leaf *l)
{
    static const struct hearth_id nobody;
    struct hearth_id id;
    struct contact contact = {0};
    struct key_set set;
    if (l->own_user || roster_user(l).len == 0)
        return ERR_OK;
    struct err err = contact_by_user(c, t, roster_user(l), &id);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    bool known = !hearth_id_equal(&l->contact, &nobody) && hearth_id_equal(&l->contact, &id);
    if (!known && can_open(&chat->chat, l))
        return try_leaf(c, t, chat, l);
    TRY(contact_get(c, t, &id, &contact));
    bool in = contact.key_set.len == 0 ||
              (err_is_ok(key_set_parse(buf_view(&contact.key_set), &set)) &&
               key_set_find(&set, bytes_of(l->client_id + l->client_id_len - UUID_BYTES,
                                           UUID_BYTES)) != NULL);
    contact_clear(&contact);
    if (in)
        l->contact = id;
    return in ? ERR_OK
              : set_unverified(c, t, chat, l,
                               "a device in the chat is not among its user's devices");
}

struct err roster_retry(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    if (chat->group == NULL)
        return ERR_OK;
    chat->roster->changed = true;
    for (size_t i = 0; i < chat->roster->count; i++) {
        struct roster_leaf *l = &chat->roster->leaves[i];
        if (l->leaf == group_own_leaf(chat->group))
            continue;
        TRY(l->state == ROSTER_VERIFIED ? check_again(c, t, chat, l) : try_leaf(c, t, chat, l));
    }
    return ERR_OK;
}

struct err roster_refuse(struct core *c, struct db_txn *t, struct open_chat *chat, uint32_t leaf,
                         const char *why)
{
    struct roster_leaf *l = find(chat->roster, leaf);
    if (l == NULL)
        return ERR_OK;
    chat->roster->changed = true;
    /* not to be tried again: what it is wrapped under is forgotten */
    buf_clear(&l->wrapped_identity_key);
    l->news_ms = 0;
    return set_unverified(c, t, chat, l, why);
}
