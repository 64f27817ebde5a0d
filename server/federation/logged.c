/* Is the key that a peer shows us the one that it shows everybody? Its log says (transparency.md 4,
 * 8): the newest version of the label "federation". A peer without a log is taken at its word; one
 * whose log was seen once (logs.c) can't stop having it, nor go back in it. */
#include <stdlib.h>

#include "hearth/v1/transparency_rpc.h"
#include "seal/server_key.h"
#include "seal/system_keys.h"
#include "server/federation/inside.h"
#include "tlog/verify.h"

struct logged {
    struct peer *peer; /* held by who asks */
    struct hearth_channel *channel;
    const struct told_keys *told;
    struct buf label;
    struct kt_view view;
    unsigned forgotten; /* as peer_log_forgotten() when it began */
    bool keeps;         /* these are the peer's own keys: what is seen of its log is kept */
    void (*done)(void *arg, struct err err, const char *text);
    void *arg;
};

static void end(struct logged *l, struct err err, const char *text)
{
    void (*done)(void *, struct err, const char *) = l->done;
    void *arg = l->arg;
    buf_clear(&l->label);
    free(l);
    done(arg, err, text);
}

static void end_status(struct logged *l, const struct hearth_status *status)
{
    if (is_unreached(status->code) && !l->peer->federation->stopped)
        peer_unreach(l->peer, l->channel);
    end(l, ERR(FEDERATION_NO_KEYS), status->message);
}

static struct kt_query query_of(const struct logged *l)
{
    return (struct kt_query){.label = buf_view(&l->label),
                             .now_ms = clock_unix_ms(l->peer->federation->env->clock),
                             .opaque_value = true};
}

static struct err judge(struct logged *l, struct bytes response)
{
    const struct kt_query query = query_of(l);
    const struct system_key key = {HEARTH__V1__KEY_USE__KEY_USE_FEDERATION, SERVER_KEY_ED25519,
                                   public_key_view(&l->told->key)};
    struct kt_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return ERR(NO_MEMORY);
    struct err err = kt_verify_search(&l->view, &query, response, result);
    if (err_is_ok(err))
        err = result->known.exists ? system_keys_find(result->value, &key) : ERR(NOT_FOUND);
    free(result);
    return err;
}

static void on_lookup(const struct hearth_status *status, const Hearth__V1__LookupResponse *out,
                      void *arg)
{
    struct logged *l = arg;
    struct federation *f = l->peer->federation;
    if (out == NULL) {
        end_status(l, status);
        return;
    }
    struct err err = judge(l, bytes_of(out->search.data, out->search.len));
    if (err_is_ok(err) && l->keeps) {
        federation_lock(f);
        peer_log_keep(l->peer, &l->view, l->forgotten);
        federation_unlock(f);
    }
    if (!err_is_ok(err) && err.code != ERR_NO_MEMORY)
        front_log(f->env->front, "level=warn event=peer_key_not_in_log");
    end(l, err, err_is_ok(err) ? NULL : "its key is not to be found in its log");
}

/* From inside the answer before: somebody may have closed the channel meanwhile. */
static void look_up(struct logged *l)
{
    const struct kt_query query = query_of(l);
    const struct hearth_call_options options = {.deadline_ms = KEYS_MS, .no_retry = true};
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    struct buf request = BUF_INIT;
    struct err err = kt_search_request(&request, &l->view, &query);
    if (err_is_ok(err) && l->peer->channel != l->channel)
        err = ERR(CANCELLED);
    in.search = (ProtobufCBinaryData){request.len, request.data};
    if (err_is_ok(err) &&
        hearth_transparency_lookup_start(l->channel, &options, &in, on_lookup, l) == NULL)
        err = ERR(NO_MEMORY);
    buf_clear(&request);
    if (!err_is_ok(err))
        end(l, err, NULL);
}

static void on_tile(const struct hearth_status *status, const Hearth__V1__GetTileResponse *out,
                    void *arg)
{
    struct logged *l = arg;
    if (out == NULL && status->code == HEARTH_UNIMPLEMENTED) {
        end(l, ERR_OK, NULL);
        return;
    }
    if (out == NULL) {
        end_status(l, status);
        return;
    }
    struct err err = peer_log_config(l->peer, bytes_of(out->tile.data, out->tile.len), &l->view);
    if (err_is_ok(err))
        look_up(l);
    else
        end(l, err, "its log has no configuration");
}

void logged_check(struct peer *peer, struct hearth_channel *channel, const struct told_keys *told,
                  void (*done)(void *arg, struct err err, const char *text), void *arg)
{
    struct federation *f = peer->federation;
    const struct hearth_call_options options = {.deadline_ms = KEYS_MS, .no_retry = true};
    Hearth__V1__GetTileRequest in = HEARTH__V1__GET_TILE_REQUEST__INIT;
    struct logged *l = calloc(1, sizeof *l);
    if (l == NULL) {
        done(arg, ERR(NO_MEMORY), NULL);
        return;
    }
    *l = (struct logged){.peer = peer, .channel = channel, .told = told, .done = done, .arg = arg};
    system_label_write(&l->label, system_label_of(HEARTH__V1__KEY_USE__KEY_USE_FEDERATION));
    federation_lock(f);
    l->keeps = !peer->pinned || memcmp(peer->pin, told->root, sizeof peer->pin) == 0;
    l->forgotten = peer_log_forgotten(peer);
    bool known = l->keeps && peer->log != NULL && peer->log->has_view;
    if (known)
        l->view = peer->log->view;
    federation_unlock(f);
    in.width = 1;
    in.entries = true;
    struct err err = buf_check(&l->label);
    if (err_is_ok(err) && known) {
        look_up(l);
        return;
    }
    if (err_is_ok(err) &&
        hearth_transparency_get_tile_start(channel, &options, &in, on_tile, l) == NULL)
        err = ERR(NO_MEMORY);
    if (!err_is_ok(err))
        end(l, err, NULL);
}
