/* Residents of a server that is another process: real sockets, real time, keys as GetKeys tells
 * them. */
#include "support/house/visit.h"

#include <stdio.h>

#include "hearth/v1/info_rpc.h"
#include "seal/server_key.h"

static void wake(void *arg)
{
    *(bool *)arg = true;
}

void house_wait_ms(struct house *h, uint64_t ms)
{
    bool over = false;
    struct hearth_timer *timer = hearth_timer_new(h->loop, wake, &over);
    assert_non_null(timer);
    assert_true(hearth_timer_set(timer, (uint32_t)ms));
    while (!over)
        loop_turn(h->loop);
    hearth_timer_free(timer);
}

enum { VISIT_TRIES = 300 }; /* a minute */

static struct bytes key_of(const Hearth__V1__GetKeysResponse *keys, Hearth__V1__KeyUse use)
{
    for (size_t i = 0; i < keys->n_keys; i++)
        if (keys->keys[i]->use == use)
            return bytes_of(keys->keys[i]->key.data, keys->keys[i]->key.len);
    fail_msg("GetKeys has no key of use %d", (int)use);
    return bytes_of(NULL, 0);
}

static void take_key(const Hearth__V1__GetKeysResponse *keys, const struct credential *signing,
                     Hearth__V1__KeyUse use, struct public_key *ret_key)
{
    struct server_key key;
    assert_ok(server_key_read(key_of(keys, use), signing, &key));
    assert_true(key.public_key.len <= sizeof ret_key->data);
    memcpy(ret_key->data, key.public_key.data, key.public_key.len);
    ret_key->len = key.public_key.len;
}

static void ask_keys(struct house *h, struct hearth_channel *channel)
{
    Hearth__V1__GetKeysRequest in = HEARTH__V1__GET_KEYS_REQUEST__INIT;
    Hearth__V1__GetKeysResponse *out = NULL;
    struct hearth_status status = {0};
    struct credential root, signing;
    /* a server that is killed now and then may be killed just now */
    for (int tries = 0; hearth_info_get_keys(channel, NULL, &in, &out, &status) != HEARTH_OK;
         tries++) {
        if (tries == VISIT_TRIES)
            fail_msg("GetKeys: %s", status.message);
        hearth_status_clear(&status);
        (void)nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_ROOT), &root));
    assert_ok(credential_parse(key_of(out, HEARTH__V1__KEY_USE__KEY_USE_AS_SIGNING), &signing));
    assert_ok(credential_chain_verify(&root, &signing, NULL, clock_unix_ms(&h->clock) / 1000));
    take_key(out, &signing, HEARTH__V1__KEY_USE__KEY_USE_QUEUE_SEALING, &h->queue_key);
    take_key(out, &signing, HEARTH__V1__KEY_USE__KEY_USE_EXTERNAL_SENDER, &h->sender_key);
    protobuf_c_message_free_unpacked(&out->base, NULL);
    hearth_status_clear(&status);
}

void house_visit(struct house *h, const char *address, const char *ca_file)
{
    *h = (struct house){.domain = HOUSE_DOMAIN, .first = h, .kill_in_steps = -1, .outside = true};
    h->clock = clock_system;
    h->rng = rng_system;
    h->loop = hearth_loop_new(NULL);
    assert_non_null(h->loop);
    (void)snprintf(h->address, sizeof h->address, "%s", address);
    h->tls = (struct hearth_tls_options){.ca_file = ca_file, .server_name = HOUSE_DOMAIN};
    struct hearth_channel_options options = {.tls = &h->tls};
    struct hearth_channel *channel = hearth_channel_new(address, &options);
    assert_non_null(channel);
    ask_keys(h, channel);
    hearth_channel_free(channel);
}

void house_leave(struct house *h)
{
    hearth_loop_free(h->loop);
}

void house_target(const struct house *h, uint32_t number, char ret_target[64])
{
    if (h->outside)
        (void)snprintf(ret_target, 64, "%s", h->address);
    else
        (void)snprintf(ret_target, 64, "pipe:%s@10.0.%u.%u", h->name, number / 250,
                       number % 250 + 1);
}

const struct public_key *house_queue_key(struct house *h)
{
    if (!h->outside)
        assert_ok(keeper_queue_key(h->keeper, &h->queue_key));
    return &h->queue_key;
}

const struct public_key *house_sender_key(struct house *h)
{
    if (!h->outside)
        assert_ok(keeper_public(h->keeper, KEEPER_EXTERNAL_SENDER, &h->sender_key));
    return &h->sender_key;
}
