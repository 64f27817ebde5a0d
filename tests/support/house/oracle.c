#include "support/house/oracle.h"

static bool has_key(const struct mls_group *g, const uint8_t key[32])
{
    const struct public_group *p = group_public(g);
    struct leaf_node leaf;
    for (uint32_t i = 0; i < p->tree.width; i++)
        if (public_group_leaf(p, i, &leaf) && bytes_equal(leaf.signature_key, bytes_of(key, 32)))
            return true;
    return false;
}

/* NULL: it has not joined. */
static const struct membership *find_membership(const struct oracle_stay *s)
{
    for (size_t i = 0; i < RESIDENT_GROUPS; i++) {
        const struct membership *m = &s->resident->groups[i];
        if (m->group != NULL && memcmp(m->self.leaf_key.public_key.data, s->key, 32) == 0)
            return m;
    }
    return NULL;
}

static void stay_begin(struct oracle *o, const struct resident *r, const uint8_t *key)
{
    assert_true(o->stay_count < ORACLE_STAYS);
    struct oracle_stay *s = &o->stays[o->stay_count++];
    *s = (struct oracle_stay){.resident = r, .from = o->epoch, .to = UINT64_MAX};
    memcpy(s->key, key, sizeof s->key);
}

/* The tree that the committer is in now says who is there. */
static void stays_follow(struct oracle *o, const struct membership *m)
{
    size_t open = 0;
    for (size_t i = 0; i < o->stay_count; i++) {
        struct oracle_stay *s = &o->stays[i];
        if (s->to != UINT64_MAX)
            continue;
        if (has_key(m->group, s->key))
            open++;
        else
            s->to = o->epoch;
    }
    assert_int_equal(open, group_public(m->group)->tree.member_count);
}

void oracle_founded(struct oracle *o, const struct membership *m)
{
    *o = (struct oracle){.group_id_len = m->group_id_len};
    memcpy(o->group_id, m->group_id, m->group_id_len);
    stay_begin(o, m->resident, m->self.leaf_key.public_key.data);
}

void oracle_committed(struct oracle *o, const struct membership *m, struct resident *const *added,
                      size_t count)
{
    o->epoch++;
    assert_int_equal(group_epoch(m->group), o->epoch); /* G1 */
    for (size_t i = 0; i < count; i++) {
        const struct resident *r = added[i];
        stay_begin(o, r, r->introductions[r->introduction_count - 1].signature_key);
    }
    stays_follow(o, m);
}

void oracle_sent(struct oracle *o, const struct membership *m, uint32_t message)
{
    assert_true(o->sent_count < ORACLE_SENT);
    assert_int_equal(group_epoch(m->group), o->epoch); /* none but of the current epoch is taken */
    oracle_sent_in(o, m, message);
}

void oracle_sent_in(struct oracle *o, const struct membership *m, uint32_t message)
{
    assert_true(o->sent_count < ORACLE_SENT);
    o->sent[o->sent_count++] = (struct oracle_message){
        .message = message, .sender = m->resident->number, .epoch = o->epoch};
}

void oracle_resynced(struct oracle *o, const struct membership *m, uint64_t broken_epoch)
{
    oracle_committed(o, m, NULL, 0);
    for (size_t i = 0; i < o->stay_count; i++) {
        struct oracle_stay *s = &o->stays[i];
        if (s->to != UINT64_MAX || s->resident != m->resident || broken_epoch == 0)
            continue;
        assert_true(s->blind_count < ORACLE_BLIND);
        s->blind[s->blind_count].from = broken_epoch;
        s->blind[s->blind_count++].to = o->epoch;
    }
}

void oracle_lossy(struct oracle *o, const struct house *home)
{
    for (size_t i = 0; i < o->stay_count; i++) {
        struct oracle_stay *s = &o->stays[i];
        const struct membership *m = find_membership(s);
        bool over = s->to != UINT64_MAX && m != NULL && m->left;
        if (s->resident->house != home || over) /* else the commit that ended it may wait still */
            continue;
        s->lossy = true;
        resident_lossy((struct resident *)(uintptr_t)s->resident, s->key);
    }
}

void oracle_restored(struct oracle *o, size_t sent_count)
{
    for (size_t i = sent_count; i < o->sent_count; i++)
        o->sent[i].maybe = true;
}

void oracle_at_once(struct oracle *o)
{
    assert_true(o->sent_count >= 2);
    o->sent[o->sent_count - 1].at_once = true;
}

bool oracle_has(const struct oracle *o, const struct resident *r)
{
    for (size_t i = 0; i < o->stay_count; i++)
        if (o->stays[i].resident == r && o->stays[i].to == UINT64_MAX)
            return true;
    return false;
}

