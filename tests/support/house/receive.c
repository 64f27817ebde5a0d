/* What comes out of a client's queue. */
#include "crypto/hash.h"
#include "mls/codec/message.h"
#include "seal/welcome_keys.h"
#include "support/house/resident_inside.h"
#include "wire/reader.h"

/* ---- joining */

static struct own_package *package_by_tag(struct resident *r, const uint8_t tag[16])
{
    for (size_t i = 0; i < RESIDENT_PACKAGES; i++)
        if (r->packages[i].made && memcmp(r->packages[i].tag, tag, 16) == 0)
            return &r->packages[i];
    return NULL;
}

static const struct introduction *must_be_expected(const struct resident *r,
                                                   const struct digest *ref)
{
    for (size_t i = 0; i < r->introduction_count; i++)
        if (bytes_equal(digest_view(&r->introductions[i].ref), digest_view(ref)))
            return &r->introductions[i];
    fail_msg("a Welcome of a commit that nobody said was accepted");
    return NULL;
}

/* What the Welcome says of the group, so that its tree can be asked for. */
static uint64_t take_news(struct membership *m, const struct mls_client *client,
                          const struct own_package *p, struct bytes welcome)
{
    struct welcome_news news;
    struct welcome_keys keys;
    struct bytes data;
    assert_ok(welcome_peek(client, &p->bundle, welcome, NULL, &news));
    struct extensions extensions = {buf_view(&news.extensions)};
    assert_true(extensions_find(&extensions, WELCOME_KEYS_EXTENSION_TYPE, &data));
    assert_ok(welcome_keys_read(data, &keys));
    membership_name(m, buf_view(&news.group_id));
    membership_key(m, keys.state_key, news.epoch - 1);
    memcpy(m->identity_key, keys.identity_key, IDENTITY_KEY_BYTES);
    uint64_t epoch = news.epoch;
    bytes_wipe(&keys, sizeof keys);
    welcome_news_clear(&news);
    return epoch;
}

/* From the records beside the leaves, which stand in the tree's order without the blanks. */
static void take_pseudonym(struct membership *m, const Hearth__V1__GetWelcomeInfoResponse *info)
{
    struct leaf_node leaf;
    size_t at = 0;
    for (uint32_t i = 0; i < group_own_leaf(m->group); i++)
        at += public_group_leaf(group_public(m->group), i, &leaf);
    assert_true(at < info->n_leaves);
    assert_int_equal(info->leaves[at]->user_pseudonym.len, sizeof m->user_pseudonym);
    memcpy(m->user_pseudonym, info->leaves[at]->user_pseudonym.data, sizeof m->user_pseudonym);
}

static void fetch_tree(struct resident *r, const struct own_package *p, struct membership *m,
                       uint64_t epoch, ProtobufCMessage **out)
{
    struct caller joiner;
    Hearth__V1__GroupAccess access = HEARTH__V1__GROUP_ACCESS__INIT;
    Hearth__V1__GetWelcomeInfoRequest in = HEARTH__V1__GET_WELCOME_INFO_REQUEST__INIT;
    caller_init(&joiner, REQUEST_JOINER, digest_view(&p->ref), m->owner->domain, &r->house->clock,
                &r->house->rng);
    sig_key_clear(&joiner.key);
    joiner.key = p->leaf_key;
    access.group_id = resident_data(membership_group_id(m));
    access.state_key = resident_data(bytes_of(m->keys[0], STATE_KEY_BYTES));
    in.group = &access;
    in.epoch = epoch;
    enum hearth_code code = membership_call(m, &joiner, "GetWelcomeInfo", &in.base, out);
    if (code != HEARTH_OK)
        fail_msg("GetWelcomeInfo: %s: %s", hearth_code_name(code), r->last.message);
    caller_clear(&joiner);
}

static void join(struct resident *r, struct own_package *p, struct bytes welcome)
{
    struct membership *m = membership_new(r);
    struct mls_client client = own_package_client(r, p);
    struct mls_group_config config = membership_config();
    ProtobufCMessage *out = NULL;
    m->lossy = must_be_expected(r, &p->ref)->lossy;
    uint64_t epoch = take_news(m, &client, p, welcome);
    fetch_tree(r, p, m, epoch, &out);
    const Hearth__V1__GetWelcomeInfoResponse *info = (const void *)out;
    assert_ok(group_join(&client, &config, &p->bundle, welcome,
                         bytes_of(info->ratchet_tree.data, info->ratchet_tree.len), NULL,
                         &m->group));
    assert_int_equal(group_epoch(m->group), epoch);
    take_pseudonym(m, info);
    protobuf_c_message_free_unpacked(out, NULL);
    m->self = *p; /* moves */
    *p = (struct own_package){.made = true, .used = true};
    membership_caller(m);
    m->in = true;
    r->welcomes++;
}

