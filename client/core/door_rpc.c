/* Any unary method, signed by whichever of our keys it asks for, in and out as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/core/chat.h"
#include "client/core/door.h"
#include "client/core/json_message.h"
#include "client/core/token.h"
#include "client/core/token_pay.h"

enum { METHOD_MAX_BYTES = 96 };

struct raw_call {
    struct core *core;
    struct hearth_op *op;
    const struct hearth_id *chat;
    const struct hearth_endpoint *endpoint;
    struct api_to to;
    char domain[DOMAIN_MAX_BYTES + 1];
    uint8_t purpose[16];
    struct buf id;
    struct sig_key key;
    struct api_call *call;
    ProtobufCMessage *in;
    struct buf tokens; /* shown with it; once, since they are gone then */
    void (*answer)(const char *json, void *arg);
    void *arg;
};

static void raw_call_free(struct raw_call *r)
{
    buf_clear(&r->id);
    buf_clear(&r->tokens);
    sig_key_clear(&r->key);
    protobuf_c_message_free_unpacked(r->in, NULL);
    free(r);
}

static void tell(const struct raw_call *r, struct buf *text)
{
    buf_append_bytes(text, bytes_of((const uint8_t *)"", 1));
    if (!text->failed)
        r->answer((const char *)text->data, r->arg);
}

static void done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg);

static struct err start(struct raw_call *r)
{
    r->to.tokens = buf_view(&r->tokens);
    return api_start(r->core->api, &r->to, r->endpoint, r->in, done, r, &r->call);
}

/* ---- paying: what the homeserver asks for, out of the stock, once */

struct taking {
    struct raw_call *call;
    uint8_t class;
    uint32_t wanted, there;
    uint64_t wait_ms;
};

static struct err take(struct core *c, struct db_txn *t, void *arg)
{
    struct taking *k = arg;
    struct raw_call *r = k->call;
    TRY(token_count(c, t, r->domain, k->class, &k->there));
    return token_take(c, t, r->domain, k->class, k->wanted, &r->tokens, &k->wait_ms);
}

/* Is the call made again, with tokens? If not, *error says why. */
static bool pays(struct raw_call *r, const struct hearth_status *status, struct hearth_error *error)
{
    struct taking k = {.call = r};
    if (r->tokens.len > 0 || status->code != HEARTH_UNAUTHENTICATED ||
        !token_demand(status, &k.class, &k.wanted))
        return false;
    struct err err = core_step(r->core, take, &k);
    if (err_is_ok(err) && r->tokens.len > 0 && err_is_ok(start(r)))
        return true;
    *error = (struct hearth_error){.result = HEARTH_FAILED, .name = "TOKENS"};
    (void)snprintf(error->text, sizeof error->text, "this call costs %u tokens of class %u",
                   k.wanted, k.class);
    (void)snprintf(error->cause, sizeof error->cause, "%u are in stock for %.120s%s", k.there,
                   r->domain, k.wait_ms > 0 ? ", and have to rest for some seconds" : "");
    (void)snprintf(error->hint, sizeof error->hint, "%s",
                   k.wait_ms > 0 ? "try again in a few seconds" : "hearth status shows the stock");
    return false;
}

static void done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct raw_call *r = arg;
    struct hearth_error error = {0};
    struct buf text = BUF_INIT;
    if (status->code != HEARTH_OK) {
        if (pays(r, status, &error))
            return;
        if (error.result == HEARTH_DONE)
            core_error_of_status(status, &error);
    } else {
        struct err err = json_message_write(out, &text);
        if (!err_is_ok(err))
            core_error_of(err, &error);
        else if (r->answer != NULL)
            tell(r, &text);
    }
    buf_clear(&text);
    op_end(r->op, &error);
    raw_call_free(r);
}

/* "hearth.v1.Auth/ListClients", "/hearth.v1.Auth/ListClients" or "Auth/ListClients". */
static const struct hearth_endpoint *find(const char *method)
{
    char text[METHOD_MAX_BYTES];
    if (method == NULL || snprintf(text, sizeof text, "%s", method) >= (int)sizeof text)
        return NULL;
    char *slash = strrchr(text, '/');
    if (slash == NULL || slash == text)
        return NULL;
    *slash = '\0';
    const char *dot = strrchr(text, '.');
    const char *service = dot != NULL ? dot + 1 : text[0] == '/' ? text + 1 : text;
    return api_endpoint(service, slash + 1);
}