size_t oracle_members(const struct oracle *o)
{
    size_t count = 0;
    for (size_t i = 0; i < o->stay_count; i++)
        count += o->stays[i].to == UINT64_MAX;
    return count;
}

/* ---- the end */

static const struct membership *membership_of(const struct oracle_stay *s)
{
    const struct membership *m = find_membership(s);
    if (m == NULL)
        fail_msg("resident %u never joined, added in epoch %llu", s->resident->number,
                 (unsigned long long)s->from);
    return m;
}
static bool is_for(const struct oracle *o, size_t i, const struct oracle_stay *s)
{
    uint64_t epoch = o->sent[i].epoch;
    for (size_t b = 0; b < s->blind_count; b++)
        if (epoch >= s->blind[b].from && epoch < s->blind[b].to)
            return false;
    return epoch >= s->from && epoch < s->to && o->sent[i].sender != s->resident->number;
}

/* It can't come back by itself: its Welcome was lost, or the key with which it could resync, or
 * the commit that removed it. */
static bool is_lost(const struct oracle_stay *s)
{
    const struct membership *m = find_membership(s);
    return s->lossy && (m == NULL || m->broken || s->to != UINT64_MAX);
}

static size_t check_stay(const struct oracle *o, const struct oracle_stay *s)
{
    const struct resident *r = s->resident;
    if (r->gone || r->house == o->liar || (s->lossy && find_membership(s) == NULL))
        return 0;
    const struct membership *m = membership_of(s);
    bool told = s->lossy && (m->told || is_lost(s));
    size_t at = 0, count = 0, missing = 0;
    for (size_t i = 0; i < o->sent_count; i++) {
        if (!is_for(o, i, s))
            continue;
        while (at < r->got_count && r->got[at].in != m)
            at++;
        bool came = at < r->got_count && r->got[at].message == o->sent[i].message;
        if (!came && (o->sent[i].maybe || told))
            continue;
        if (!came && o->sparse) {
            missing++;
            continue;
        }
        if (at == r->got_count)
            fail_msg("message %u of epoch %llu never came to resident %u", o->sent[i].message,
                     (unsigned long long)o->sent[i].epoch, r->number);
        if (!came)
            fail_msg("resident %u: message %u where %u was due", r->number, r->got[at].message,
                     o->sent[i].message);
        assert_int_equal(r->got[at].epoch, o->sent[i].epoch);
        assert_int_equal(r->got[at].sender, o->sent[i].sender);
        at++;
        count++;
    }
    for (; at < r->got_count; at++)
        if (r->got[at].in == m)
            fail_msg("resident %u: message %u came too often", r->number, r->got[at].message);
    if (missing > m->told_count && s->to == UINT64_MAX) /* else it can't be told any more */
        fail_msg("resident %u: %zu messages are missing, and it was told of %llu", r->number,
                 missing, (unsigned long long)m->told_count);
    return count;
}

static void check_agreement(const struct oracle *o)
{
    struct bytes first = {0};
    for (size_t i = 0; i < o->stay_count; i++) {
        if (o->stays[i].resident->gone || o->stays[i].resident->house == o->liar ||
            is_lost(&o->stays[i]))
            continue;
        if (o->stays[i].to != UINT64_MAX) {
            /* who missed its removal can't know of it */
            assert_true(membership_of(&o->stays[i])->left || membership_of(&o->stays[i])->broken);
            continue;
        }
        const struct membership *m = membership_of(&o->stays[i]);
        assert_true(m->in && !m->broken);
        assert_int_equal(group_epoch(m->group), o->epoch);
        if (first.len == 0)
            first = group_epoch_authenticator(m->group);
        assert_true(bytes_equal(first, group_epoch_authenticator(m->group)));
    }
}

/* Of two that were under way at once, whichever the first who got both got first was first. */
static void settle_order(struct oracle *o, size_t i)
{
    for (size_t k = 0; k < o->stay_count; k++) {
        const struct oracle_stay *s = &o->stays[k];
        if (!is_for(o, i, s) || !is_for(o, i - 1, s))
            continue;
        for (size_t at = 0; at < s->resident->got_count; at++) {
            uint32_t message = s->resident->got[at].message;
            if (message == o->sent[i - 1].message)
                return;
            if (message == o->sent[i].message) {
                struct oracle_message first = o->sent[i];
                o->sent[i] = o->sent[i - 1];
                o->sent[i - 1] = first;
                return;
            }
        }
    }
}

size_t oracle_check(struct oracle *o)
{
    size_t count = 0;
    for (size_t i = 1; i < o->sent_count; i++)
        if (o->sent[i].at_once)
            settle_order(o, i);
    for (size_t i = 0; i < o->stay_count; i++)
        count += check_stay(o, &o->stays[i]);
    check_agreement(o);
    return count;
}
