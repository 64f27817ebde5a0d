#include "support/auth/person.h"

/* ---- names and keys */

void person_init(struct person *p, struct auth_world *w)
{
    person_init_at(p, w, AUTH_WORLD_DOMAIN);
}

void person_init_at(struct person *p, struct auth_world *w, const char *domain)
{
    *p = (struct person){.world = w, .domain = domain, .index_bytes = 32};
    assert_ok(rng_fill(&w->rng, p->uuid, sizeof p->uuid));
    const struct domain_name name = {p->uuid, bytes_str(domain)};
    domain_name_write(&p->user, &name);
    (void)person_add_device(p);
    p->devices[0].in_set = true;
}

void person_clear(struct person *p)
{
    for (size_t i = 0; i < p->device_count; i++) {
        buf_clear(&p->devices[i].name);
        caller_clear(&p->devices[i].caller);
    }
    buf_clear(&p->user);
}

struct device *person_add_device(struct person *p)
{
    struct auth_world *w = p->world;
    assert_true(p->device_count < PERSON_CLIENTS);
    struct device *d = &p->devices[p->device_count++];
    assert_ok(rng_fill(&w->rng, d->uuid, sizeof d->uuid));
    const struct client_id id = {{p->uuid, bytes_str(p->domain)}, d->uuid};
    client_id_write(&d->name, &id);
    caller_init(&d->caller, REQUEST_CLIENT, buf_view(&d->name), AUTH_WORLD_DOMAIN, &w->clock,
                &w->rng);
    return d;
}

void person_next_id(struct person *p, uint8_t id[16])
{
    memset(id, 0, 16);
    memcpy(id, p->uuid, 8);
    id[15] = ++p->next_id;
}

void device_request(const struct device *d, struct buf *b)
{
    assert_ok(credential_request_make(b, buf_view(&d->name), &d->caller.key));
}

/* ---- KeySets */

static int by_id(const void *a, const void *b)
{
    const struct client_key *x = a, *y = b;
    return bytes_compare(x->client_id, y->client_id);
}

static void fill_clients(const struct person *p, const struct device *added,
                         const struct set_faults *faults, struct key_set *set)
{
    for (size_t i = 0; i < p->device_count; i++) {
        const struct device *d = &p->devices[i];
        if (!d->in_set && d != added)
            continue;
        set->clients[set->client_count++] = (struct client_key){
            .client_id = bytes_of(d->uuid, 16),
            .sig_scheme = sig_ed25519.scheme,
            .public_key = faults->other_key && d == added
                              ? public_key_view(&d->caller.other_key.public_key)
                              : caller_public_key(&d->caller),
            .added_ms = 1000 + i,
            .flags = faults->no_authority ? 0 : KEY_SET_AUTHORISES,
        };
    }
    qsort(set->clients, set->client_count, sizeof *set->clients, by_id);
}

void person_key_set(struct person *p, uint32_t version, const struct device *by,
                    const struct device *added, const struct set_faults *faults, struct buf *b)
{
    static const struct set_faults none;
    static const uint8_t commitment[32] = {0xcc};
    struct buf label = BUF_INIT;
    const struct sig_key *keys[2];
    struct bytes ids[2];
    size_t signers = 0;
    if (faults == NULL)
        faults = &none;
    buf_append_byte(&label, faults->wrong_label ? KEY_SET_LABEL_HANDLE : KEY_SET_LABEL_USER);
    buf_append_bytes(&label, buf_view(&p->user));
    struct key_set set = {
        .label = buf_view(&label),
        .version = version + faults->wrong_version,
        .prev_commitment = bytes_of(commitment, version > 0 ? 32 : 0),
        .created_ms = 1800000000000,
        .reset = faults->reset,
    };
    fill_clients(p, added, faults, &set);
    if (faults->changes_other)
        set.clients[bytes_equal(set.clients[0].client_id, bytes_of(added->uuid, 16))].added_ms++;
    if (faults->recovery_key)
        set.recovery_key = caller_public_key(&p->devices[0].caller);
    if (by != NULL && !faults->unsigned_by_old) {
        keys[signers] = &by->caller.key;
        ids[signers++] = bytes_of(by->uuid, 16);
    }
    if (added != NULL && added != by && !faults->unsigned_by_new) {
        keys[signers] = faults->other_key ? &added->caller.other_key : &added->caller.key;
        ids[signers++] = bytes_of(added->uuid, 16);
    }
    assert_ok(key_set_make(b, &set, keys, ids, signers));
    buf_clear(&label);
}

/* ---- users */

