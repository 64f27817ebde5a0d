/* The part of accepting that needs no write: it runs on the reader threads, so that HPKE and
 * Ed25519 don't hold up the one writer. */
#include "server/front/limit.h"
#include "server/queue/accept.h"

/* The client of a reference, kept while the next reference names the same. */
struct found {
    bool valid;
    struct queue_client client;
};

static void print_of(const struct queue *q, const struct queue_ref *ref,
                     uint8_t ret_print[QUEUE_PRF_BYTES])
{
    queue_prf(q, "reference", bytes_of(ref->tag, sizeof ref->tag),
              ref->has_push_token_key ? bytes_of(ref->push_token_key, sizeof ref->push_token_key)
                                      : bytes_of(NULL, 0),
              ret_print);
}

/* Remembers where to push. No memory: nobody is pushed, the item is there all the
 * same. */
static struct accept_push *push_of(struct accept *a, const struct queue_client *client,
                                   const struct queue_ref *ref)
{
    if (a->vouching || a->q->options.notify == NULL || !ref->has_push_token_key ||
        client->push_token_len == 0 ||
        client->policy == HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_NONE)
        return NULL;
    struct accept_push *push = calloc(1, sizeof *push);
    if (push == NULL)
        return NULL;
    memcpy(push->token, client->push_token, client->push_token_len);
    push->token_len = client->push_token_len;
    memcpy(push->key, ref->push_token_key, sizeof push->key);
    push->always = client->policy != HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_MARKED;
    push->next = a->pushes;
    a->pushes = push;
    return push;
}

static struct err find_client(struct store_txn *txn, const struct accept *a,
                              const struct queue_ref *ref, struct found *found)
{
    struct bytes id = bytes_of(ref->queue_client_id, sizeof ref->queue_client_id);
    if (found->valid && bytes_equal(id, bytes_of(found->client.id, sizeof found->client.id)))
        return ERR_OK;
    found->valid = false;
    TRY(queue_client_by_id(txn, a->q, id, &found->client));
    found->valid = true;
    return ERR_OK;
}

static struct err check_row(struct store_txn *txn, struct accept *a, struct accept_row *row,
                            const struct queue_ref *ref, struct found *found)
{
    struct err err = find_client(txn, a, ref, found);
    if (err.code == ERR_NOT_FOUND) {
        row->outcome = QUEUE_GONE;
        return ERR_OK;
    }
    TRY(err);
    const struct queue_client *client = &found->client;
    uint8_t id[QUEUE_PRF_BYTES], print[QUEUE_PRF_BYTES];
    queue_tag_id(a->q, bytes_of(client->id, sizeof client->id), bytes_of(ref->tag, sizeof ref->tag),
                 id);
    print_of(a->q, ref, print);
    TRY(queue_tag_get(txn, a->q, client->row, id, &row->tag));
    bool known = row->tag.used && bytes_equal_ct(bytes_of(print, sizeof print),
                                                 bytes_of(row->tag.print, sizeof print));
    if (!known) {
        err = queue_ref_verify(ref, bytes_of(client->auth_key, client->auth_key_len));
        if (err.code == ERR_NO_MEMORY)
            return err;
        if (!err_is_ok(err)) {
            row->outcome = QUEUE_REFUSED;
            return ERR_OK;
        }
    }
    row->client = client->row;
    memcpy(row->tag.print, print, sizeof print);
    memcpy(row->raw_tag, ref->tag, sizeof row->raw_tag);
    row->push = push_of(a, client, ref);
    return ERR_OK;
}

static int by_client(const void *left, const void *right)
{
    const struct accept_row *a = left, *b = right;
    if (a->client != b->client)
        return a->client < b->client ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* References of the batch, opened by the keeper in one round trip. */
struct opening {
    struct bytes *sealed;
    struct queue_ref *refs;
    struct err *results;
};

static void opening_clear(struct opening *o, size_t count)
{
    if (o->refs != NULL)
        bytes_wipe(o->refs, count * sizeof *o->refs);
    free(o->sealed);
    free(o->refs);
    free(o->results);
}

static struct err check_rows(struct store_txn *txn, struct accept *a, const struct opening *o)
{
    struct found found = {0};
    struct err err = ERR_OK;
    for (size_t i = 0; i < a->count && err_is_ok(err); i++) {
        enum err_class class = err_class_of(o->results[i]);
        if (err_is_ok(o->results[i]))
            err = check_row(txn, a, &a->rows[i], &o->refs[i], &found);
        else if (class == ERR_CLASS_OURS || class == ERR_CLASS_LATER)
            err = o->results[i];
        else
            a->rows[i].outcome = QUEUE_REFUSED;
    }
    queue_client_clear(&found.client);
    return err;
}

/* DoS16: one origin's rows for one queue. What came before costs nothing; what is put off holds
 * back all behind it for that queue, so that nothing overtakes. Rows are in the order of their
 * clients.
 */
static void limit_origin(struct accept *a)
{
    uint64_t client = 0;
    bool later = false;
    for (size_t i = 0; i < a->count; i++) {
        struct accept_row *row = &a->rows[i];
        if (row->outcome != 0)
            continue;
        if (row->client != client)
            later = false;
        client = row->client;
        if (row->tag.used && row->in->sequence <= row->tag.last)
            continue;
        uint8_t principal[QUEUE_PRF_BYTES + sizeof client];
        memcpy(principal, a->origin, QUEUE_PRF_BYTES);
        memcpy(principal + QUEUE_PRF_BYTES, &client, sizeof client);
        later = later || !err_is_ok(limit_take(a->q->limits, LIMIT_PEER_QUEUE,
                                               bytes_of(principal, sizeof principal), 1, NULL));
        if (later)
            row->outcome = QUEUE_LATER;
    }
}

struct err accept_check(struct store_txn *txn, struct accept *a)
{
    struct opening o = {.sealed = calloc(a->count, sizeof *o.sealed),
                        .refs = calloc(a->count, sizeof *o.refs),
                        .results = calloc(a->count, sizeof *o.results)};
    struct err err = ERR(NO_MEMORY);
    if (o.sealed == NULL || o.refs == NULL || o.results == NULL)
        goto out;
    for (size_t i = 0; i < a->count; i++)
        o.sealed[i] = a->rows[i].in->sealed_ref;
    TRY_OR(keeper_open_refs(a->q->env->keeper, o.sealed, a->count, o.refs, o.results), err, out);
    err = check_rows(txn, a, &o);
    /* Client rows are random numbers: this order says nothing about the order of the fan-out
     * (ME1, ME3), and it is the order of the keys in the tables. */
    if (err_is_ok(err))
        qsort(a->rows, a->count, sizeof *a->rows, by_client);
    if (err_is_ok(err) && a->foreign)
        limit_origin(a);
out:
    opening_clear(&o, a->count);
    return err;
}
