/* Peers: what is known of them, and what waits for them. Whom we speak with stands in the
 * configuration: [federation] and a reload, so SetPeer changes no rule (UNIMPLEMENTED). */
#include <string.h>

#include "server/admin/inside.h"

enum { ROOT_BYTES = 32 };

/* Empty without memory: the operator sees that nothing is there. */
static ProtobufCBinaryData copy(struct hearth_call *call, struct bytes in)
{
    uint8_t *at = in.len > 0 ? hearth_call_alloc(call, in.len) : NULL;
    if (at == NULL)
        return (ProtobufCBinaryData){0};
    memcpy(at, in.data, in.len);
    return (ProtobufCBinaryData){in.len, at};
}

static void add_peer(void *to, const struct admin_peer *p)
{
    struct admin_list *l = to;
    Hearth__V1__Peer *peer = hearth_call_alloc(l->call, sizeof *peer);
    if (peer == NULL)
        return;
    hearth__v1__peer__init(peer);
    peer->domain =
        hearth_call_printf(l->call, "%.*s", (int)p->domain.len, (const char *)p->domain.data);
    peer->last_error = hearth_call_printf(l->call, "%s", p->why);
    peer->key_error = hearth_call_printf(l->call, "%s", p->key_why);
    peer->log_error = hearth_call_printf(l->call, "%s", p->log_why);
    if (peer->domain == NULL || peer->last_error == NULL || peer->key_error == NULL ||
        peer->log_error == NULL)
        return;
    peer->rule = (Hearth__V1__PeerRule)p->rule;
    peer->admitted = p->admitted;
    peer->root = copy(l->call, p->root);
    peer->other_root = copy(l->call, p->other_root);
    peer->log_size = p->log_size;
    peer->log_evidence = copy(l->call, p->log_evidence);
    peer->reached = p->reached;
    peer->heard = p->heard;
    peer->backlog_rows = p->rows;
    peer->backlog_bytes = p->bytes;
    peer->failures = p->failures;
    peer->next_attempt_s = p->next_attempt_s;
    peer->banned_s = p->banned_s;
    peer->key_days = p->key_days;
    peer->unreachable_h = p->unreachable_h;
    admin_list_add(l, peer);
}

ADMIN_HANDLER(list_peers, ListPeers)
{
    struct admin *admin = self;
    struct admin_list peers = {.call = call};
    char mode[ADMIN_MODE_BYTES] = "";
    if (admin->verbs.peers == NULL)
        return HEARTH_UNIMPLEMENTED;
    admin->verbs.peers(admin->verbs.self, bytes_str(in->domain), add_peer, &peers, mode);
    out->peers = (Hearth__V1__Peer **)(void *)peers.at;
    out->n_peers = peers.count;
    out->mode = hearth_call_printf(call, "%s", mode);
    out->served = true;
    return HEARTH_OK;
}

ADMIN_HANDLER(set_peer, SetPeer)
{
    struct admin *admin = self;
    struct bytes domain = bytes_str(in->domain);
    struct err err = ERR_OK;
    (void)out;
    if (in->rule != HEARTH__V1__PEER_RULE__PEER_RULE_UNSPECIFIED ||
        admin->verbs.peer_retry == NULL || admin->verbs.peer_drop == NULL)
        return HEARTH_UNIMPLEMENTED;
    if (in->accept_root.len != 0 && admin->verbs.peer_accept == NULL)
        return HEARTH_UNIMPLEMENTED;
    if (in->accept_root.len != 0)
        err = in->accept_root.len == ROOT_BYTES
                  ? admin->verbs.peer_accept(admin->verbs.self, domain, in->accept_root.data)
                  : ERR(ARGUMENT);
    if (err_is_ok(err) && in->drop_backlog)
        err = admin->verbs.peer_drop(admin->verbs.self, domain);
    if (err_is_ok(err) && in->retry_now)
        err = admin->verbs.peer_retry(admin->verbs.self, domain);
    return err_is_ok(err) ? HEARTH_OK : admin_fail(call, err);
}