enum hearth_code person_register_with(struct person *p, const uint8_t code[16],
                                      const uint8_t idempotency[16],
                                      const struct set_faults *faults,
                                      Hearth__V1__RegisterUserResponse **out)
{
    struct buf request = BUF_INIT, set = BUF_INIT;
    uint8_t index[32];
    Hearth__V1__RegisterUserRequest in = HEARTH__V1__REGISTER_USER_REQUEST__INIT;
    Hearth__V1__RegistrationPermit permit = HEARTH__V1__REGISTRATION_PERMIT__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    device_request(&p->devices[0], &request);
    person_key_set(p, 0, NULL, &p->devices[0], faults, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    permit.permit_case = HEARTH__V1__REGISTRATION_PERMIT__PERMIT_INVITATION;
    permit.invitation = auth_data(bytes_of(code, 16));
    in.idempotency = &id;
    in.permit = &permit;
    in.credential_request = auth_data(buf_view(&request));
    in.key_set = auth_data(buf_view(&set));
    if (p->profile != NULL) {
        memset(index, 0x77, sizeof index);
        in.profile = auth_data(bytes_str(p->profile));
        in.profile_index = auth_data(bytes_of(index, p->index_bytes));
    }
    enum hearth_code result =
        auth_world_call(p->world, NULL, "RegisterUser", &in.base, (ProtobufCMessage **)out);
    buf_clear(&request);
    buf_clear(&set);
    return result;
}

enum hearth_code person_register(struct person *p)
{
    struct buf code = BUF_INIT;
    uint8_t id[16];
    person_next_id(p, id);
    assert_ok(auth_invite(p->world->auth, 1, 0, &code));
    enum hearth_code result = person_register_with(p, code.data, id, NULL, NULL);
    buf_clear(&code);
    return result;
}

enum hearth_code person_add_client(struct person *p, struct device *by, struct device *added,
                                   const struct set_faults *faults)
{
    struct buf request = BUF_INIT, set = BUF_INIT;
    Hearth__V1__AddClientRequest in = HEARTH__V1__ADD_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t idempotency[16];
    person_next_id(p, idempotency);
    device_request(added, &request);
    person_key_set(p, p->version + 1, by, added, faults, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.credential_request = auth_data(buf_view(&request));
    in.key_set = auth_data(buf_view(&set));
    enum hearth_code code = auth_world_call(p->world, &by->caller, "AddClient", &in.base, NULL);
    if (code == HEARTH_OK) {
        p->version++;
        added->in_set = true;
    }
    buf_clear(&request);
    buf_clear(&set);
    return code;
}

enum hearth_code person_remove_client(struct person *p, struct device *by, struct device *gone,
                                      const uint8_t idempotency[16])
{
    struct buf set = BUF_INIT;
    Hearth__V1__RemoveClientRequest in = HEARTH__V1__REMOVE_CLIENT_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    gone->in_set = false;
    person_key_set(p, p->version + 1, by, NULL, NULL, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.client_id = auth_data(bytes_of(gone->uuid, 16));
    in.key_set = auth_data(buf_view(&set));
    enum hearth_code code = auth_world_call(p->world, &by->caller, "RemoveClient", &in.base, NULL);
    buf_clear(&set);
    return code;
}

enum hearth_code person_delete(struct person *p, struct device *by, const uint8_t idempotency[16])
{
    struct buf set = BUF_INIT;
    struct person nobody = *p;
    Hearth__V1__DeleteUserRequest in = HEARTH__V1__DELETE_USER_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    nobody.device_count = 0;
    person_key_set(&nobody, p->version + 1, by, NULL, NULL, &set);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.key_set = auth_data(buf_view(&set));
    enum hearth_code code = auth_world_call(p->world, &by->caller, "DeleteUser", &in.base, NULL);
    buf_clear(&set);
    return code;
}

enum hearth_code person_list(struct person *p, struct device *by,
                             Hearth__V1__ListClientsResponse **out)
{
    Hearth__V1__ListClientsRequest in = HEARTH__V1__LIST_CLIENTS_REQUEST__INIT;
    return auth_world_call(p->world, &by->caller, "ListClients", &in.base,
                           (ProtobufCMessage **)out);
}

/* ---- profiles */

enum hearth_code person_stage_profile(struct person *p, struct device *by, uint8_t index,
                                      struct bytes profile)
{
    Hearth__V1__StageProfileRequest in = HEARTH__V1__STAGE_PROFILE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t idempotency[16], whole[32];
    person_next_id(p, idempotency);
    memset(whole, index, sizeof whole);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    in.index = auth_data(bytes_of(whole, 32));
    in.profile = auth_data(profile);
    return auth_world_call(p->world, &by->caller, "StageProfile", &in.base, NULL);
}

enum hearth_code person_commit_profile(struct person *p, struct device *by)
{
    Hearth__V1__CommitProfileRequest in = HEARTH__V1__COMMIT_PROFILE_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t idempotency[16];
    person_next_id(p, idempotency);
    id.id = auth_data(bytes_of(idempotency, 16));
    in.idempotency = &id;
    return auth_world_call(p->world, &by->caller, "CommitProfile", &in.base, NULL);
}

enum hearth_code world_get_profile(struct auth_world *w, uint8_t index, struct buf *profile)
{
    Hearth__V1__GetProfileRequest in = HEARTH__V1__GET_PROFILE_REQUEST__INIT;
    Hearth__V1__GetProfileResponse *out = NULL;
    uint8_t whole[32];
    memset(whole, index, sizeof whole);
    in.index = auth_data(bytes_of(whole, 32));
    enum hearth_code code =
        auth_world_call(w, NULL, "GetProfile", &in.base, (ProtobufCMessage **)&out);
    if (out != NULL) {
        buf_clear(profile);
        buf_append_bytes(profile, auth_view(out->profile));
        hearth__v1__get_profile_response__free_unpacked(out, NULL);
    }
    return code;
}
