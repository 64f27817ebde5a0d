/* Finding the pre-shared keys that a commit or Welcome names (RFC 9420 8.4). */
#include <stdlib.h>

#include "mls/member/group_state.h"
#include "mls/member/psk.h"

struct psk_bag {
    size_t count, room;
    struct buf *keys; /* room of them; wiped when freed */
    struct psk_input inputs[];
};

struct err psk_bag_new(size_t room, struct psk_bag **ret_bag)
{
    if (room > MLS_MAX_PSKS)
        return ERR(WIRE_LIMIT);
    struct psk_bag *bag = calloc(1, sizeof *bag + room * sizeof *bag->inputs);
    if (bag == NULL)
        return ERR(NO_MEMORY);
    bag->keys = calloc(room + 1, sizeof *bag->keys);
    if (bag->keys == NULL) {
        free(bag);
        return ERR(NO_MEMORY);
    }
    bag->room = room;
    *ret_bag = bag;
    return ERR_OK;
}

void psk_bag_free(struct psk_bag *bag)
{
    if (bag == NULL)
        return;
    for (size_t i = 0; i < bag->room; i++)
        buf_clear(&bag->keys[i]);
    free(bag->keys);
    free(bag);
}

static struct err find_resumption(const struct mls_client *client, const struct mls_group *g,
                                  const struct psk_id *id, struct secret *ret_psk)
{
    if (g != NULL && bytes_equal(id->group_id, g->public.context.group_id) &&
        err_is_ok(group_resumption_psk(g, id->epoch, ret_psk)))
        return ERR_OK;
    if (client->ops == NULL || client->ops->resumption == NULL)
        return ERR(MLS_PSK_UNKNOWN);
    return client->ops->resumption(client->self, id->group_id, id->epoch, ret_psk);
}

static struct err find(const struct mls_client *client, const struct mls_group *g,
                       const struct psk_id *id, struct buf *psk)
{
    if (id->type == PSK_RESUMPTION) {
        struct secret secret = {0};
        TRY(find_resumption(client, g, id, &secret));
        buf_append_bytes(psk, secret_view(&secret));
        secret_clear(&secret);
        return buf_check(psk);
    }
    if (client->ops == NULL || client->ops->psk == NULL)
        return ERR(MLS_PSK_UNKNOWN);
    TRY(client->ops->psk(client->self, id->id, psk));
    return buf_check(psk);
}

struct err psk_bag_add(struct psk_bag *bag, const struct mls_client *client,
                       const struct mls_group *g, const struct psk_id *id, struct bytes encoded)
{
    if (bag->count == bag->room)
        return ERR(WIRE_LIMIT);
    struct buf *key = &bag->keys[bag->count];
    TRY(find(client, g, id, key));
    bag->inputs[bag->count++] = (struct psk_input){.id = encoded, .psk = buf_view(key)};
    return ERR_OK;
}

struct err psk_bag_secret(const struct psk_bag *bag, const struct suite *suite,
                          struct secret *ret_secret)
{
    return psk_secret_derive(suite, bag->inputs, bag->count, ret_secret);
}

struct err psk_secret_of_staged(const struct mls_group *g, const struct mls_client *client,
                                const struct staged_commit *s, struct secret *ret_secret)
{
    enum { TYPE_BYTES = 2 }; /* ProposalType, before the PreSharedKeyID */
    size_t count = 0;
    for (size_t i = 0; i < s->list_count; i++)
        count += s->list[i].proposal->type == PROPOSAL_PSK;
    struct psk_bag *bag;
    TRY(psk_bag_new(count, &bag));
    struct err err = ERR_OK;
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type != PROPOSAL_PSK)
            continue;
        TRY_OR(psk_bag_add(bag, client, g, &p->psk,
                           bytes_of(p->raw.data + TYPE_BYTES, p->raw.len - TYPE_BYTES)),
               err, out);
    }
    err = psk_bag_secret(bag, s->group->suite, ret_secret);
out:
    psk_bag_free(bag);
    return err;
}
