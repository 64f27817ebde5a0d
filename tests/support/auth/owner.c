/* Owners of handles, and who wants to connect to them. */
#include "support/auth/person.h"

void owner_init(struct owner *o, struct auth_world *w, uint8_t hash)
{
    *o = (struct owner){.world = w};
    memset(o->hash, hash, sizeof o->hash);
    caller_init(&o->caller, REQUEST_HANDLE, bytes_of(o->hash, 32), AUTH_WORLD_DOMAIN, &w->clock,
                &w->rng);
}

void owner_clear(struct owner *o)
{
    caller_clear(&o->caller);
}

void owner_key_set(const struct owner *o, uint32_t version, size_t clients, bool reset,
                   struct buf *b)
{
    static const uint8_t commitment[32] = {0xdd};
    uint8_t label[33] = {KEY_SET_LABEL_HANDLE};
    memcpy(label + 1, o->hash, 32);
    const struct bytes id = bytes_str("handle");
    const struct sig_key *key = &o->caller.key;
    const struct key_set set = {
        .label = bytes_of(label, sizeof label),
        .version = version,
        .prev_commitment = bytes_of(commitment, version > 0 ? 32 : 0),
        .created_ms = 1800000000000,
        .reset = reset,
        .clients = {{id, sig_ed25519.scheme, caller_public_key(&o->caller), 1, KEY_SET_AUTHORISES}},
        .client_count = clients,
    };
    assert_ok(key_set_make(b, &set, &key, &id, 1));
}

