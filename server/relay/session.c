#include "server/relay/session.h"

#include <stdlib.h>

enum kind {
    LETTER_HERE,   /* the other end has come */
    LETTER_SEALED, /* a message */
    LETTER_TAKEN,  /* the message was taken, and there is room */
    LETTER_CLOSED, /* the other end has said its last */
    LETTER_LOST,   /* the other end is over */
};

struct letter {
    struct letter *next, **at; /* on their way; under the relay's lock */
    struct end *to;
    enum kind kind;
    size_t len;
    uint8_t data[];
};

static struct end *other_of(const struct end *end)
{
    return &end->session->ends[end->side == NEW_DEVICE ? OLD_DEVICE : NEW_DEVICE];
}

static void receive(void *arg);

/* Takes it off the list and frees it. Under the lock. */
static void drop(struct letter *letter)
{
    *letter->at = letter->next;
    if (letter->next != NULL)
        letter->next->at = letter->at;
    relay_unref(letter->to->session);
    free(letter);
}

void session_drop_letters(struct relay *relay)
{
    struct letter *next;
    for (struct letter *letter = relay->letters; letter != NULL; letter = next) {
        next = letter->next;
        drop(letter);
    }
}

static bool post_locked(const struct end *from, enum kind kind, struct bytes data)
{
    struct relay *relay = from->session->relay;
    struct letter *letter = malloc(sizeof *letter + data.len);
    if (letter == NULL)
        return false;
    *letter = (struct letter){
        .next = relay->letters, .at = &relay->letters, .to = other_of(from), .kind = kind};
    letter->len = data.len;
    if (data.len > 0)
        memcpy(letter->data, data.data, data.len);
    if (relay->letters != NULL)
        relay->letters->at = &letter->next;
    relay->letters = letter;
    relay_ref(from->session);
    if (hearth_loop_post(letter->to->loop, receive, letter))
        return true;
    drop(letter);
    return false;
}

/* A loop may go when its calls are over, as at the end of a server with several: so an end says
 * under the lock that it is, and nothing is posted to it after that. */
static bool post(const struct end *from, enum kind kind, struct bytes data)
{
    struct relay *relay = from->session->relay;
    (void)pthread_mutex_lock(&relay->lock);
    bool posted = other_of(from)->over || post_locked(from, kind, data);
    (void)pthread_mutex_unlock(&relay->lock);
    return posted;
}

/* A plain letter, outside of a handler: where it can't be sent this end fails. */
static void post_or_fail(struct end *end, enum kind kind)
{
    if (!post(end, kind, bytes_of(NULL, 0)) && end->call != NULL)
        front_fail(end->call, ERR(NO_MEMORY));
}

/* ---- to the device */

static int write_to(const struct end *end, struct bytes sealed)
{
    union {
        const uint8_t *given;
        uint8_t *data;
    } door = {.given = sealed.data}; /* protobuf-c knows no const; it only reads */
    ProtobufCBinaryData data = {sealed.len, door.data};
    if (end->side == NEW_DEVICE) {
        Hearth__V1__ProvisionClientResponse item;
        hearth__v1__provision_client_response__init(&item);
        item.sealed = data;
        return hearth_relay_provision_client_write(end->call, &item);
    }
    Hearth__V1__LinkClientResponse item;
    hearth__v1__link_client_response__init(&item);
    item.sealed = data;
    return hearth_relay_link_client_write(end->call, &item);
}

static void on_writable(struct hearth_call *call, void *arg)
{
    struct end *end = arg;
    (void)call;
    if (end->owes) {
        end->owes = false;
        post_or_fail(end, LETTER_TAKEN);
    }
}

static void finish_when_both_closed(struct end *end)
{
    if (end->call != NULL && end->closed && end->other_closed)
        hearth_call_finish(end->call, HEARTH_OK);
}

/* ---- from the other end, on this end's loop */

static void open_letter(struct end *end, const struct letter *letter)
{
    int result;
    switch (letter->kind) {
    case LETTER_HERE:
        end->paired = true;
        (void)write_to(end, bytes_of(NULL, 0));
        if (end->call != NULL)
            hearth_call_resume(end->call); /* last: messages may come from in there */
        break;
    case LETTER_SEALED:
        end->owes = true;
        result = write_to(end, bytes_of(letter->data, letter->len));
        if (result > 0 && end->call != NULL)
            on_writable(end->call, end);
        break;
    case LETTER_TAKEN:
        hearth_call_resume(end->call);
        break;
    case LETTER_CLOSED:
        end->other_closed = true;
        finish_when_both_closed(end);
        break;
    case LETTER_LOST:
        front_fail(end->call, ERR(RELAY_LOST));
        break;
    }
}

static void receive(void *arg)
{
    struct letter *letter = arg;
    struct relay *relay = letter->to->session->relay;
    if (letter->to->call != NULL)
        open_letter(letter->to, letter);
    (void)pthread_mutex_lock(&relay->lock);
    drop(letter);
    (void)pthread_mutex_unlock(&relay->lock);
}

/* ---- from the device, in its handler */

void session_wait(struct end *end)
{
    hearth_call_on_writable(end->call, on_writable, end);
    hearth_call_pause(end->call);
    hearth_call_send_headers(end->call);
}

enum hearth_code session_begin(struct end *end)
{
    end->paired = true;
    hearth_call_on_writable(end->call, on_writable, end);
    if (!post(end, LETTER_HERE, bytes_of(NULL, 0)))
        return front_fail(end->call, ERR(NO_MEMORY));
    (void)write_to(end, bytes_of(NULL, 0));
    return HEARTH_LATER;
}

enum hearth_code session_message(struct end *end, struct bytes sealed)
{
    struct relay *relay = end->session->relay;
    uint64_t most = limit_value(front_limits(relay->env->front), LIMIT_RELAY_BYTES);
    if (!end->paired)
        return front_fail(end->call, ERR(RELAY_ORDER));
    uint64_t before = atomic_fetch_add(&end->session->bytes, sealed.len);
    if (!relay->control && before + sealed.len > most)
        return front_fail(end->call, ERR(TOO_LARGE));
    hearth_call_pause(end->call); /* until LETTER_TAKEN */
    if (!post(end, LETTER_SEALED, sealed))
        return front_fail(end->call, ERR(NO_MEMORY));
    return HEARTH_LATER;
}

enum hearth_code session_half_close(struct end *end)
{
    end->closed = true;
    if (!post(end, LETTER_CLOSED, bytes_of(NULL, 0)))
        return front_fail(end->call, ERR(NO_MEMORY));
    return end->other_closed ? HEARTH_OK : HEARTH_LATER;
}

void session_release(void *arg)
{
    struct end *end = arg;
    struct session *session = end->session;
    struct relay *relay = session->relay;
    (void)pthread_mutex_lock(&relay->lock);
    end->call = NULL;
    end->over = true;
    relay_unlist(session);
    /* where memory is short the other end's deadline ends it */
    if (session->joined && !other_of(end)->over)
        (void)post_locked(end, LETTER_LOST, bytes_of(NULL, 0));
    relay_unref(session);
    (void)pthread_mutex_unlock(&relay->lock);
}
