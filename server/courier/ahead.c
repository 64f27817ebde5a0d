/* Our own next batch, read and checked while the one before it is appended: what the keeper and the
 * disk take for it costs no time then. Only one is ahead, and it is appended only when every row
 * before it has a definite outcome, so nothing overtakes. */
#include "server/courier/inside.h"

void ahead_start(struct parcel *before)
{
    struct domain *d = before->domain;
    if (!d->local || d->ahead != NULL || before->batch.end || d->held.count > 0 || d->broken ||
        d->courier->closing)
        return;
    struct parcel *p = parcel_new(d);
    if (p == NULL)
        return; /* it is read in its turn */
    p->batch.after = before->batch.last;
    if (err_is_ok(drain_start_read(p)))
        d->ahead = p;
    else
        parcel_free(p);
}

void ahead_discard(struct domain *d)
{
    struct parcel *p = d->ahead;
    d->ahead = NULL;
    if (p == NULL)
        return;
    if (p->checked)
        parcel_free(p);
    else
        p->discarded = true;
}

bool ahead_give_up(struct parcel *p)
{
    if (p->domain->ahead == p)
        p->domain->ahead = NULL;
    else if (!p->discarded)
        return false;
    parcel_free(p);
    return true;
}

bool ahead_take(struct domain *d)
{
    struct parcel *p = d->ahead;
    if (p == NULL || p->batch.after != d->cursor) {
        ahead_discard(d);
        return false;
    }
    d->ahead = NULL;
    d->under_way = p;
    if (p->checked) {
        d->courier->under_way++;
        ahead_start(p);
        route_append(p);
    }
    return true;
}

void ahead_checked(void *parcel, struct err result)
{
    struct parcel *p = parcel;
    struct domain *d = p->domain;
    struct courier *c = p->courier;
    p->checked = err_is_ok(result);
    if (!p->checked)
        p->accept = NULL;
    if (d->under_way == p && p->checked && !c->closing) {
        ahead_start(p);
        route_append(p); /* p's answer gives back what is under way */
    } else if (d->under_way == p) {
        drain_answered(p, p->checked ? ERR(CANCELLED) : result, NULL);
    } else { /* ahead: its turn comes, or not */
        courier_back(c);
        if (p->discarded || !p->checked)
            (void)ahead_give_up(p);
        courier_leave(c);
    }
}
