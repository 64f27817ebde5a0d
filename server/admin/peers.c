/* Peers: those of the configuration. Nothing is exchanged with them yet, and the answer says so;
 * SetPeer comes with federation (UNIMPLEMENTED). */
#include "server/admin/inside.h"

static void add_peer(void *to, const char *domain, size_t len)
{
    struct admin_list *l = to;
    Hearth__V1__Peer *peer = hearth_call_alloc(l->call, sizeof *peer);
    if (peer == NULL)
        return;
    hearth__v1__peer__init(peer);
    peer->domain = hearth_call_printf(l->call, "%.*s", (int)len, domain);
    if (peer->domain != NULL)
        admin_list_add(l, peer);
}

ADMIN_HANDLER(list_peers, ListPeers)
{
    struct admin *admin = self;
    struct admin_list peers = {.call = call};
    char mode[ADMIN_MODE_BYTES] = "";
    (void)in;
    if (admin->verbs.peers == NULL)
        return HEARTH_UNIMPLEMENTED;
    admin->verbs.peers(admin->verbs.self, add_peer, &peers, mode);
    out->peers = (Hearth__V1__Peer **)(void *)peers.at;
    out->n_peers = peers.count;
    out->mode = hearth_call_printf(call, "%s", mode);
    return HEARTH_OK;
}
