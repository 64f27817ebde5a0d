/* The largest commit there may be, 999 Adds with the largest leaves, through the service as it is
 * shipped: threads, one loop, limits on. It is accepted, or refused by name where the state would
 * grow over its bound; and meanwhile the loop answers others. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "crypto/labelled.h"
#include "hearth/v1/delivery_rpc.h"
#include "kit/kit_sign.h"
#include "seal/delivery_body.h"
#include "seal/request_auth.h"
#include "seal/sealed_ref.h"
#include "server/delivery/group_store.h"
#include "support/store_dir.h"
#include "support/test.h"

#define DOMAIN "a.test"
enum { JOINERS = 999, REF_BYTES = 160, GROUP_INFO_BYTES = 4000 };

/* The kit's leaves live in its own time; seconds go by as they do. */
static uint64_t kit_monotonic_us(void *self)
{
    (void)self;
    return clock_monotonic_us(&clock_system);
}
static uint64_t kit_unix_ms(void *self)
{
    (void)self;
    return (uint64_t)KIT_NOW * 1000 + clock_monotonic_us(&clock_system) / 1000 % 1000000;
}
static const struct clock kit_clock = {kit_monotonic_us, kit_unix_ms, NULL};

static struct kit k;
static struct store_dir folder;
static struct front_env env;
static struct front *front;
static struct delivery *delivery;
static struct hearth_server *server;
static struct hearth_channel *channel;
static char address[300];
static struct buf group_id;
static uint8_t state_key[STATE_KEY_BYTES] = {9};
static struct bytes keys_of_leaves; /* LeafKeys, for the authenticated_data */

static struct bytes pseudonym_of(uint32_t client)
{
    uint8_t id[PSEUDONYM_BYTES] = {0};
    (void)snprintf((char *)id, sizeof id, "client %u", (unsigned)client);
    return bytes_of(arena_copy(&k.arena, id, sizeof id), sizeof id);
}

/* Every leaf of the kit gets Hearth's credential, the largest; the kit's name is the pseudonym. */
static void set_credential(struct kit *kit, struct leaf_node *leaf)
{
    static const uint8_t sealed[SEALED_IDENTITY_LONG_BYTES] = {7};
    uint8_t pseudonym[PSEUDONYM_BYTES] = {0};
    struct buf body = BUF_INIT;
    memcpy(pseudonym, leaf->credential.body.data, leaf->credential.body.len);
    buf_append(&body, pseudonym, sizeof pseudonym);
    wire_write_vector(&body, bytes_of(sealed, sizeof sealed));
    leaf->credential = (struct mls_credential){LEAF_CREDENTIAL_TYPE, kit_take(kit, &body)};
}

static void bind(struct kit *kit, struct framed_content *content)
{
    (void)kit;
    content->authenticated_data = keys_of_leaves;
}

static struct extensions make_context(void)
{
    struct public_key key;
    struct buf roles = BUF_INIT, senders = BUF_INIT, all = BUF_INIT;
    uint8_t admin[1][PSEUDONYM_BYTES];
    memcpy(admin[0], pseudonym_of(0).data, sizeof admin[0]);
    roles_write(&roles, (const uint8_t(*)[PSEUDONYM_BYTES])admin, 1);
    assert_ok(keeper_public(env.keeper, KEEPER_EXTERNAL_SENDER, &key));
    size_t mark = wire_vector_begin(&senders);
    external_sender_write(
        &senders,
        &(struct external_sender){public_key_view(&key), {CREDENTIAL_BASIC, bytes_str(DOMAIN)}});
    wire_vector_end(&senders, mark);
    extension_write(&all, ROLES_EXTENSION_TYPE, kit_take(&k, &roles));
    extension_write(&all, EXTENSION_EXTERNAL_SENDERS, kit_take(&k, &senders));
    return (struct extensions){kit_take(&k, &all)};
}

/* ---- the group of one, put into the store as it would lie there */

static struct err insert(struct store_txn *txn, void *sealed)
{
    return group_store_insert(txn, delivery, buf_view(&group_id), sealed, delivery_now_s(delivery));
}

static void store_group(void)
{
    struct group_state state = {.suite = k.suite, .epoch = k.group.context.epoch};
    struct sealed_group sealed;
    struct leaf_node leaf;
    struct buf saved = BUF_INIT;
    assert_true(public_group_leaf(&k.group, 0, &leaf));
    struct leaf_entry entry = {.month = month_of(delivery_now_s(delivery)),
                               .signature_key = leaf.signature_key,
                               .pseudonym = pseudonym_of(0),
                               .user_pseudonym = pseudonym_of(0),
                               .wrapped_identity_key = kit_random(&k, 256),
                               .domain = bytes_str(DOMAIN),
                               .sealed_ref = kit_random(&k, REF_BYTES),
                               .ref_signature = kit_random(&k, 64)};
    assert_ok(group_state_put(&state, &entry));
    public_group_save(&saved, &k.group);
    state.public_group = buf_view(&saved);
    assert_ok(group_seal(delivery, buf_view(&group_id), state_key, 1, &state, &sealed));
    assert_ok(store_call(delivery_store(delivery), insert, &sealed));
    sealed_group_clear(&sealed);
    buf_clear(&saved);
    group_state_clear(&state);
}