static void welcome_item(struct resident *r, const struct queue_item *item, struct buf *scratch)
{
    struct own_package *p = package_by_tag(r, item->tag);
    struct key_package kp;
    struct delivery_item d;
    assert_non_null(p); /* each KeyPackage is used once */
    assert_ok(key_package_parse(buf_view(&p->bundle.key_package), &kp));
    assert_ok(fan_out_open_joiner(&resident_suite()->hpke, secret_view(&p->bundle.init_key),
                                  kp.init_key, item->body, scratch, &d));
    assert_int_equal(d.kind, DELIVERY_WELCOME);
    join(r, p, d.body);
}

/* ---- a group's items */

static uint64_t epoch_of(struct bytes message)
{
    struct arena arena;
    struct mls_message m;
    arena_init(&arena, 1 << 22);
    assert_ok(mls_message_parse(message, &arena, &m));
    uint64_t epoch = m.wire_format == WIRE_FORMAT_PUBLIC_MESSAGE
                         ? m.public_message.content.content.epoch
                         : m.private_message.epoch;
    arena_clear(&arena);
    return epoch;
}

/* Something is missing: what comes can't be read until a resync. */
static void break_off(struct membership *m)
{
    if (!m->broken)
        m->broken_epoch = group_epoch(m->group) + 1;
    m->broken = true;
}

static void message_item(struct membership *m, struct bytes message)
{
    struct resident *r = m->resident;
    struct mls_client client = own_package_client(r, &m->self);
    struct mls_received received = {0};
    struct err err = group_process(m->group, &client, message, &received);
    if (err_is_ok(err) && received.epoch < m->heard_epoch && !m->lossy)
        fail_msg("G3: resident %u: a message of epoch %llu behind the commit that ended it",
                 r->number, (unsigned long long)received.epoch);
    for (size_t i = 0; i < RESIDENT_BEFORE && !err_is_ok(err) && m->before[i] != NULL; i++)
        err = group_process(m->before[i], &client, message, &received);
    if (!err_is_ok(err) && m->lossy)
        break_off(m);
    if (!err_is_ok(err) && (m->broken || m->before[0] != NULL))
        return; /* of an epoch that was missed */
    assert_ok(err);
    assert_int_equal(received.type, MLS_RECEIVED_APPLICATION);
    struct wire_reader in = wire_reader_of(received.application_data);
    assert_true(r->got_count < RESIDENT_GOT);
    struct got *got = &r->got[r->got_count++];
    *got = (struct got){.in = m, .epoch = received.epoch};
    got->message = wire_read_u32(&in);
    got->sender = wire_read_u32(&in);
    assert_ok(wire_reader_end(&in));
    mls_received_clear(&received);
}

/* Whose epoch it is; NULL: of none, since what was before a resync was missed, too. */
static struct mls_group *before_of(const struct membership *m, uint64_t epoch)
{
    for (size_t i = 0; i < RESIDENT_BEFORE && m->before[i] != NULL; i++)
        if (group_epoch(m->before[i]) == epoch)
            return m->before[i];
    return NULL;
}

/* Nobody comes into a connection group but by the offer. */
static void check_joiner(const struct membership *m, const struct mls_received *received)
{
    const struct staged_commit *s = mls_staged_view(received->staged);
    const struct connection_offer_hashes *h = &m->resident->offer.hashes;
    if (received->sender.type == SENDER_NEW_MEMBER_COMMIT && s->removed.count == 0)
        assert_true(staged_commit_has_psk(s, bytes_of(h->psk_id, sizeof h->psk_id)));
}

/* Handshake messages, into the group of now or, if they are older, into that of before. */
static void handshake_item(struct membership *m, struct bytes message, bool is_commit)
{
    struct mls_client client = own_package_client(m->resident, &m->self);
    struct mls_received received = {0};
    client.policy.any_resync = true; /* whose leaf it replaces, the server has checked */
    bool old = epoch_of(message) < group_epoch(m->group);
    struct digest hash;
    hash_once(&hash_sha256, message, &hash);
    if (is_commit)
        memcpy(m->commit_hash, hash.data, sizeof m->commit_hash);
    if (m->deaf && is_commit && !old) {
        break_off(m);
        m->deaf = false;
    }
    if (m->lossy && epoch_of(message) > group_epoch(m->group))
        break_off(m);
    if (m->broken)
        return;
    struct mls_group *group = old ? before_of(m, epoch_of(message)) : m->group;
    if (group == NULL && m->before[0] == NULL)
        fail_msg("a handshake message of an epoch that is over");
    if (group == NULL)
        return;
    struct err err = group_process(group, &client, message, &received);
    if (m->doubts && is_commit) {
        assert_err(err, MLS_CONFIRMATION_TAG);
        break_off(m);
        return;
    }
    if (!err_is_ok(err) && m->lossy)
        break_off(m); /* a commit whose proposals are missing */
    if (!err_is_ok(err) && (old || m->broken))
        return; /* what was before the resync may have been broken */
    assert_ok(err);
    if (is_commit) {
        assert_int_equal(received.type, MLS_RECEIVED_COMMIT);
        check_joiner(m, &received);
        bool removed = mls_staged_removes_us(received.staged);
        assert_ok(group_merge(group, &received.staged));
        if (!old) /* one's own commits come by no queue: what was sent before them may follow */
            m->heard_epoch = group_epoch(group);
        if (removed && !old) {
            m->in = false;
            m->left = true;
        }
    }
    mls_received_clear(&received);
}

