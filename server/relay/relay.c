#include "server/relay/relay.h"

#include <stdlib.h>

#include "server/relay/session.h"

enum { TABLE_SLOTS = 1024 };

/* ---- the table of meeting places */

static struct session **slot_of(struct relay *relay, const uint8_t place[AT_REST_ID_BYTES])
{
    /* a PRF value: nobody outside can aim at one slot */
    return &relay->table[(place[0] | place[1] << 8) % TABLE_SLOTS];
}

static struct session *find(struct relay *relay, const uint8_t place[AT_REST_ID_BYTES])
{
    struct session *s = *slot_of(relay, place);
    while (s != NULL && memcmp(s->place, place, AT_REST_ID_BYTES) != 0)
        s = s->next;
    return s;
}

static struct err list(struct relay *relay, struct session *session)
{
    uint64_t most = limit_value(front_limits(relay->env->front), LIMIT_RELAY_SESSIONS);
    if (find(relay, session->place) != NULL)
        return ERR(RELAY_TAKEN);
    if (!relay->control && atomic_load(&relay->sessions) >= most)
        return ERR(FRONT_OVERLOAD);
    struct session **slot = slot_of(relay, session->place);
    session->next = *slot;
    *slot = session;
    session->listed = true;
    atomic_fetch_add(&relay->sessions, 1);
    return ERR_OK;
}

void relay_unlist(struct session *session)
{
    struct relay *relay = session->relay;
    if (!session->listed)
        return;
    struct session **at = slot_of(relay, session->place);
    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    session->listed = false;
    atomic_fetch_sub(&relay->sessions, 1);
}

void relay_ref(struct session *session)
{
    session->refs++;
}

void relay_unref(struct session *session)
{
    if (--session->refs > 0)
        return;
    if (session->newer != NULL)
        session->newer->older = session->older;
    else
        session->relay->all = session->older;
    if (session->older != NULL)
        session->older->newer = session->newer;
    free(session);
}

static void set_end(struct session *session, enum side side, struct hearth_call *call)
{
    session->ends[side] = (struct end){
        .session = session, .side = side, .loop = hearth_call_loop(call), .call = call};
    session->refs++;
}

/* Under the lock, like the next. */
static struct err meet_first(struct relay *relay, const uint8_t place[AT_REST_ID_BYTES],
                             struct hearth_call *call, struct end **ret_end)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return ERR(NO_MEMORY);
    session->relay = relay;
    memcpy(session->place, place, AT_REST_ID_BYTES);
    struct err err = list(relay, session);
    if (!err_is_ok(err)) {
        free(session);
        return err;
    }
    session->older = relay->all;
    if (relay->all != NULL)
        relay->all->newer = session;
    relay->all = session;
    set_end(session, NEW_DEVICE, call);
    *ret_end = &session->ends[NEW_DEVICE];
    return ERR_OK;
}

static struct err meet_second(struct relay *relay, const uint8_t place[AT_REST_ID_BYTES],
                              struct hearth_call *call, struct end **ret_end)
{
    struct session *session = find(relay, place);
    if (session == NULL || session->joined)
        return ERR(NOT_FOUND);
    set_end(session, OLD_DEVICE, call);
    session->joined = true;
    *ret_end = &session->ends[OLD_DEVICE];
    return ERR_OK;
}

struct err relay_meet(struct relay *relay, const uint8_t rendezvous[32], enum side side,
                      struct hearth_call *call, struct end **ret_end)
{
    uint8_t place[AT_REST_ID_BYTES];
    at_rest_prf(relay->key, BYTES_LIST(bytes_of(rendezvous, 32)), place);
    (void)pthread_mutex_lock(&relay->lock);
    struct err err = side == NEW_DEVICE ? meet_first(relay, place, call, ret_end)
                                        : meet_second(relay, place, call, ret_end);
    (void)pthread_mutex_unlock(&relay->lock);
    return err;
}

/* ---- the two rows */

static enum hearth_code meet(struct relay *relay, struct hearth_call *call,
                             const uint8_t rendezvous[32], enum side side)
{
    struct end *end;
    if (!relay->control) {
        enum hearth_code code =
            front_limit(call, LIMIT_RELAY_PREFIX, front_caller(call)->source, 1);
        if (code != HEARTH_OK)
            return code;
    }
    struct err err = relay_meet(relay, rendezvous, side, call, &end);
    if (!err_is_ok(err))
        return front_fail(call, err);
    hearth_call_set_state(call, end, session_release);
    if (side == OLD_DEVICE)
        return session_begin(end);
    session_wait(end);
    return HEARTH_LATER;
}

static enum hearth_code provision_client(struct hearth_call *call,
                                         const Hearth__V1__ProvisionClientRequest *in, void *self)
{
    struct end *end = hearth_call_state(call);
    if (in == NULL && end != NULL)
        return session_half_close(end);
    if (in != NULL && end == NULL &&
        in->step_case == HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_RENDEZVOUS)
        return meet(self, call, in->rendezvous.data, NEW_DEVICE);
    if (in != NULL && end != NULL &&
        in->step_case == HEARTH__V1__PROVISION_CLIENT_REQUEST__STEP_SEALED)
        return session_message(end, bytes_of(in->sealed.data, in->sealed.len));
    return front_fail(call, ERR(RELAY_ORDER));
}

static enum hearth_code link_client(struct hearth_call *call,
                                    const Hearth__V1__LinkClientRequest *in, void *self)
{
    struct end *end = hearth_call_state(call);
    if (in == NULL && end != NULL)
        return session_half_close(end);
    if (in != NULL && end == NULL &&
        in->step_case == HEARTH__V1__LINK_CLIENT_REQUEST__STEP_RENDEZVOUS)
        return meet(self, call, in->rendezvous.data, OLD_DEVICE);
    if (in != NULL && end != NULL && in->step_case == HEARTH__V1__LINK_CLIENT_REQUEST__STEP_SEALED)
        return session_message(end, bytes_of(in->sealed.data, in->sealed.len));
    return front_fail(call, ERR(RELAY_ORDER));
}

/* ---- life */

struct err relay_open(struct front_env *env, const struct relay_options *options,
                      struct relay **ret_relay)
{
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL)
        return ERR(NO_MEMORY);
    relay->env = env;
    relay->control = options != NULL && options->control;
    relay->table = calloc(TABLE_SLOTS, sizeof *relay->table);
    struct err err = relay->table == NULL ? ERR(NO_MEMORY) : ERR_OK;
    if (err_is_ok(err))
        err = rng_fill(env->rng, relay->key, sizeof relay->key);
    if (err_is_ok(err) && pthread_mutex_init(&relay->lock, NULL) != 0)
        err = ERR(NO_MEMORY);
    if (!err_is_ok(err)) {
        free(relay->table);
        free(relay);
        return err;
    }
    *ret_relay = relay;
    return ERR_OK;
}

struct err relay_add(struct relay *relay, struct hearth_server *server)
{
    static const struct hearth_relay_service service = {
        .provision_client = provision_client,
        .link_client = link_client,
    };
    return hearth_server_add_relay(server, &service, relay) ? ERR_OK : ERR(NO_MEMORY);
}

void relay_close(struct relay *relay)
{
    if (relay == NULL)
        return;
    session_drop_letters(relay);
    (void)pthread_mutex_destroy(&relay->lock);
    bytes_wipe(relay->key, sizeof relay->key);
    free(relay->table);
    free(relay);
}

unsigned relay_sessions(const struct relay *relay)
{
    return atomic_load(&relay->sessions);
}
