/* What came of all that was sent. */
#include "support/land/land.h"

/* A cut breaks the connections of clients, too, and a call that is begun on one before that is
 * noticed ends as UNAVAILABLE, once: the next one dials, which never fails. */
static void fetch(struct qclient *c)
{
    unsigned items = 1, left = 1, broken = 0;
    while (left > 0) {
        enum hearth_code code = qclient_dequeue(
            c, c->ratchet.sequence > 0 ? c->ratchet.sequence - 1 : 0, 64, &items, &left);
        if (code == HEARTH_UNAVAILABLE && broken++ == 0)
            continue;
        assert_int_equal(code, HEARTH_OK);
    }
}

void land_fetch(struct land *l)
{
    for (size_t i = 0; i < l->home_count; i++)
        for (size_t k = 0; k < l->homes[i].client_count && l->homes[i].up; k++)
            fetch(&l->homes[i].clients[k]);
}

/* How much is wrong; the first of it is printed. */
static size_t faults_of(const struct land_ref *r, bool partly, size_t *came)
{
    size_t at = 0, faults = 0;
    for (size_t i = 0; i < QWORLD_GOT; i++) {
        const struct qgot *got = &r->ref.owner->got[i];
        if (!got->there || got->kind != QUEUE_ITEM_DELIVERY ||
            memcmp(got->tag, r->ref.tag, sizeof got->tag) != 0)
            continue;
        ++*came;
        size_t next = at;
        while (next < r->sent_count && r->sent[next] != got->number)
            next++;
        if (next == r->sent_count) { /* came twice, or too late */
            faults++;
            continue;
        }
        faults += partly || r->gone ? 0 : next - at;
        at = next + 1;
    }
    return faults + (partly || r->gone ? 0 : r->sent_count - at);
}

size_t land_faults(struct land *l, bool partly, size_t *ret_compared)
{
    size_t faults = 0;
    *ret_compared = 0;
    land_fetch(l);
    for (size_t i = 0; i < l->ref_count; i++)
        faults += faults_of(&l->refs[i], partly, ret_compared);
    return faults;
}

size_t land_check(struct land *l, bool partly)
{
    size_t compared = 0, faults = land_faults(l, partly, &compared);
    if (faults > 0)
        fail_msg("%zu deliveries are missing, doubled or out of order; %zu came", faults, compared);
    return compared;
}