static struct err decrypt_as_leaf(void *self, struct bytes prefix, struct bytes label,
                                  struct bytes context, struct bytes kem_output,
                                  struct bytes ciphertext, uint8_t *ret_plaintext)
{
    return group_leaf_decrypt(self, prefix, label, context, kem_output, ciphertext, ret_plaintext);
}

static void state_key_item(struct membership *m, struct bytes body)
{
    struct mls_group *groups[1 + RESIDENT_BEFORE] = {m->group};
    memcpy(groups + 1, m->before, sizeof m->before);
    uint8_t key[STATE_KEY_BYTES];
    uint64_t epoch;
    for (size_t i = 0; i <= RESIDENT_BEFORE && groups[i] != NULL; i++) {
        const struct leaf_decrypt leaf = {decrypt_as_leaf, groups[i]};
        struct err err = state_key_open_with(&leaf, membership_group_id(m), body, &epoch, key);
        if (err_is_ok(err)) {
            membership_key(m, key, epoch);
            return;
        }
    }
    m->resident->faults++; /* to a leaf that we had for a moment */
}

static void refusal_item(struct resident *r, struct bytes sealed)
{
    struct buf scratch = BUF_INIT;
    struct connection_answer answer;
    assert_true(r->offer.open && !r->offer.answered);
    assert_ok(connection_answer_open(secret_view(&r->offer.answer_private),
                                     public_key_view(&r->offer.answer_public), r->offer.hashes.hash,
                                     sealed, &scratch, &answer));
    assert_int_equal(answer.kind, CONNECTION_REFUSED);
    r->offer.answered = true;
    r->offer.refusal = answer.reason;
    buf_clear(&scratch);
}

static void loss_item(struct membership *m, struct bytes body)
{
    uint64_t count;
    if (!m->lossy && m->owner->backlog_rows == 0)
        fail_msg("a loss that nothing caused");
    assert_ok(delivery_loss_parse(body, &count));
    m->told = true;
    m->told_count += count;
}

static void group_item(struct membership *m, const struct delivery_item *d)
{
    struct resident *r = m->resident;
    struct bytes commit, hash, leaves, message;
    enum delivery_reason reason;
    switch (d->kind) {
    case DELIVERY_MESSAGE:
        message_item(m, d->body);
        break;
    case DELIVERY_COMMIT:
        assert_ok(delivery_commit_parse(d->body, &commit, &hash, &leaves));
        handshake_item(m, commit, true);
        r->commits++;
        break;
    case DELIVERY_PROPOSAL:
        assert_ok(delivery_proposal_parse(d->body, &reason, &message));
        handshake_item(m, message, false);
        r->proposals++;
        break;
    case DELIVERY_STATE_KEY:
        state_key_item(m, d->body);
        break;
    case DELIVERY_REFUSED:
        refusal_item(r, d->body);
        break;
    case DELIVERY_DELETED:
        m->in = false;
        m->left = true;
        break;
    case DELIVERY_LOSS:
        loss_item(m, d->body);
        break;
    case DELIVERY_LEAF_NEWS:
    case DELIVERY_TARGETED: /* nothing in it that we could open */
        break;
    default:
        fail_msg("an item of kind %d", (int)d->kind);
    }
}

/* A large item comes in parts, one right behind the other. */
static void part_item(struct membership *m, struct bytes body)
{
    struct fan_out_part part;
    struct delivery_item whole;
    assert_ok(fan_out_part_parse(body, &part));
    if (part.index == 0) {
        buf_reset_unwiped(&m->parts);
        memcpy(m->parts_id, part.id, sizeof m->parts_id);
        m->parts_next = 0;
    }
    if (part.index != m->parts_next || memcmp(m->parts_id, part.id, sizeof m->parts_id) != 0) {
        if (!m->lossy)
            fail_msg("resident %u: part %u of an item where %u was due", m->resident->number,
                     part.index, m->parts_next);
        break_off(m);
        return;
    }
    buf_append_bytes(&m->parts, part.piece);
    assert_ok(buf_check(&m->parts));
    if (++m->parts_next < part.count)
        return;
    assert_ok(delivery_item_parse(buf_view(&m->parts), &whole));
    group_item(m, &whole);
}