enum hearth_code owner_create(struct owner *o, const uint8_t idempotency[16], bool reset)
{
    struct buf set = BUF_INIT;
    Hearth__V1__CreateHandleRequest in = HEARTH__V1__CREATE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    owner_key_set(o, o->version, 1, reset, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.handle_hash = auth_data(bytes_of(o->hash, 32));
    in.key_set = auth_data(buf_view(&set));
    enum hearth_code code = auth_world_call(o->world, &o->caller, "CreateHandle", &in.base, NULL);
    buf_clear(&set);
    return code;
}

enum hearth_code owner_delete(struct owner *o, const uint8_t idempotency[16])
{
    struct buf set = BUF_INIT;
    Hearth__V1__DeleteHandleRequest in = HEARTH__V1__DELETE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    owner_key_set(o, o->version + 1, 0, false, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.handle_hash = auth_data(bytes_of(o->hash, 32));
    in.key_set = auth_data(buf_view(&set));
    enum hearth_code code = auth_world_call(o->world, &o->caller, "DeleteHandle", &in.base, NULL);
    buf_clear(&set);
    return code;
}

/* As handles get another key: the set names the new one and is signed by both. */
static void next_key_set(const struct owner *o, const struct sig_key *next,
                         const struct rotate_faults *faults, struct buf *b)
{
    static const uint8_t commitment[32] = {0xdd};
    uint8_t label[33] = {KEY_SET_LABEL_HANDLE};
    memcpy(label + 1, o->hash, 32);
    label[32] ^= faults->wrong_label;
    const struct bytes ids[2] = {bytes_str("handle"), bytes_str("handle")};
    const struct sig_key *keys[2] = {next, &o->caller.key};
    const struct key_set set = {
        .label = bytes_of(label, sizeof label),
        .version = o->version + 1 + faults->wrong_version,
        .prev_commitment = bytes_of(commitment, 32),
        .created_ms = 1800000000000,
        .reset = faults->reset,
        .clients = {{ids[0], sig_ed25519.scheme, public_key_view(&next->public_key), 1,
                     KEY_SET_AUTHORISES}},
        .client_count = 1,
    };
    assert_ok(key_set_make(b, &set, keys, ids, faults->unsigned_by_old || faults->reset ? 1 : 2));
}

enum hearth_code owner_rotate(struct owner *o, const uint8_t idempotency[16], struct sig_key *next,
                              const struct rotate_faults *faults)
{
    static const struct rotate_faults none;
    struct buf set = BUF_INIT, single = BUF_INIT, last = BUF_INIT;
    const struct sig_key mine = o->caller.key;
    Hearth__V1__RotateHandleRequest in = HEARTH__V1__ROTATE_HANDLE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    ProtobufCBinaryData views[2];
    faults = faults != NULL ? faults : &none;
    next_key_set(o, faults->same_key ? &o->caller.key : next, faults, &set);
    if (!faults->old_packages)
        o->caller.key = *next;
    owner_package(o, 0x11, false, 30, &single);
    owner_package(o, 0x1f, true, 90, &last);
    views[0] = auth_data(buf_view(&single));
    views[1] = auth_data(buf_view(&last));
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.handle_hash = auth_data(bytes_of(o->hash, 32));
    in.key_set = auth_data(buf_view(&set));
    in.packages = views;
    in.n_packages = 2;
    o->caller.key = faults->by_next ? *next : mine;
    enum hearth_code code = auth_world_call(o->world, &o->caller, "RotateHandle", &in.base, NULL);
    o->caller.key = mine;
    buf_clear(&set);
    buf_clear(&single);
    buf_clear(&last);
    return code;
}

void owner_package(const struct owner *o, uint8_t number, bool last_resort, uint64_t days,
                   struct buf *b)
{
    uint8_t key[32];
    memset(key, number, sizeof key);
    const uint64_t now = clock_unix_ms(&o->world->clock) / 1000;
    const struct connection_package fields = {
        .hpke_key = bytes_of(key, 32),
        .not_before = now,
        .not_after = now + days * 86400,
        .handle_hash = o->hash,
        .last_resort = last_resort,
    };
    assert_ok(connection_package_make(b, &fields, &o->caller.key));
}

enum hearth_code owner_publish(struct owner *o, size_t single_use, bool last_resort)
{
    enum { MOST = 101 };
    struct buf packages[MOST] = {0};
    ProtobufCBinaryData views[MOST];
    Hearth__V1__PublishConnectionPackagesRequest in =
        HEARTH__V1__PUBLISH_CONNECTION_PACKAGES_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t idempotency[16] = {0x70, o->hash[0], ++o->next_id};
    for (size_t i = 0; i < single_use; i++)
        owner_package(o, (uint8_t)(i + 1), false, 30, &packages[in.n_packages++]);
    if (last_resort)
        owner_package(o, 0xff, true, 90, &packages[in.n_packages++]);
    for (size_t i = 0; i < in.n_packages; i++)
        views[i] = auth_data(buf_view(&packages[i]));
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.handle_hash = auth_data(bytes_of(o->hash, 32));
    in.packages = views;
    enum hearth_code code =
        auth_world_call(o->world, &o->caller, "PublishConnectionPackages", &in.base, NULL);
    for (size_t i = 0; i < in.n_packages; i++)
        buf_clear(&packages[i]);
    return code;
}

void owner_fetch(struct owner *o, struct auth_stream *s)
{
    Hearth__V1__ConnectRequest in = HEARTH__V1__CONNECT_REQUEST__INIT;
    Hearth__V1__FetchConnectionPackage fetch = HEARTH__V1__FETCH_CONNECTION_PACKAGE__INIT;
    fetch.handle_hash = auth_data(bytes_of(o->hash, 32));
    in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_FETCH;
    in.fetch = &fetch;
    auth_stream_open(o->world, NULL, "Connect", s);
    auth_stream_send(s, &in.base);
}

const Hearth__V1__ConnectionPackage *fetched(const struct auth_stream *s)
{
    assert_true(s->count >= 1);
    const Hearth__V1__ConnectResponse *item = (const Hearth__V1__ConnectResponse *)s->items[0];
    assert_int_equal(item->step_case, HEARTH__V1__CONNECT_RESPONSE__STEP_PACKAGE);
    return item->package;
}

void stream_offer(struct auth_stream *s, struct bytes sealed)
{
    Hearth__V1__ConnectRequest in = HEARTH__V1__CONNECT_REQUEST__INIT;
    Hearth__V1__ConnectionOffer offer = HEARTH__V1__CONNECTION_OFFER__INIT;
    offer.sealed = auth_data(sealed);
    in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_OFFER;
    in.offer = &offer;
    auth_stream_send(s, &in.base);
}

void owner_listen(struct owner *o, struct auth_stream *s)
{
    Hearth__V1__ListenHandleRequest in = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    Hearth__V1__ListenHandleStart start = HEARTH__V1__LISTEN_HANDLE_START__INIT;
    start.handle_hash = auth_data(bytes_of(o->hash, 32));
    in.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_START;
    in.start = &start;
    auth_stream_open(o->world, &o->caller, "ListenHandle", s);
    auth_stream_send(s, &in.base);
}

void owner_ack(struct auth_stream *s, uint64_t up_to)
{
    Hearth__V1__ListenHandleRequest in = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = up_to;
    auth_stream_send(s, &in.base);
}

const Hearth__V1__ListenHandleResponse *offer_at(const struct auth_stream *s, size_t i)
{
    assert_true(i < s->count);
    return (const Hearth__V1__ListenHandleResponse *)s->items[i];
}
