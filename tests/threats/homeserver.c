/* Another homeserver that attacks, or whose people do: its keys are those of a real hearthd beside
 * the one that is attacked, so that its calls are signed as they should be; what it sends is ours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "seal/sealed_ref.h"
#include "server/federation/inside.h"
#include "threats/threats.h"

enum { ROWS = 256, BODY_BYTES = 1000, KNOWN_TRIES = 200 };

/* ---- DoS16: batches for one queue, as large and as many as go */

struct flood {
    struct resident victim; /* whose queue it is; nobody listens */
    struct own_package given;
    struct front_env env;
    struct signing signing;
    struct hearth_channel *channel;
    uint64_t sequence; /* of the last row that was taken */
    Hearth__V1__DeliverRow rows[ROWS], *row_list[ROWS];
    uint8_t body[BODY_BYTES];
};

static void open_keys(struct attacker *a, struct flood *f)
{
    char path[128];
    f->env = (struct front_env){
        .domain = OTHER_DOMAIN, .development = true, .clock = &clock_system, .rng = &rng_system};
    (void)snprintf(path, sizeof path, "%s/keys/keyring", a->other->folder);
    struct err err =
        keeper_open(path, bytes_str(OTHER_DOMAIN), &clock_system, &rng_system, &f->env.keeper);
    if (!err_is_ok(err))
        attacker_fail(a, path, err_text(err));
    f->signing = (struct signing){.env = &f->env, .audience = HOUSE_DOMAIN};
}

/* How many rows of so many were taken; -1: the batch was not. */
static int deliver(struct flood *f, size_t count)
{
    Hearth__V1__DeliverRequest in = HEARTH__V1__DELIVER_REQUEST__INIT;
    Hearth__V1__DeliverPayload payload = HEARTH__V1__DELIVER_PAYLOAD__INIT, *payloads = &payload;
    Hearth__V1__DeliverResponse *out = NULL;
    const struct hearth_call_options options = {
        .deadline_ms = 5000, .no_retry = true, .signer = signer_of(&f->signing)};
    uint8_t ids[2][16];
    int taken = 0;
    resident_random(&f->victim, ids, sizeof ids);
    resident_random(&f->victim, f->body, sizeof f->body);
    payload.payload_id = resident_data(bytes_of(ids[0], 16));
    payload.sealed = resident_data(bytes_of(f->body, sizeof f->body));
    in.batch_id = resident_data(bytes_of(ids[1], 16));
    in.n_payloads = 1;
    in.payloads = &payloads;
    in.n_rows = count;
    in.rows = f->row_list;
    for (size_t i = 0; i < count; i++) {
        hearth__v1__deliver_row__init(&f->rows[i]);
        f->rows[i].sealed_reference = resident_data(buf_view(&f->given.reference));
        f->rows[i].sequence = f->sequence + 1 + i;
        f->row_list[i] = &f->rows[i];
    }
    if (hearth_federation_deliver(f->channel, &options, &in, &out, NULL) != HEARTH_OK)
        return -1;
    for (size_t i = 0; i < out->n_outcomes; i++)
        taken += out->outcomes[i] == HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_OK;
    protobuf_c_message_free_unpacked(&out->base, NULL);
    f->sequence += (uint64_t)taken; /* those after the first that is put off are put off, too */
    return taken;
}

/* The first call is told to come again until our keys are there. */
void dos16_prepare(struct attacker *a)
{
    struct flood *f = a->self = calloc(1, sizeof *f);
    const struct timespec pause = {0, 50 * 1000000};
    assert_non_null(f);
    open_keys(a, f);
    resident_init(&f->victim, &a->house, 900 + a->number);
    own_package_keys(&f->victim, &f->given);
    const struct hearth_channel_options options = {.tls = &a->house.tls};
    f->channel = hearth_channel_new(a->address, &options);
    assert_non_null(f->channel);
    for (int i = 0; i < KNOWN_TRIES; i++) {
        if (deliver(f, 1) == 1)
            return;
        (void)nanosleep(&pause, NULL);
    }
    attacker_fail(a, "deliver", "we did not become known");
}

void dos16_act(struct attacker *a)
{
    struct flood *f = a->self;
    int taken = deliver(f, ROWS);
    if (taken > 0)
        atomic_fetch_add(&a->board->gains[a->number], (unsigned)taken);
}

/* ---- DoS17: people of another homeserver, each in a group of ours with somebody of ours in it, as
 * fast as the answers come. */

struct guest {
    struct resident people[2]; /* the guest; who has his queue here */
    struct membership *m;
};

void dos17_prepare(struct attacker *a)
{
    struct guest *g = a->self = calloc(1, sizeof *g);
    assert_non_null(g);
    for (uint32_t i = 0; i < 2; i++)
        resident_init(&g->people[i], &a->house, 900 + a->number * 10 + i);
    struct resident *other = &g->people[1];
    if (resident_publish(other, 2) != HEARTH_OK)
        attacker_fail(a, "publish", other->last.message);
    a->house.queues_at = OTHER_DOMAIN; /* of the founder's reference */
    const struct commit_wish wish = {.add = &other, .add_count = 1};
    g->m = resident_found(&g->people[0]);
    if (g->m == NULL || membership_commit(g->m, &wish) != HEARTH_OK)
        attacker_fail(a, "found", g->people[0].last.message);
}

void dos17_act(struct attacker *a)
{
    struct guest *g = a->self;
    if (membership_send(g->m, 1) == HEARTH_OK)
        gain(a);
}