static bool takes(const struct raw_call *r, enum request_caller kind)
{
    return (r->endpoint->callers & HEARTH_CALLER_BIT(kind)) != 0;
}

static struct err signed_as(struct raw_call *r, enum request_caller kind, struct bytes id,
                            const struct sig_key *key)
{
    buf_append_bytes(&r->id, id);
    TRY(buf_check(&r->id));
    r->to.caller = (struct api_caller){kind, buf_view(&r->id), &r->key};
    /* a connection of its own: what a tool asks is not to be told from what the account does */
    TRY(rng_fill(r->core->rng, r->purpose, sizeof r->purpose));
    return sig_key_init(key->alg, secret_view(&key->private_key), &r->key);
}

static struct err signed_as_member(struct raw_call *r, struct db_txn *t)
{
    struct open_chat *o;
    struct buf id = BUF_INIT;
    if (r->chat == NULL)
        return ERR(ARGUMENT);
    TRY(chat_open(r->core, t, r->chat, &o));
    if (o->group == NULL)
        return ERR(WRONG_STATE);
    const struct member_id member = {chat_group_id(&o->chat), group_own_leaf(o->group)};
    member_id_write(&id, &member);
    struct err err = buf_check(&id);
    if (err_is_ok(err))
        err = signed_as(r, REQUEST_MEMBER, buf_view(&id), &o->chat.leaf_key);
    struct bytes domain = chat_domain(&o->chat);
    (void)snprintf(r->domain, sizeof r->domain, "%.*s", (int)domain.len, (const char *)domain.data);
    buf_clear(&id);
    return err;
}

static struct err choose_caller(struct core *c, struct db_txn *t, void *arg)
{
    struct raw_call *r = arg;
    const struct account *a = &c->account;
    (void)snprintf(r->domain, sizeof r->domain, "%s", a->domain);
    if (takes(r, REQUEST_CLIENT))
        return signed_as(r, REQUEST_CLIENT, buf_view(&a->client_id), &a->client_key);
    if (takes(r, REQUEST_QUEUE_CLIENT))
        return signed_as(r, REQUEST_QUEUE_CLIENT, bytes_of(a->queue_client_id, UUID_BYTES),
                         &a->queue_client_key);
    if (takes(r, REQUEST_QUEUE_USER))
        return signed_as(r, REQUEST_QUEUE_USER, bytes_of(a->user.queue_user_id, UUID_BYTES),
                         &a->user.queue_user_key);
    if (takes(r, REQUEST_MEMBER))
        return signed_as_member(r, t);
    return ERR_OK;
}

static struct err begin(struct hearth_account *a, struct raw_call *r, const char *json)
{
    static const struct hearth_id nothing;
    char why[128];
    TRY(core_step(a->core, choose_caller, r));
    struct err err = json_message_read(r->endpoint->request, json, why, &r->in);
    if (!err_is_ok(err)) {
        (void)verb_usage(a, why, "the fields stand in docs/protocol");
        return ERR(ARGUMENT);
    }
    r->to.domain = r->domain;
    r->to.purpose = r->to.caller.kind != 0 ? r->purpose : NULL;
    err = op_new_free(a->core, &nothing, &r->op);
    if (err_is_ok(err)) {
        err = start(r);
        if (!err_is_ok(err))
            op_detach(r->op);
    }
    if (!err_is_ok(err))
        (void)verb_refuse(a, err);
    return err;
}

struct hearth_op *hearth_rpc(struct hearth_account *a, const char *method, const char *json,
                             const struct hearth_id *chat,
                             void (*answer)(const char *json, void *arg), void *arg)
{
    const struct hearth_endpoint *endpoint = find(method);
    if (endpoint == NULL)
        return verb_usage(a, "there is no such method",
                          "hearthd endpoints lists them: hearth.v1.Auth/ListClients");
    if (endpoint->shape != HEARTH_UNARY)
        return verb_usage(a, "the method is a stream", "only single calls can be made so");
    struct raw_call *r = calloc(1, sizeof *r);
    if (r == NULL)
        return verb_refuse(a, ERR(NO_MEMORY));
    r->core = a->core;
    r->chat = chat;
    r->endpoint = endpoint;
    r->answer = answer;
    r->arg = arg;
    a->core->error = (struct hearth_error){0};
    struct err err = begin(a, r, json != NULL ? json : "{}");
    if (err_is_ok(err))
        return r->op;
    if (a->core->error.result == HEARTH_DONE)
        (void)verb_refuse(a, err);
    raw_call_free(r);
    return NULL;
}
