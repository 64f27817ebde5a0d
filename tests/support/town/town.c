#include "support/town/town.h"

#include <stdio.h>

#include "pass/voucher.h"
#include "seal/credential_chain.h"
#include "seal/invitation.h"
#include "seal/request_auth.h"
#include "server/front/pay.h"
#include "support/house/house.h"

struct town {
    struct house house;
    struct house other; /* of TOWN_OTHER; server NULL: there is none */
    bool apart;
    void (*saw)(void *self, const struct town_call *call);
    void *saw_self;
    void (*heard)(void *self, const char *path, const char *from, struct bytes message);
    void *heard_self;
};

struct town *town_new(uint64_t seed)
{
    struct town *town = calloc(1, sizeof *town);
    assert_non_null(town);
    house_init(&town->house, seed);
    house_open(&town->house);
    return town;
}

static struct house *home_of(struct town *town, struct bytes domain)
{
    return bytes_equal(domain, bytes_str(TOWN_OTHER)) ? &town->other : &town->house;
}

/* ---- two of them */

/* Homeservers call each other as "pipe:NAME@house" and "pipe:NAME@other", clients from addresses.
 */
static void choose(void *self, const char *name, struct pipe_faults *faults)
{
    const struct town *town = self;
    *faults = (struct pipe_faults){0};
    if (town->apart && (strstr(name, "@house") != NULL || strstr(name, "@other") != NULL))
        faults->cut_after[PIPE_TO_SERVER] = 1;
}

struct town *town_new_two(uint64_t seed)
{
    struct town *town = calloc(1, sizeof *town);
    assert_non_null(town);
    house_init(&town->house, seed);
    house_init_beside(&town->other, &town->house, TOWN_OTHER, "other");
    town->house.peers[town->house.peer_count++] = TOWN_OTHER "=pipe:other@house";
    town->other.peers[town->other.peer_count++] = TOWN_DOMAIN "=pipe:house@other";
    town->house.loop->pipes.choose = choose;
    town->house.loop->pipes.choose_self = town;
    house_open(&town->house);
    house_open(&town->other);
    return town;
}

void town_part(struct town *town, bool apart)
{
    town->apart = apart;
    pipe_cut_all(town->house.loop); /* clients connect again */
}

void town_target(const struct town *town, size_t client, char *ret_text, size_t size)
{
    int len = snprintf(ret_text, size, TOWN_DOMAIN "=pipe:house@10.0.1.%zu%s", client,
                       town->other.domain == NULL ? "" : "," TOWN_OTHER "=pipe:other@10.0.1.");
    assert_true(len > 0 && (size_t)len < size);
    if (town->other.domain != NULL)
        (void)snprintf(ret_text + len, size - (size_t)len, "%zu", client);
}

void town_free(struct town *town)
{
    house_settle(&town->house);
    if (town->other.server != NULL)
        house_close(&town->other);
    house_close(&town->house);
    free(town);
}

struct hearth_loop *town_loop(struct town *town)
{
    return town->house.loop;
}

const struct clock *town_clock(struct town *town)
{
    return &town->house.clock;
}

const struct rng *town_rng(struct town *town)
{
    return &town->house.rng;
}

void town_run_ms(struct town *town, uint64_t ms)
{
    house_run_ms(&town->house, ms);
}

void town_settle(struct town *town)
{
    house_settle(&town->house);
}

bool town_step(struct town *town)
{
    return house_step(&town->house);
}

bool town_wait(struct town *town, uint64_t most_ms)
{
    struct house *h = &town->house;
    uint64_t until_us = h->fake.now_us + most_ms * 1000;
    uint64_t due_us = timers_next_due_us(&h->loop->env.timers);
    bool due = due_us <= until_us;
    h->fake.now_us = due && due_us > h->fake.now_us ? due_us : due ? h->fake.now_us : until_us;
    return due;
}

void town_invite(struct town *town, const char *domain, char ret_text[TOWN_INVITATION_BYTES])
{
    struct house *h = home_of(town, bytes_str(domain));
    struct buf code = BUF_INIT, root = BUF_INIT;
    struct invitation invitation = {.domain = {0}};
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    char text[INVITATION_TEXT_MAX_BYTES];
    (void)snprintf(invitation.domain, sizeof invitation.domain, "%s", domain);
    assert_ok(auth_invite(h->auth, 1, 7, &code));
    assert_ok(keeper_credential(h->keeper, KEEPER_AS_ROOT, &root));
    credential_fingerprint(buf_view(&root), fingerprint);
    assert_int_equal(code.len, INVITATION_CODE_BYTES);
    memcpy(invitation.code, code.data, sizeof invitation.code);
    memcpy(invitation.pin, fingerprint, sizeof invitation.pin);
    invitation_write(&invitation, text);
    (void)snprintf(ret_text, TOWN_INVITATION_BYTES, "%s", text);
    buf_clear(&code);
    buf_clear(&root);
}

void town_kill_server(struct town *town, const char *domain)
{
    struct house *h = home_of(town, bytes_str(domain));
    house_kill(h);
    house_open(h);
}

void town_hide_log(struct town *town, const char *domain, bool hidden)
{
    home_of(town, bytes_str(domain))->no_log = hidden;
    town_kill_server(town, domain);
}

