#include "client/core/link.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/core/device_add.h"
#include "client/core/link_inside.h"
#include "hearth/v1/relay_rpc.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { LINK_MS = 600000, LOOK_MS = 200, LOOKS_MOST = 150 };

/* ---- the end */

static void linking_free(struct linking *l)
{
    hearth_timer_free(l->soon);
    link_seal_clear(&l->seal);
    buf_clear(&l->out);
    buf_clear(&l->user_id);
    buf_clear(&l->client_id);
    sig_key_clear(&l->client_key);
    sig_key_clear(&l->queue_client_key);
    buf_clear(&l->queue_auth_key);
    buf_clear(&l->queue_key);
    buf_clear(&l->request);
    buf_clear(&l->tbs);
    buf_clear(&l->new_key);
    buf_clear(&l->credential);
    buf_clear(&l->signing);
    bytes_wipe(l, sizeof *l);
    free(l);
}

/* Who still has the call is freed by on_done. */
static void linking_drop(struct linking *l)
{
    struct core *c = l->core;
    if (c->linking == l)
        c->linking = NULL;
    l->over = true;
    if (l->call == NULL)
        linking_free(l);
}

void link_end(struct linking *l, const struct hearth_error *error)
{
    static const struct hearth_error fine;
    struct hearth_op *op = l->op;
    l->op = NULL;
    if (l->over)
        return;
    op_end(op, error != NULL ? error : &fine);
    l->over = true;
    if (l->core->linking == l)
        l->core->linking = NULL;
    if (error != NULL && l->call != NULL)
        hearth_client_call_cancel(l->call);
}

static void end_err(struct linking *l, struct err err)
{
    struct hearth_error error;
    core_error_of(err, &error);
    link_end(l, &error);
}

void link_stop(struct core *c)
{
    struct linking *l = c->linking;
    if (l == NULL)
        return;
    l->op = NULL;
    if (l->call != NULL)
        hearth_client_call_cancel(l->call);
    linking_drop(l);
}

/* ---- saying */

static int write_message(struct linking *l, struct bytes sealed)
{
    Hearth__V1__ProvisionClientRequest by_new = HEARTH__V1__PROVISION_CLIENT_REQUEST__INIT;
    Hearth__V1__LinkClientRequest by_old = HEARTH__V1__LINK_CLIENT_REQUEST__INIT;
    by_new.step_case = HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_SEALED;
    by_new.sealed = core_out(sealed);
    by_old.step_case = HEARTH__V1__LINK_CLIENT_REQUEST__STEP_SEALED;
    by_old.sealed = core_out(sealed);
    return hearth_client_call_write(l->call, l->is_new ? &by_new.base : &by_old.base);
}

static int write_rendezvous(struct linking *l)
{
    Hearth__V1__ProvisionClientRequest by_new = HEARTH__V1__PROVISION_CLIENT_REQUEST__INIT;
    Hearth__V1__LinkClientRequest by_old = HEARTH__V1__LINK_CLIENT_REQUEST__INIT;
    struct bytes place = bytes_of(l->seal.rendezvous, sizeof l->seal.rendezvous);
    by_new.step_case = HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_RENDEZVOUS;
    by_new.rendezvous = core_out(place);
    by_old.step_case = HEARTH__V1__LINK_CLIENT_REQUEST__STEP_RENDEZVOUS;
    by_old.rendezvous = core_out(place);
    return hearth_client_call_write(l->call, l->is_new ? &by_new.base : &by_old.base);
}

/* As many pieces as the stream takes now. */
static struct err pump(struct linking *l)
{
    bool more = true;
    while (l->sending && more) {
        struct buf piece = BUF_INIT;
        size_t taken = 0;
        struct err err = link_piece_seal(&l->seal, buf_view(&l->out), &piece, &taken);
        if (err_is_ok(err)) {
            more = write_message(l, buf_view(&piece)) > 0;
            buf_drop_front(&l->out, taken);
            l->sending = l->out.len > 0;
        }
        buf_clear(&piece);
        TRY(err);
    }
    if (!l->sending && l->said_last)
        hearth_client_call_half_close(l->call);
    return ERR_OK;
}

struct err link_say(struct linking *l, enum link_letter kind, struct bytes body)
{
    wire_write_u8(&l->out, (uint8_t)kind);
    buf_append_bytes(&l->out, body);
    TRY(buf_check(&l->out));
    l->sending = true;
    return pump(l);
}

void link_close(struct linking *l)
{
    l->said_last = true;
    if (!l->sending)
        hearth_client_call_half_close(l->call);
}

