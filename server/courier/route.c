/* Which way rows go: our own queue service, or a peer. */
#include "server/courier/inside.h"

static struct err send_local(struct parcel *p)
{
    struct courier *c = p->courier;
    for (size_t i = 0; i < p->sent; i++) {
        const struct batch_row *row = &p->batch.rows[p->index[i]];
        p->local[i] = (struct queue_row){.sealed_ref = batch_ref(&p->batch, row),
                                         .payload = batch_body(&p->batch, row),
                                         .sequence = row->number,
                                         .notify = row->notify,
                                         .quiet = row->quiet,
                                         .control = row->control};
    }
    return queue_accept_check(c->options.queue, bytes_str(c->env->domain), p->local, p->sent,
                              c->inbox, ahead_checked, p, &p->accept);
}

void route_append(struct parcel *p)
{
    struct accept *accept = p->accept;
    p->accept = NULL;
    p->checked = false;
    queue_accept_append(accept, drain_answered, p);
}

static struct err send_peer(struct parcel *p)
{
    struct courier *c = p->courier;
    for (size_t i = 0; i < p->sent; i++) {
        const struct batch_row *row = &p->batch.rows[p->index[i]];
        p->rows[i] = (struct courier_batch_row){.sealed_ref = batch_ref(&p->batch, row),
                                                .payload = batch_body(&p->batch, row),
                                                .sequence = row->number,
                                                .notify = row->notify,
                                                .quiet = row->quiet,
                                                .control = row->control,
                                                .payload_id = row->payload};
    }
    return c->options.peers.deliver(c->options.peers.self,
                                    bytes_of(p->domain->name, p->domain->name_len), p->rows,
                                    p->sent, c->inbox, drain_answered, p);
}

/* There is no federation, or the name was damaged: nobody can take them, ever. */
static struct err refuse(struct parcel *p)
{
    for (size_t i = 0; i < p->sent; i++)
        p->refused[i] = QUEUE_REFUSED;
    drain_answered(p, ERR_OK, p->refused);
    return ERR_OK;
}

struct err route_send(struct parcel *p)
{
    if (p->domain->local)
        return send_local(p);
    bool reachable = p->courier->options.peers.deliver != NULL && p->domain->name_len > 0;
    return reachable ? send_peer(p) : refuse(p);
}