void town_stop_server(struct town *town, const char *domain)
{
    house_kill(home_of(town, bytes_str(domain)));
}

void town_start_server(struct town *town, const char *domain)
{
    house_open(home_of(town, bytes_str(domain)));
}

void town_control_delivery(struct town *town, uint32_t control)
{
    house_kill(&town->house);
    town->house.delivery_control = control;
    house_open(&town->house);
}

void town_kill_in_steps(struct town *town, long steps)
{
    town->house.kill_in_steps = steps;
}

static struct auth_counts counts_of(struct town *town)
{
    struct auth_counts counts;
    assert_ok(auth_counts(town->house.auth, &counts));
    return counts;
}

uint64_t town_users(struct town *town)
{
    return counts_of(town).users;
}

uint64_t town_handles(struct town *town)
{
    return counts_of(town).handles;
}

void town_remove_user(struct town *town, const char *domain, const uint8_t uuid[16])
{
    struct house *h = home_of(town, bytes_str(domain));
    assert_ok(auth_user_remove(h->auth, uuid));
    assert_ok(info_refresh(h->info));
}

void town_open_registration(struct town *town, uint32_t puzzle_bits)
{
    auth_set_mode(town->house.auth, AUTH_OPEN);
    assert_ok(limits_set(front_limits(town->house.front), "PUZZLE_BITS_LEAST", puzzle_bits));
}

void town_tokens(struct town *town)
{
    house_kill(&town->house);
    town->house.tokens = town->house.limits = true;
    house_open(&town->house);
}

bool town_vouchers(struct town *town, const char *domain)
{
    struct house *h = home_of(town, bytes_str(domain));
    while (auth_expire(h->auth))
        ;
    const bool made = auth_vouchers_changed(h->auth);
    assert_ok(info_refresh(h->info));
    house_settle(h);
    return made;
}

void town_own_vouchers(struct town *town, const char *domain, bool own)
{
    struct house *h = home_of(town, bytes_str(domain));
    h->own_vouchers = own;
    assert_ok(info_refresh(h->info));
    house_settle(h);
}

int town_voucher_key(struct town *town, uint8_t class)
{
    uint8_t spki[BLIND_RSA_PUBLIC_BYTES];
    const uint64_t week = clock_unix_ms(&town->house.clock) / 1000 / PASS_WEEK_S;
    struct err err = federation_voucher_key(town->house.federation, bytes_str(TOWN_OTHER), class,
                                            (uint32_t)week, spki);
    return (int)err.code;
}

uint64_t town_connection_of(const struct hearth_call *call); /* watch.c */

static enum hearth_code on_headers(struct hearth_call *call, void *self)
{
    struct town *town = self;
    const uint8_t *value;
    size_t len;
    struct town_call saw = {.path = hearth_call_endpoint(call)->path,
                            .connection = town_connection_of(call)};
    saw.named = hearth_call_metadata(call, REQUEST_AUTH_METADATA, 0, &value, &len);
    while (saw.tokens < 32 && hearth_call_metadata(call, PAY_METADATA, saw.tokens, &value, &len))
        saw.values[saw.tokens++] = value;
    town->saw(town->saw_self, &saw);
    return HEARTH_OK;
}

void town_watch(struct town *town, void (*saw)(void *self, const struct town_call *call),
                void *self)
{
    town->saw = saw;
    town->saw_self = self;
    house_kill(&town->house);
    town->house.watch = (struct hearth_interceptor){.on_headers = on_headers, .self = town};
    house_open(&town->house);
}

static enum hearth_code on_message(struct hearth_call *call, const uint8_t *bytes, size_t len,
                                   size_t number, void *self)
{
    struct town *town = self;
    (void)number;
    town->heard(town->heard_self, hearth_call_endpoint(call)->path, hearth_call_peer(call),
                bytes_of(bytes, len));
    return HEARTH_OK;
}

void town_overhear(struct town *town,
                   void (*heard)(void *self, const char *path, const char *from,
                                 struct bytes message),
                   void *self)
{
    town->heard = heard;
    town->heard_self = self;
    for (struct house *h = &town->house; h != NULL; h = h->neighbour) {
        house_kill(h);
        h->watch = (struct hearth_interceptor){.on_message = on_message, .self = town};
        house_open(h);
    }
}

void town_rotate_signing(struct town *town, const char *domain)
{
    struct house *h = home_of(town, bytes_str(domain));
    assert_ok(auth_rotate(h->auth));
    assert_ok(info_refresh(h->info));
}

void town_sleep_days(struct town *town, uint32_t days)
{
    town->house.fake.now_us += (uint64_t)days * 24 * 3600 * 1000000;
    for (struct house *h = &town->house; h != NULL; h = h->neighbour)
        assert_ok(info_refresh(h->info)); /* a daily job of hearthd's */
    house_settle(&town->house);
}

void town_sweep_logs(struct town *town)
{
    for (struct house *h = &town->house; h != NULL; h = h->neighbour)
        while (transparency_sweep(h->transparency)) /* another job */
            ;
}

uint64_t town_now_us(struct town *town)
{
    return town->house.fake.now_us;
}