static struct err read_version(struct store_txn *txn, void *version)
{
    struct buf plain = BUF_INIT;
    struct err err =
        group_store_load(txn, delivery, buf_view(&group_id), state_key, &plain, version);
    buf_clear(&plain);
    return err;
}

static uint64_t version_now(void)
{
    uint64_t version = 0;
    assert_ok(store_call_read(delivery_store(delivery), read_version, &version));
    return version;
}

/* ---- life */

static int setup(void **state)
{
    (void)state;
    static struct hearth_interceptor interceptor;
    struct front_options front_options = {0};
    struct delivery_options options = {0};
    store_dir_make_fast(&folder);
    (void)snprintf(address, sizeof address, "unix:%s/s", folder.folder);
    env = (struct front_env){
        .domain = DOMAIN, .development = true, .clock = &kit_clock, .rng = &rng_system};
    group_id = BUF_INIT;
    domain_name_write(
        &group_id, &(struct domain_name){(const uint8_t *)"0123456789abcdef", bytes_str(DOMAIN)});
    assert_ok(keeper_open(NULL, bytes_str(DOMAIN), &kit_clock, &rng_system, &env.keeper));
    assert_ok(front_new(&env, &front_options, &front));
    assert_ok(limits_set(front_limits(front), "RESERVE_PREFIX", 10000));
    assert_ok(limits_set(front_limits(front), "ANONYMOUS_PREFIX", 10000));
    options.store.path = folder.path;
    options.store.mode = STORE_THREADS;
    assert_ok(delivery_open(&env, &options, &delivery));
    interceptor = front_interceptor(front);
    server = hearth_server_new(&(struct hearth_server_options){
        .threads = 1, .no_health = true, .interceptors = &interceptor, .interceptor_count = 1});
    assert_non_null(server);
    assert_ok(delivery_add(delivery, server));
    assert_true(hearth_server_listen(server, address, NULL));
    assert_true(hearth_server_start(server));
    channel = hearth_channel_new(address, NULL);
    assert_non_null(channel);
    kit_init(&k, suite_find(1), 1);
    k.group_id = buf_view(&group_id);
    k.hooks.leaf = set_credential;
    k.capabilities_credentials = kit_list(&k, 1, (const uint16_t[]){LEAF_CREDENTIAL_TYPE});
    k.capabilities_extensions =
        kit_list(&k, 2, (const uint16_t[]){ROLES_EXTENSION_TYPE, GROUP_DATA_EXTENSION_TYPE});
    struct extensions context = make_context();
    kit_group(&k, 1, false, &context);
    store_group();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    hearth_channel_free(channel);
    hearth_server_free(server);
    delivery_close(delivery);
    front_free(front);
    keeper_close(env.keeper);
    kit_clear(&k);
    buf_clear(&group_id);
    store_dir_remove(&folder);
    return 0;
}

/* ---- the commit */

static ProtobufCBinaryData pb(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, arena_copy(&k.arena, view.data, view.len)};
}

static void *room(size_t len)
{
    void *memory = arena_alloc(&k.arena, len);
    assert_non_null(memory);
    return memory;
}

static Hearth__V1__LeafRecord *make_record(uint32_t client)
{
    Hearth__V1__LeafRecord *record = room(sizeof *record);
    Hearth__V1__QueueReference *reference = room(sizeof *reference);
    struct signature signature;
    hearth__v1__leaf_record__init(record);
    hearth__v1__queue_reference__init(reference);
    reference->domain = room(sizeof DOMAIN);
    memcpy(reference->domain, DOMAIN, sizeof DOMAIN);
    reference->sealed = pb(kit_random(&k, REF_BYTES));
    assert_ok(sealed_ref_sign(&k.clients[client].key, bytes_str(DOMAIN),
                              bytes_of(reference->sealed.data, reference->sealed.len), &signature));
    reference->signature = pb(signature_view(&signature));
    record->queue_reference = reference;
    record->wrapped_identity_key = pb(kit_random(&k, 256));
    record->wrapped_profile_key = pb(kit_random(&k, 256));
    record->user_pseudonym = pb(pseudonym_of(client));
    return record;
}