/* ---- hearing */

static struct err hear_keys(struct linking *l, struct bytes message)
{
    struct buf enc = BUF_INIT;
    if (l->is_new)
        return link_enc_read(&l->seal, message);
    struct err err = link_hello_read(&l->seal, l->core->rng, message, &enc);
    if (err_is_ok(err)) {
        (void)write_message(l, buf_view(&enc));
        err = link_old_begins(l);
    }
    buf_clear(&enc);
    return err;
}

static struct err hear_letter(struct linking *l, struct bytes message)
{
    bool whole = false;
    struct buf letter = BUF_INIT;
    TRY(link_piece_open(&l->seal, message, &whole));
    if (!whole)
        return ERR_OK;
    letter = l->seal.letter;
    l->seal.letter = (struct buf){.limit = LINK_LETTER_MAX_BYTES};
    struct err err = ERR(CLIENT_LINK);
    if (letter.len > 0 && letter.data[0] == l->expected) {
        struct bytes body = bytes_of(letter.data + 1, letter.len - 1);
        err = l->is_new ? link_new_hears(l, body) : link_old_hears(l, body);
    }
    buf_clear(&letter);
    return err;
}

static struct err hear(struct linking *l, struct bytes message)
{
    struct buf hello = BUF_INIT;
    if (!l->met) { /* the relay says that the other one is there */
        l->met = true;
        if (message.len != 0)
            return ERR(CLIENT_LINK);
        if (!l->is_new)
            return ERR_OK;
        struct err err = link_hello_write(&l->seal, &hello);
        if (err_is_ok(err))
            (void)write_message(l, buf_view(&hello));
        buf_clear(&hello);
        return err;
    }
    return l->seal.ready ? hear_letter(l, message) : hear_keys(l, message);
}

/* The relay has our place: not before may the code be seen, for whoever joins earlier finds nobody.
 */
static void on_headers(struct hearth_client_call *call, void *arg)
{
    struct linking *l = arg;
    (void)call;
    if (!l->over && l->is_new && !hearth_timer_set(l->soon, 0))
        end_err(l, ERR(NO_MEMORY));
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct linking *l = arg;
    (void)call;
    if (l->over)
        return;
    struct bytes message =
        l->is_new
            ? core_in(((const Hearth__V1__ProvisionClientResponse *)(const void *)item)->sealed)
            : core_in(((const Hearth__V1__LinkClientResponse *)(const void *)item)->sealed);
    struct err err = hear(l, message);
    if (!err_is_ok(err))
        end_err(l, err);
}

static void on_writable(struct hearth_client_call *call, void *arg)
{
    struct linking *l = arg;
    (void)call;
    if (l->over && !l->sending)
        return;
    struct err err = pump(l);
    if (!err_is_ok(err))
        end_err(l, err);
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct linking *l = arg;
    struct hearth_error error;
    (void)call;
    l->call = NULL;
    if (!l->over) {
        if (status->code == HEARTH_OK)
            core_error_of(ERR(CLIENT_LINK), &error);
        else if (status->code == HEARTH_NOT_FOUND && !l->is_new && !l->met)
            core_error_of(ERR(CLIENT_LINK_NOBODY), &error);
        else
            core_error_of_status(status, &error);
        link_end(l, &error);
    }
    linking_drop(l);
}

static const struct hearth_stream_events events = {.on_headers = on_headers,
                                                   .on_message = on_message,
                                                   .on_writable = on_writable,
                                                   .on_done = on_done};

/* ---- beginning */

/* Before its stream is open there is no on_done to free it. */
static void end_now(struct linking *l, struct err err)
{
    bool opened = l->call != NULL;
    end_err(l, err);
    if (!opened)
        linking_drop(l);
}

/* Whoever begins anew does not wait for what is left of the attempt before. */
static void link_give_up(struct core *c)
{
    struct linking *l = c->linking;
    if (l != NULL)
        end_now(l, ERR(CANCELLED));
}

/* From the loop: what steps and verbs left to be done outside of them. */
static struct err open_stream(struct linking *l)
{
    uint8_t purpose[16]; /* the old device signs: not among anonymous calls */
    core_purpose("queue", bytes_of(NULL, 0), purpose);
    const struct api_to to = {.domain = l->domain,
                              .purpose = l->is_new ? NULL : purpose,
                              .caller = l->caller,
                              .deadline_ms = LINK_MS};
    TRY(api_open(l->core->api, &to,
                 api_endpoint("Relay", l->is_new ? "ProvisionClient" : "LinkClient"), &events, l,
                 &l->call));
    (void)write_rendezvous(l);
    return ERR_OK;
}