static bool is_lossy(const struct resident *r, const struct own_package *p)
{
    return p != NULL && must_be_expected(r, &p->ref)->lossy;
}

static void delivery_item(struct resident *r, const struct queue_item *item, struct buf *scratch)
{
    struct membership *m = NULL;
    struct delivery_item d;
    for (size_t i = 0; i < RESIDENT_GROUPS; i++)
        if (r->groups[i].group != NULL && memcmp(r->groups[i].self.tag, item->tag, 16) == 0)
            m = &r->groups[i];
    if (m != NULL && m->owner->lies) { /* what a client makes of that is its own tests' business */
        r->lies++;
        return;
    }
    if (fan_out_is_joiner(item->body)) {
        welcome_item(r, item, scratch);
        return;
    }
    if (m == NULL && is_lossy(r, package_by_tag(r, item->tag)))
        return; /* of a group whose Welcome was given up */
    assert_non_null(m);
    for (size_t i = 0; i < m->key_count; i++)
        if (err_is_ok(fan_out_open(m->keys[i], membership_group_id(m), item->body, scratch, &d))) {
            if (m->left && d.kind != DELIVERY_DELETED) /* which comes with its commit */
                fail_msg("G5: something came after the removal");
            if (d.kind == DELIVERY_PART)
                part_item(m, d.body);
            else
                group_item(m, &d);
            return;
        }
    if (m->lossy && !m->left) {
        break_off(m);
        return;
    }
    fail_msg("%s", m->left ? "G5: something came after the removal"
                           : "an item under a state key that we never had");
}

/* ---- items */

static void hash_of(const Hearth__V1__QueueItem *item, uint8_t hash[8])
{
    struct digest digest;
    hash_once(&hash_sha256, bytes_of(item->sealed.data, item->sealed.len), &digest);
    memcpy(hash, digest.data, 8);
}

void resident_item(struct resident *r, const Hearth__V1__QueueItem *item)
{
    struct buf scratch = BUF_INIT, inner = BUF_INIT; /* the item's views lie in the first */
    struct queue_item inside;
    uint8_t hash[8];
    hash_of(item, hash);
    assert_true(item->sequence < RESIDENT_ITEMS);
    if (item->sequence < r->seen) { /* Q3 */
        assert_memory_equal(hash, r->hashes[item->sequence], sizeof hash);
        r->repeats++;
        return;
    }
    assert_int_equal(item->sequence, r->seen); /* Q2 */
    memcpy(r->hashes[r->seen++], hash, sizeof hash);
    assert_ok(queue_ratchet_open(&r->ratchet, secret_view(&r->queue_private),
                                 public_key_view(&r->queue_public),
                                 bytes_of(item->sealed.data, item->sealed.len), &scratch, &inside));
    assert_false(inside.astray);
    switch (inside.kind) {
    case QUEUE_ITEM_DELIVERY:
        delivery_item(r, &inside, &inner);
        break;
    case QUEUE_ITEM_GAP:
        r->gaps++;
        break;
    case QUEUE_ITEM_LAST_RESORT:
        r->last_resorts++;
        break;
    default:
        break;
    }
    buf_clear(&inner);
    buf_clear(&scratch);
}

void resident_sync(struct resident *r, uint32_t most)
{
    for (;;) {
        Hearth__V1__DequeueRequest in = HEARTH__V1__DEQUEUE_REQUEST__INIT;
        ProtobufCMessage *out = NULL;
        in.ack_up_to = !r->greedy && r->seen > 0 ? r->seen - 1 : 0;
        in.most = most;
        enum hearth_code code =
            resident_call(r, &r->client, &hearth_queue_descriptor, "Dequeue", &in.base, &out);
        if (code != HEARTH_OK)
            fail_msg("Dequeue: %s: %s", hearth_code_name(code), r->last.message);
        const Hearth__V1__DequeueResponse *answer = (const void *)out;
        uint64_t before = r->seen;
        if (in.ack_up_to > r->acked)
            r->acked = in.ack_up_to;
        for (size_t i = 0; i < answer->n_items; i++) {
            assert_true(r->acked == 0 || answer->items[i]->sequence > r->acked); /* Q4 */
            resident_item(r, answer->items[i]);
        }
        protobuf_c_message_free_unpacked(out, NULL);
        /* item 0 can't be acknowledged alone, since 0 acknowledges nothing: it may come again */
        if (r->seen == before)
            return;
    }
}
