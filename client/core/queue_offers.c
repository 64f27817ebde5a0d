/* Streams of offers, one for each handle of ours, each under the handle's own key and on a
 * connection of its own. A server says by its headers that nothing (more) waits. */
#include <stdlib.h>

#include "client/core/handle.h"
#include "client/core/queue_inside.h"
#include "hearth/v1/auth.pb-c.h"

enum { TOLD_MS = 20, CAP_MS = 3000, FENCED_MS = 60000, IDLE_MS = UINT32_MAX / 2 };

struct offer_stream {
    struct offers *offers; /* NULL: given up, goes with its call */
    struct offer_stream *next;
    uint8_t hash[HANDLE_HASH_BYTES];
    struct sig_key key;
    struct hearth_client_call *call;
    uint64_t due_us; /* no call: when to connect again; UINT64_MAX: not */
    unsigned tries;
    bool told, there;
};

struct offers {
    struct core *core;
    uint32_t linger_ms;
    void (*done)(struct offers *offers, void *arg);
    void *arg;
    struct hearth_timer *timer;
    uint64_t end_us, cap_us; /* when lingering */
    struct offer_stream *streams;
    bool look; /* at the handles that there are */
};

static uint64_t now_us(const struct offers *o)
{
    return clock_monotonic_us(o->core->clock);
}

static void stream_free(struct offer_stream *s)
{
    sig_key_clear(&s->key);
    free(s);
}

/* When is the next thing to do? */
static void set_timer(struct offers *o)
{
    uint64_t now = now_us(o), due = now + (uint64_t)IDLE_MS * 1000;
    if (o->linger_ms != 0)
        due = o->end_us;
    else
        for (const struct offer_stream *s = o->streams; s != NULL; s = s->next)
            if (s->call == NULL && s->due_us < due)
                due = s->due_us;
    if (o->look)
        due = now;
    (void)hearth_timer_set(o->timer, due <= now ? 0 : (uint32_t)((due - now) / 1000 + 1));
}

/* Lingering: what is still to be waited for? */
static void linger(struct offers *o, uint32_t ms)
{
    bool all = true;
    for (const struct offer_stream *s = o->streams; s != NULL; s = s->next)
        all &= s->told || s->call == NULL;
    o->end_us = all ? now_us(o) + (uint64_t)ms * 1000 : o->cap_us;
    if (o->end_us > o->cap_us)
        o->end_us = o->cap_us;
    set_timer(o);
}

/* ---- a stream */

static void on_headers(struct hearth_client_call *call, void *arg)
{
    struct offer_stream *s = arg;
    (void)call;
    if (s->offers == NULL)
        return;
    s->told = true;
    if (s->offers->linger_ms != 0)
        linger(s->offers, TOLD_MS);
}

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct offer_stream *s = arg;
    const Hearth__V1__ListenHandleResponse *in = (const void *)item;
    if (s->offers == NULL)
        return;
    s->tries = 0;
    s->told = true;
    struct handle_offer offer = {.hash = s->hash,
                                 .sequence = in->sequence,
                                 .package_hash = core_in(in->package_hash),
                                 .sealed = core_in(in->offer)};
    if (!err_is_ok(core_step(s->offers->core, handle_take_offer, &offer))) {
        hearth_client_call_cancel(call); /* it will come again */
        return;
    }
    Hearth__V1__ListenHandleRequest ack = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    ack.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_ACK_UP_TO;
    ack.ack_up_to = in->sequence;
    (void)hearth_client_call_write(call, &ack.base);
    if (s->offers->linger_ms != 0)
        linger(s->offers, s->offers->linger_ms);
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct offer_stream *s = arg;
    struct offers *o = s->offers;
    (void)call;
    s->call = NULL;
    if (o == NULL) {
        stream_free(s);
        return;
    }
    uint32_t delay_ms = status->code == HEARTH_ABORTED ? FENCED_MS /* another device listens */
                                                       : queue_delay_ms(o->core, s->tries++);
    s->due_us = now_us(o) + (uint64_t)delay_ms * 1000;
    if (o->linger_ms != 0)
        linger(o, TOLD_MS);
    else
        set_timer(o);
}