static struct leaf_news news_of(const Hearth__V1__LeafRecord *record)
{
    return (struct leaf_news){.user_pseudonym = record->user_pseudonym.data,
                              .wrapped_identity_key = pb_view(record->wrapped_identity_key),
                              .wrapped_profile_key = pb_view(record->wrapped_profile_key)};
}

static Hearth__V1__JoinerPart *make_part(struct bytes key_package, uint32_t client)
{
    Hearth__V1__JoinerPart *part = room(sizeof *part);
    struct digest ref;
    struct buf secrets = BUF_INIT;
    assert_ok(labelled_ref_hash(k.suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"),
                                key_package, &ref));
    wire_write_vector(&secrets, digest_view(&ref));
    wire_write_vector(&secrets, kit_kem_key(&k)); /* HPKECiphertext: nobody here can open it */
    wire_write_vector(&secrets, kit_random(&k, 100));
    hearth__v1__joiner_part__init(part);
    part->encrypted_group_secrets = pb(kit_take(&k, &secrets));
    part->leaf = make_record(client);
    return part;
}

/* What the committer signs over the epoch that its commit begins. */
static Hearth__V1__GroupInfoParts *make_info(struct bytes commit)
{
    Hearth__V1__GroupInfoParts *parts = room(sizeof *parts);
    struct staged_commit *staged = kit_stage(&k, commit);
    struct buf pub = BUF_INIT, list = BUF_INIT, tbs = BUF_INIT;
    wire_write_vector(&pub, kit_kem_key(&k));
    extension_write(&list, EXTENSION_EXTERNAL_PUB, kit_take(&k, &pub));
    struct extensions extensions = {kit_take(&k, &list)};
    struct group_info info = {.group_context = staged->next_context,
                              .extensions = extensions,
                              .confirmation_tag = digest_view(&staged->confirmation_tag),
                              .signer = 0};
    group_info_write_tbs(&tbs, &info);
    hearth__v1__group_info_parts__init(parts);
    parts->signature = pb(kit_sign(&k, &kit_at(&k, 0)->key, "GroupInfoTBS", buf_view(&tbs)));
    extensions_write(&list, &extensions);
    parts->extensions = pb(buf_view(&list));
    parts->confirmation_tag = pb(digest_view(&staged->confirmation_tag));
    staged_commit_free(&staged);
    buf_clear(&list);
    buf_clear(&tbs);
    return parts;
}

static void fill_common(Hearth__V1__CommitRequest *in)
{
    in->idempotency = room(sizeof *in->idempotency);
    in->group = room(sizeof *in->group);
    hearth__v1__idempotency__init(in->idempotency);
    hearth__v1__group_access__init(in->group);
    in->idempotency->id = pb(kit_random(&k, 16));
    in->group->group_id = pb(buf_view(&group_id));
    in->group->state_key = pb(bytes_of(state_key, sizeof state_key));
}

static Hearth__V1__CommitRequest *make_commit(void)
{
    Hearth__V1__CommitRequest *in = room(sizeof *in);
    struct proposal_or_ref *list = room(JOINERS * sizeof *list);
    struct leaf_news *news = room(JOINERS * sizeof *news);
    struct buf keys = BUF_INIT;
    hearth__v1__commit_request__init(in);
    fill_common(in);
    in->joiners = room(JOINERS * sizeof *in->joiners);
    in->n_joiners = JOINERS;
    for (uint32_t i = 0; i < JOINERS; i++) {
        uint32_t client = kit_client_new(&k);
        list[i] = kit_by_value(&k, kit_add(&k, client));
        in->joiners[i] = make_part(list[i].proposal.add->raw, client);
        news[i] = news_of(in->joiners[i]->leaf);
    }
    leaf_keys_write(&keys, news, JOINERS);
    keys_of_leaves = kit_take(&k, &keys);
    k.hooks.content = bind;
    in->commit = pb(kit_commit(&k, 0, list, JOINERS, true));
    in->group_info = make_info(pb_view(in->commit));
    in->welcome_group_info = pb(kit_random(&k, GROUP_INFO_BYTES));
    return in;
}

/* ---- calls */

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    uint8_t nonce[REQUEST_NONCE_BYTES];
    struct digest hash;
    struct buf id = BUF_INIT, header = BUF_INIT;
    (void)self;
    hash_once(&hash_sha256, bytes_of(message, len), &hash);
    assert_ok(rng_fill(&rng_system, nonce, sizeof nonce));
    member_id_write(&id, &(struct member_id){buf_view(&group_id), 0});
    struct request_auth auth = {.kind = REQUEST_MEMBER,
                                .id = buf_view(&id),
                                .audience = bytes_str(DOMAIN),
                                .time_ms = clock_unix_ms(&kit_clock),
                                .nonce = nonce};
    assert_ok(request_auth_sign(&header, &auth, bytes_str(endpoint->path), hash.data,
                                &kit_at(&k, 0)->key));
    bool ok = hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len);
    buf_clear(&id);
    buf_clear(&header);
    return ok ? HEARTH_OK : HEARTH_INTERNAL;
}