/* Who adds a device right after another change of the account has not yet seen that in the log. The
 * code is used up by the stream, so this is waited for before. */
static struct err open_when_ready(struct linking *l)
{
    struct err err = link_old_ready(l);
    if (err.code == ERR_CLIENT_LOG_LATER && ++l->looks <= LOOKS_MOST)
        return hearth_timer_set(l->soon, LOOK_MS) ? ERR_OK : ERR(NO_MEMORY);
    l->looks = 0;
    TRY(err);
    return open_stream(l);
}

static void soon(void *arg)
{
    struct linking *l = arg;
    struct err err = ERR_OK;
    if (l->over)
        return;
    if (l->is_new && l->show != NULL)
        l->show(l->code, l->show_arg);
    else if (!l->is_new && l->looks > 0)
        err = open_when_ready(l);
    else if (!l->is_new)
        err = link_old_grants(l);
    if (!err_is_ok(err))
        end_now(l, err);
}

static struct err begin(struct core *c, struct linking *l, const uint8_t code[LINK_CODE_BYTES],
                        struct hearth_op *op)
{
    l->core = c;
    l->out.limit = LINK_LETTER_MAX_BYTES;
    TRY(link_seal_init(&l->seal, l->is_new, code, c->rng));
    l->soon = hearth_timer_new(c->loop, soon, l);
    if (l->soon == NULL)
        return ERR(NO_MEMORY);
    TRY(l->is_new ? open_stream(l) : open_when_ready(l));
    l->op = op;
    c->linking = l;
    return ERR_OK;
}

struct err link_begin(struct core *c, const struct link_new *options, struct hearth_op *op)
{
    uint8_t code[LINK_CODE_BYTES];
    if (c->account.client_key.alg != NULL)
        return ERR(WRONG_STATE);
    link_give_up(c);
    TRY(domain_check(bytes_str(options->domain), true));
    const char *device = options->device != NULL ? options->device : "device";
    if (strlen(device) > DEVICE_NAME_MAX_BYTES)
        return ERR(ARGUMENT);
    TRY(rng_fill(c->rng, code, sizeof code));
    struct linking *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR(NO_MEMORY);
    l->is_new = true;
    l->expected = LETTER_OFFER;
    l->show = options->show;
    l->show_arg = options->arg;
    (void)snprintf(l->device, sizeof l->device, "%s", device);
    (void)snprintf(l->domain, sizeof l->domain, "%s", options->domain);
    link_code_text(code, l->code);
    struct err err = begin(c, l, code, op);
    bytes_wipe(code, sizeof code);
    if (!err_is_ok(err))
        linking_free(l);
    return err;
}

struct err link_accept(struct core *c, const char *text, struct hearth_op *op)
{
    uint8_t code[LINK_CODE_BYTES];
    const struct user_secrets *user = &c->account.user;
    if (!c->account.registered)
        return ERR(WRONG_STATE);
    TRY(link_code_read(text, code));
    link_give_up(c);
    struct linking *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR(NO_MEMORY);
    l->expected = LETTER_REQUEST;
    (void)snprintf(l->domain, sizeof l->domain, "%s", c->account.domain);
    l->caller = (struct api_caller){.kind = REQUEST_QUEUE_USER,
                                    .id = bytes_of(user->queue_user_id, UUID_BYTES),
                                    .key = &user->queue_user_key};
    struct err err = begin(c, l, code, op);
    bytes_wipe(code, sizeof code);
    if (!err_is_ok(err))
        linking_free(l);
    return err;
}

/* ---- from the task */

void link_granted(struct core *c, uint64_t task, struct bytes credential, struct bytes signing,
                  const uint8_t queue_client_id[UUID_BYTES])
{
    struct linking *l = c->linking;
    if (l == NULL || l->is_new || l->task != task)
        return;
    buf_clear(&l->credential);
    buf_clear(&l->signing);
    buf_append_bytes(&l->credential, credential);
    buf_append_bytes(&l->signing, signing);
    memcpy(l->queue_client_id, queue_client_id, sizeof l->queue_client_id);
    (void)hearth_timer_set(l->soon, 0);
}

void link_not_granted(struct core *c, uint64_t task, const struct hearth_error *error)
{
    struct linking *l = c->linking;
    if (l == NULL || l->is_new || l->task != task)
        return;
    l->failed = *error;
    (void)hearth_timer_set(l->soon, 0);
}