static struct err stream_open(struct offers *o, struct offer_stream *s)
{
    static const struct hearth_stream_events events = {
        .on_headers = on_headers, .on_message = on_message, .on_done = on_done};
    Hearth__V1__ListenHandleStart start = HEARTH__V1__LISTEN_HANDLE_START__INIT;
    Hearth__V1__ListenHandleRequest first = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    uint8_t purpose[16];
    const struct bytes hash = bytes_of(s->hash, sizeof s->hash);
    core_purpose("handle", hash, purpose);
    struct api_to to = {.domain = o->core->account.domain,
                        .purpose = purpose,
                        .caller = {.kind = REQUEST_HANDLE, .id = hash, .key = &s->key}};
    TRY(api_open(o->core->api, &to, api_endpoint("Auth", "ListenHandle"), &events, s, &s->call));
    start.handle_hash = core_out(hash);
    first.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_START;
    first.start = &start;
    (void)hearth_client_call_write(s->call, &first.base);
    return ERR_OK;
}

static void stream_close(struct offer_stream *s)
{
    s->offers = NULL;
    if (s->call == NULL)
        stream_free(s);
    else
        hearth_client_call_cancel(s->call);
}

/* ---- which handles there are */

static struct err see_one(void *arg, const struct handle_row *row)
{
    struct offers *o = arg;
    struct offer_stream *s;
    if (row->state != HANDLE_OURS)
        return ERR_OK;
    for (s = o->streams; s != NULL; s = s->next) {
        /* under another key by now: another stream, and this one is closed */
        if (memcmp(s->hash, row->hash, sizeof s->hash) == 0 &&
            bytes_equal_ct(secret_view(&s->key.private_key), secret_view(&row->key.private_key))) {
            s->there = true;
            return ERR_OK;
        }
    }
    s = calloc(1, sizeof *s);
    if (s == NULL)
        return ERR(NO_MEMORY);
    struct err err = sig_key_init(&sig_ed25519, secret_view(&row->key.private_key), &s->key);
    if (!err_is_ok(err)) {
        free(s);
        return err;
    }
    memcpy(s->hash, row->hash, sizeof s->hash);
    s->offers = o;
    s->there = true;
    s->next = o->streams;
    o->streams = s;
    return ERR_OK;
}

static struct err see_all(struct core *c, struct db_txn *t, void *arg)
{
    struct offers *o = arg;
    for (struct offer_stream *s = o->streams; s != NULL; s = s->next)
        s->there = false;
    return handle_each(c, t, see_one, o);
}

static void look(struct offers *o)
{
    o->look = !err_is_ok(core_step(o->core, see_all, o));
    if (o->look)
        return;
    for (struct offer_stream **at = &o->streams; *at != NULL;) {
        struct offer_stream *s = *at;
        if (s->there) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        stream_close(s);
    }
}

static void connect_due(struct offers *o)
{
    for (struct offer_stream *s = o->streams; s != NULL; s = s->next) {
        if (s->call != NULL || s->due_us > now_us(o))
            continue;
        s->due_us = UINT64_MAX;
        if (!err_is_ok(stream_open(o, s)))
            s->due_us = now_us(o) + (uint64_t)queue_delay_ms(o->core, s->tries++) * 1000;
    }
}

static void on_timer(void *arg)
{
    struct offers *o = arg;
    (void)hearth_timer_set(o->timer, IDLE_MS); /* stays set: so it can't fail */
    bool first = o->linger_ms != 0 && o->look;
    if (o->look)
        look(o);
    if (o->linger_ms == 0 || first)
        connect_due(o);
    if (first)
        linger(o, 0);
    else if (o->linger_ms != 0 && now_us(o) >= o->end_us)
        o->done(o, o->arg);
    else
        set_timer(o);
}

void offers_look(struct offers *o)
{
    o->look = true;
    (void)hearth_timer_set(o->timer, 0);
}

struct err offers_open(struct core *c, uint32_t linger_ms,
                       void (*done)(struct offers *offers, void *arg), void *arg,
                       struct offers **ret_offers)
{
    struct offers *o = calloc(1, sizeof *o);
    if (o == NULL)
        return ERR(NO_MEMORY);
    *o = (struct offers){.core = c, .linger_ms = linger_ms, .done = done, .arg = arg, .look = true};
    o->cap_us = o->end_us = now_us(o) + (uint64_t)CAP_MS * 1000;
    o->timer = hearth_timer_new(c->loop, on_timer, o);
    if (o->timer == NULL || !hearth_timer_set(o->timer, 0)) {
        hearth_timer_free(o->timer);
        free(o);
        return ERR(NO_MEMORY);
    }
    *ret_offers = o;
    return ERR_OK;
}

void offers_close(struct offers *o)
{
    if (o == NULL)
        return;
    while (o->streams != NULL) {
        struct offer_stream *s = o->streams;
        o->streams = s->next;
        stream_close(s);
    }
    hearth_timer_free(o->timer);
    free(o);
}