static enum hearth_code send_commit(const Hearth__V1__CommitRequest *in, char said[200])
{
    const struct hearth_call_options options = {.signer = {sign, NULL}, .no_retry = true};
    Hearth__V1__CommitResponse *out = NULL;
    struct hearth_status status = {0};
    enum hearth_code code = hearth_delivery_commit(channel, &options, in, &out, &status);
    (void)snprintf(said, 200, "%s", status.message != NULL ? status.message : "");
    if (out != NULL)
        protobuf_c_message_free_unpacked(&out->base, NULL);
    hearth_status_clear(&status);
    return code;
}

static void refused_where_the_state_grows_too_large(void **state)
{
    (void)state;
    char said[200];
    Hearth__V1__CommitRequest *in = make_commit();
    assert_ok(limits_set(front_limits(front), "GROUP_STATE_BYTES", 1 << 20));
    assert_int_equal(send_commit(in, said), HEARTH_RESOURCE_EXHAUSTED);
    assert_string_equal(said, "larger than the limit");
    assert_int_equal(version_now(), 1);
    struct delivery_stats stats;
    assert_ok(delivery_stats(delivery, &stats));
    assert_int_equal(stats.outbox_rows, 0);
    assert_int_equal(stats.past_trees, 0);
    /* as shipped it has room */
    assert_ok(limits_set(front_limits(front), "GROUP_STATE_BYTES", 4 << 20));
    assert_ok(limits_set(front_limits(front), "WELCOMES", 2000)); /* those went with the first */
    assert_ok(limits_set(front_limits(front), "SEND_LEAF_KIB", 100000));
    in->idempotency->id = pb(kit_random(&k, 16));
    enum hearth_code code = send_commit(in, said);
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), said);
    assert_int_equal(version_now(), 2);
}

/* Asks for group ids, which is work of the loop alone, until it is over. */
static _Atomic bool over;
static void *ask(void *arg)
{
    struct hearth_channel *own = hearth_channel_new(address, NULL);
    uintptr_t answers = 0;
    double *worst_ms = arg;
    while (!atomic_load(&over)) {
        Hearth__V1__ReserveGroupIdRequest in = HEARTH__V1__RESERVE_GROUP_ID_REQUEST__INIT;
        Hearth__V1__ReserveGroupIdResponse *out = NULL;
        struct hearth_status status = {0};
        uint64_t from = clock_monotonic_us(&clock_system);
        answers += hearth_delivery_reserve_group_id(own, NULL, &in, &out, &status) == HEARTH_OK;
        double ms = (double)(clock_monotonic_us(&clock_system) - from) / 1000;
        *worst_ms = ms > *worst_ms && answers > 1 ? ms : *worst_ms;
        if (out != NULL)
            protobuf_c_message_free_unpacked(&out->base, NULL);
        hearth_status_clear(&status);
    }
    hearth_channel_free(own);
    return (void *)answers; /* NOLINT: a count */
}

static void the_loop_answers_meanwhile(void **state)
{
    (void)state;
    char said[200];
    pthread_t asking;
    void *answers;
    double worst_ms = 0;
    Hearth__V1__CommitRequest *in = make_commit();
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&asking, NULL, ask, &worst_ms), 0);
    uint64_t from = clock_monotonic_us(&clock_system);
    enum hearth_code code = send_commit(in, said);
    double took_ms = (double)(clock_monotonic_us(&clock_system) - from) / 1000;
    atomic_store(&over, true);
    assert_int_equal(pthread_join(asking, &answers), 0);
    if (code != HEARTH_OK)
        fail_msg("%s: %s", hearth_code_name(code), said);
    struct delivery_stats stats;
    assert_ok(delivery_stats(delivery, &stats));
    assert_int_equal(stats.outbox_rows, JOINERS); /* Welcomes; there was nobody else */
    assert_int_equal(stats.past_trees, 1);
    print_message("%zu KiB with %d Adds took %.0f ms; meanwhile %zu answers, the slowest after "
                  "%.1f ms\n",
                  in->commit.len / 1024, JOINERS, took_ms, (size_t)(uintptr_t)answers, worst_ms);
    /* it took a reader hundreds of milliseconds; the loop was never held up for half of that */
    assert_true(worst_ms < took_ms / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refused_where_the_state_grows_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(the_loop_answers_meanwhile, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
