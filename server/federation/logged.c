/* Are the keys that a peer shows us those that it shows everybody? Its log says (transparency.md 4,
 * 8): the newest versions of the labels "federation" and, of who gives vouchers, "token-keys", and
 * what that was before (vouchers.c). A peer without a log is taken at its word; one whose log was
 * seen once (logs.c) can't stop having it, nor go back in it. */
#include <stdlib.h>

#include "hearth/v1/transparency_rpc.h"
#include "seal/server_key.h"
#include "seal/system_keys.h"
#include "server/federation/inside.h"
#include "tlog/verify.h"

struct logged {
    struct peer *peer; /* held by who asks */
    struct hearth_channel *channel;
    struct told_keys *told;
    Hearth__V1__KeyUse use; /* whose label is asked for */
    struct buf label;       /* that */
    struct voucher_past past;
    uint64_t at_ms; /* the moment that is asked for of it */
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

static uint64_t now_s(const struct logged *l)
{
    return clock_unix_ms(l->peer->federation->env->clock) / 1000;
}

static struct err judge_federation(const struct logged *l, struct bytes value)
{
    const struct system_key key = {HEARTH__V1__KEY_USE__KEY_USE_FEDERATION, SERVER_KEY_ED25519,
                                   public_key_view(&l->told->key)};
    return system_keys_find(value, &key);
}

static struct err judge(struct logged *l, struct bytes response)
{
    const struct kt_query query = query_of(l);
    struct kt_result *result = calloc(1, sizeof *result);
    if (result == NULL)
        return ERR(NO_MEMORY);
    struct err err = kt_verify_search(&l->view, &query, response, result);
    const bool exists = err_is_ok(err) && result->known.exists;
    const struct bytes value = exists ? result->value : bytes_of(NULL, 0);
    if (err_is_ok(err) && l->use == HEARTH__V1__KEY_USE__KEY_USE_TOKENS)
        vouchers_in_newest(&l->told->vouchers, value, now_s(l));
    else if (err_is_ok(err))
        err = exists ? judge_federation(l, value) : ERR(NOT_FOUND);
    free(result);
    return err;
}

static void keep_view(struct logged *l)
{
    if (!l->keeps)
        return;
    federation_lock(l->peer->federation);
    peer_log_keep(l->peer, &l->view, l->forgotten);
    federation_unlock(l->peer->federation);
}

/* ---- vouchers */

static void end_vouchers(struct logged *l, struct err err)
{
    struct voucher_keys *keys = &l->told->vouchers;
    if (err_class_of(err) == ERR_CLASS_PEER || err_class_of(err) == ERR_CLASS_CALLER) {
        keys->count = 0; /* it shows no log that holds */
        keys->refused = true;
    }
    if (keys->refused)
        front_log(l->peer->federation->env->front, "level=warn event=peer_voucher_key_not_in_log");
    end(l, ERR_OK, NULL);
}

static void ask_sight(struct logged *l);

static void on_sight(const struct hearth_status *status, const Hearth__V1__MonitorResponse *out,
                     void *arg)
{
    struct logged *l = arg;
    struct kt_sight sight;
    (void)status;
    if (out == NULL) { /* the rest stays pending */
        end_vouchers(l, ERR_OK);
        return;
    }
    struct err err = kt_verify_sight(&l->view, buf_view(&l->label), l->at_ms,
                                     bytes_of(out->monitor.data, out->monitor.len), &sight);
    if (!err_is_ok(err)) {
        end_vouchers(l, err);
        return;
    }
    vouchers_seen(&l->told->vouchers, &l->past, &sight, l->view.last_ms / 1000);
    keep_view(l);
    ask_sight(l);
}

static void ask_sight(struct logged *l)
{
    const struct hearth_call_options options = {.deadline_ms = KEYS_MS, .no_retry = true};
    Hearth__V1__MonitorRequest in = HEARTH__V1__MONITOR_REQUEST__INIT;
    struct buf request = BUF_INIT;
    uint64_t at_s;
    if (!vouchers_ask(&l->told->vouchers, &l->past, now_s(l), &at_s)) {
        end_vouchers(l, ERR_OK);
        return;
    }
    l->at_ms = at_s * 1000;
    struct err err = kt_sight_request(&request, &l->view, buf_view(&l->label), l->at_ms);
    in.monitor = (ProtobufCBinaryData){request.len, request.data};
    const bool asked =
        err_is_ok(err) && l->peer->channel == l->channel &&
        hearth_transparency_monitor_start(l->channel, &options, &in, on_sight, l) != NULL;
    buf_clear(&request);
    if (!asked)
        end_vouchers(l, ERR_OK);
}

/* ---- the newest version */

static void look_up(struct logged *l);

static void look_for_vouchers(struct logged *l)
{
    if (l->told->vouchers.count == 0) {
        end(l, ERR_OK, NULL);
        return;
    }
    federation_lock(l->peer->federation);
    vouchers_begin(&l->told->vouchers, l->keeps ? l->peer->vouchers : NULL);
    federation_unlock(l->peer->federation);
    l->use = HEARTH__V1__KEY_USE__KEY_USE_TOKENS;
    l->label.len = 0;
    system_label_write(&l->label, system_label_of(l->use));
    look_up(l);
}

static void on_lookup(const struct hearth_status *status, const Hearth__V1__LookupResponse *out,
                      void *arg)
{
    struct logged *l = arg;
    const bool vouchers = l->use == HEARTH__V1__KEY_USE__KEY_USE_TOKENS;
    if (out == NULL && vouchers) {
        end_vouchers(l, ERR_OK);
        return;
    }
    if (out == NULL) {
        end_status(l, status);
        return;
    }
    struct err err = judge(l, bytes_of(out->search.data, out->search.len));
    if (err_is_ok(err))
        keep_view(l);
    if (vouchers && err_is_ok(err)) {
        l->past.window_s = l->view.config.window_ms / 1000;
        ask_sight(l);
    } else if (vouchers) {
        end_vouchers(l, err);
    } else if (err_is_ok(err)) {
        look_for_vouchers(l);
    } else {
        if (err.code != ERR_NO_MEMORY)
            front_log(l->peer->federation->env->front, "level=warn event=peer_key_not_in_log");
        end(l, err, "its key is not to be found in its log");
    }
}

/* From inside the answer before: somebody may have closed the channel meanwhile. */
static void look_up(struct logged *l)
{
    const struct kt_query query = query_of(l);
    const struct hearth_call_options options = {.deadline_ms = KEYS_MS, .no_retry = true};
    Hearth__V1__LookupRequest in = HEARTH__V1__LOOKUP_REQUEST__INIT;
    struct buf request = BUF_INIT;
    struct err err = buf_check(&l->label);
    if (err_is_ok(err))
        err = kt_search_request(&request, &l->view, &query);
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

void logged_check(struct peer *peer, struct hearth_channel *channel, struct told_keys *told,
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
    *l = (struct logged){.peer = peer,
                         .channel = channel,
                         .told = told,
                         .use = HEARTH__V1__KEY_USE__KEY_USE_FEDERATION,
                         .done = done,
                         .arg = arg};
    system_label_write(&l->label, system_label_of(l->use));
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
