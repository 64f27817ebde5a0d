/* Handles, their packages, Connect and ListenHandle. */
#include "support/auth/person.h"

struct auth_listeners;

/* Wake-ups go through here (-Wl,--wrap), to be lost as they are when there is no memory to post. */
static bool lose_wakes;
void __real_listeners_wake(struct auth_listeners *listeners, const uint8_t *handle);
void __wrap_listeners_wake(struct auth_listeners *listeners, const uint8_t *handle);
void __wrap_listeners_wake(struct auth_listeners *listeners, const uint8_t *handle)
{
    if (!lose_wakes)
        __real_listeners_wake(listeners, handle);
}

/* The post that fences an older listener likewise. */
struct listener;
static bool lose_fence, in_put;
void __real_listeners_put(struct auth_listeners *listeners, struct listener *l);
void __wrap_listeners_put(struct auth_listeners *listeners, struct listener *l);
void __wrap_listeners_put(struct auth_listeners *listeners, struct listener *l)
{
    in_put = lose_fence;
    __real_listeners_put(listeners, l);
    in_put = false;
}

bool __real_hearth_loop_post(struct hearth_loop *loop, void (*fn)(void *arg), void *arg);
bool __wrap_hearth_loop_post(struct hearth_loop *loop, void (*fn)(void *arg), void *arg);
bool __wrap_hearth_loop_post(struct hearth_loop *loop, void (*fn)(void *arg), void *arg)
{
    return !in_put && __real_hearth_loop_post(loop, fn, arg);
}

static struct auth_world w;
static struct owner o;
static const uint8_t id1[16] = {1}, id2[16] = {2}, id3[16] = {3};

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_use_vfs(&w, "handles");
    auth_world_start(&w, false);
    owner_init(&o, &w, 0xa1);
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    owner_clear(&o);
    auth_world_end(&w);
    return 0;
}

static struct auth_counts counts(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c;
}

static bool taken(uint8_t hash)
{
    Hearth__V1__CheckHandleRequest in = HEARTH__V1__CHECK_HANDLE_REQUEST__INIT;
    Hearth__V1__CheckHandleResponse *out = NULL;
    uint8_t whole[32];
    memset(whole, hash, sizeof whole);
    in.handle_hash = auth_data(bytes_of(whole, 32));
    assert_int_equal(auth_world_call(&w, NULL, "CheckHandle", &in.base, (ProtobufCMessage **)&out),
                     HEARTH_OK);
    bool answer = out->taken;
    hearth__v1__check_handle_response__free_unpacked(out, NULL);
    return answer;
}

static enum hearth_code refresh(uint32_t *month)
{
    Hearth__V1__RefreshHandleRequest in = HEARTH__V1__REFRESH_HANDLE_REQUEST__INIT;
    Hearth__V1__RefreshHandleResponse *out = NULL;
    in.handle_hash = auth_data(bytes_of(o.hash, 32));
    enum hearth_code code =
        auth_world_call(&w, &o.caller, "RefreshHandle", &in.base, (ProtobufCMessage **)&out);
    if (out != NULL) {
        *month = out->expires_month;
        hearth__v1__refresh_handle_response__free_unpacked(out, NULL);
    }
    return code;
}

/* ---- handles */

static void one_owner(void **state)
{
    (void)state;
    struct owner other;
    owner_init(&other, &w, 0xa1);
    assert_true(taken(0xa1));
    assert_false(taken(0xa2));
    assert_int_equal(owner_create(&o, id1, false), HEARTH_OK); /* repeated */
    assert_int_equal(owner_create(&other, id2, false), HEARTH_ALREADY_EXISTS);
    /* not under the first one's idempotency id either: the body is another */
    assert_int_equal(owner_create(&other, id1, false), HEARTH_ALREADY_EXISTS);
    assert_int_equal(counts().handles, 1);
    owner_clear(&other);
}

/* CreateHandle brings its key: whoever signs the request must have it. */
static void the_request_is_signed_by_the_key_in_it(void **state)
{
    (void)state;
    struct owner other;
    owner_init(&other, &w, 0xa3);
    other.caller.faults.wrong_key = true;
    assert_int_equal(owner_create(&other, id2, false), HEARTH_UNAUTHENTICATED);
    other.caller.faults = (struct caller_faults){.no_auth = true};
    assert_int_equal(owner_create(&other, id2, false), HEARTH_UNAUTHENTICATED);
    uint8_t elsewhere[32] = {0xa4};
    other.caller.faults = (struct caller_faults){.id = bytes_of(elsewhere, 32)};
    assert_int_equal(owner_create(&other, id2, false), HEARTH_UNAUTHENTICATED);
    other.caller.faults = (struct caller_faults){.other_body = true};
    assert_int_equal(owner_create(&other, id2, false), HEARTH_UNAUTHENTICATED);
    assert_false(taken(0xa3));
    other.caller.faults = (struct caller_faults){0};
    assert_int_equal(owner_create(&other, id2, false), HEARTH_OK);
    /* the nonce of that call is spent */
    other.caller.faults = (struct caller_faults){.replay_nonce = true};
    assert_int_equal(owner_create(&other, id2, false), HEARTH_UNAUTHENTICATED);
    owner_clear(&other);
}

static void it_expires_unless_refreshed(void **state)
{
    (void)state;
    uint32_t month = 0;
    auth_world_days(&w, 170);
    assert_int_equal(refresh(&month), HEARTH_OK);
    assert_true(month >= (2027 - 1970) * 12 + 11 && month <= (2028 - 1970) * 12);
    auth_world_days(&w, 170);
    auth_world_expire(&w);
    assert_true(taken(0xa1));
    auth_world_days(&w, 11);
    assert_false(taken(0xa1));
    assert_int_equal(refresh(&month), HEARTH_UNAUTHENTICATED);
    auth_world_expire(&w);
    assert_int_equal(counts().handles, 0);
}

/* Somebody new goes on in the label's versions, as a reset; version 0 is used up. */
static void a_handle_changes_hands_loudly(void **state)
{
    (void)state;
    struct owner next;
    owner_init(&next, &w, 0xa1);
    assert_int_equal(owner_delete(&o, id2), HEARTH_OK);
    assert_false(taken(0xa1));
    assert_int_equal(owner_create(&next, id3, false), HEARTH_FAILED_PRECONDITION);
    next.version = 2;
    assert_int_equal(owner_create(&next, id3, false), HEARTH_INVALID_ARGUMENT);
    assert_int_equal(owner_create(&next, id3, true), HEARTH_OK);
    assert_true(taken(0xa1));
    assert_int_equal(owner_delete(&o, id3), HEARTH_UNAUTHENTICATED);
    owner_clear(&next);
}

static void a_new_label_takes_no_reset(void **state)
{
    (void)state;
    struct owner other;
    owner_init(&other, &w, 0xa5);
    assert_int_equal(owner_create(&other, id2, true), HEARTH_FAILED_PRECONDITION);
    owner_clear(&other);
}

/* G4 */
static void G4_deleting_repeats(void **state)
{
    (void)state;
    assert_int_equal(owner_publish(&o, 3, true), HEARTH_OK);
    assert_int_equal(owner_delete(&o, id2), HEARTH_OK);
    assert_int_equal(owner_delete(&o, id2), HEARTH_OK);
    assert_int_equal(owner_delete(&o, id3), HEARTH_UNAUTHENTICATED);
    assert_int_equal(counts().handles, 0);
}

/* ---- packages and Connect */

static void packages_are_checked(void **state)
{
    (void)state;
    assert_int_equal(owner_publish(&o, 2, false),
                     HEARTH_INVALID_ARGUMENT); /* none to fall back on */
    struct owner other;
    owner_init(&other, &w, 0xa1); /* another key for this handle */
    Hearth__V1__PublishConnectionPackagesRequest in =
        HEARTH__V1__PUBLISH_CONNECTION_PACKAGES_REQUEST__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    struct buf foreign = BUF_INIT;
    ProtobufCBinaryData view;
    owner_package(&other, 1, true, 30, &foreign);
    view = auth_data(buf_view(&foreign));
    id.id = auth_data(bytes_of(id2, 16));
    in.idempotency = &id;
    in.handle_hash = auth_data(bytes_of(o.hash, 32));
    in.n_packages = 1;
    in.packages = &view;
    assert_int_equal(auth_world_call(&w, &o.caller, "PublishConnectionPackages", &in.base, NULL),
                     HEARTH_INVALID_ARGUMENT);
    buf_clear(&foreign);
    owner_clear(&other);
    assert_int_equal(owner_publish(&o, 100, true), HEARTH_OK);
}

static void hash_of(const struct auth_stream *s, uint8_t hash[32])
{
    connection_package_hash(auth_view(fetched(s)->package), hash);
}

/* K1: each single-use package goes to one requester, across a crash too; then the last resort. */
static void K1_a_package_goes_to_one_requester(void **state)
{
    (void)state;
    enum { SINGLE = 5, ALL = 8 };
    uint8_t hashes[ALL][32];
    assert_int_equal(owner_publish(&o, SINGLE, true), HEARTH_OK);
    for (int i = 0; i < ALL; i++) {
        struct auth_stream s;
        struct connection_package package;
        owner_fetch(&o, &s);
        hash_of(&s, hashes[i]);
        assert_ok(connection_package_read(auth_view(fetched(&s)->package),
                                          caller_public_key(&o.caller), &package));
        assert_int_equal(package.last_resort, i >= SINGLE);
        auth_stream_close(&s);
        if (i == 2)
            auth_world_restart(&w, true);
        for (int j = 0; j < i && i < SINGLE; j++)
            assert_memory_not_equal(hashes[i], hashes[j], 32);
    }
}

/* Beside a package comes the KeySet that CreateHandle stored: it names the key that signs it. */
static void the_key_set_vouches(void **state)
{
    (void)state;
    struct auth_stream s;
    struct key_set set;
    assert_int_equal(owner_publish(&o, 1, true), HEARTH_OK);
    owner_fetch(&o, &s);
    assert_ok(key_set_parse(auth_view(fetched(&s)->key_set), &set));
    assert_ok(key_set_verify(&set, NULL));
    assert_int_equal(set.label.len, 1 + 32);
    assert_int_equal(set.label.data[0], KEY_SET_LABEL_HANDLE);
    assert_memory_equal(set.label.data + 1, o.hash, 32);
    assert_int_equal(set.client_count, 1);
    test_assert_bytes(set.clients[0].public_key, caller_public_key(&o.caller));
    auth_stream_close(&s);
}

/* K1: at the same time. */
static void K1_two_requesters_at_once(void **state)
{
    (void)state;
    struct auth_stream s[2];
    uint8_t hashes[2][32];
    Hearth__V1__ConnectRequest in = HEARTH__V1__CONNECT_REQUEST__INIT;
    Hearth__V1__FetchConnectionPackage fetch = HEARTH__V1__FETCH_CONNECTION_PACKAGE__INIT;
    assert_int_equal(owner_publish(&o, 2, true), HEARTH_OK);
    fetch.handle_hash = auth_data(bytes_of(o.hash, 32));
    in.step_case = HEARTH__V1__CONNECT_REQUEST__STEP_FETCH;
    in.fetch = &fetch;
    for (int i = 0; i < 2; i++) {
        auth_stream_open(&w, NULL, "Connect", &s[i]);
        assert_true(hearth_client_call_write(s[i].call, &in.base) >= 0);
    }
    auth_world_settle(&w);
    for (int i = 0; i < 2; i++)
        hash_of(&s[i], hashes[i]);
    assert_memory_not_equal(hashes[0], hashes[1], 32);
    for (int i = 0; i < 2; i++)
        auth_stream_close(&s[i]);
}

/* P5: a handle that nobody has and one without packages answer alike. */
static void nothing_to_fetch(void **state)
{
    (void)state;
    struct owner nobody;
    struct auth_stream s;
    owner_init(&nobody, &w, 0xee);
    owner_fetch(&o, &s);
    assert_int_equal(s.code, HEARTH_NOT_FOUND);
    auth_stream_close(&s);
    owner_fetch(&nobody, &s);
    assert_int_equal(s.code, HEARTH_NOT_FOUND);
    auth_stream_close(&s);
    owner_clear(&nobody);
}

static void steps_in_order(void **state)
{
    (void)state;
    struct auth_stream s;
    assert_int_equal(owner_publish(&o, 1, true), HEARTH_OK);
    auth_stream_open(&w, NULL, "Connect", &s);
    stream_offer(&s, bytes_str("too early"));
    assert_int_equal(s.code, HEARTH_INVALID_ARGUMENT);
    auth_stream_close(&s);
    owner_fetch(&o, &s);
    hearth_client_call_half_close(s.call); /* seen enough */
    auth_world_settle(&w);
    assert_true(s.done);
    assert_int_equal(s.code, HEARTH_OK);
    auth_stream_close(&s);
    assert_int_equal(counts().offers, 0);
}

/* ---- offers */

static enum hearth_code leave(const char *offer, uint8_t package_hash[32])
{
    struct auth_stream s;
    owner_fetch(&o, &s);
    if (s.count > 0) {
        hash_of(&s, package_hash);
        stream_offer(&s, bytes_str(offer));
    }
    assert_true(s.done);
    enum hearth_code code = s.code;
    auth_stream_close(&s);
    return code;
}

/* Q1, Q2, Q3, Q4 for offers: stored when said so, numbered 1, 2, 3, the same on repeat, and an
 * acknowledgement deletes exactly those up to it, never beyond what was delivered. */
static void Q4_offers_are_delivered_and_acknowledged(void **state)
{
    (void)state;
    struct auth_stream s;
    uint8_t hash[3][32];
    assert_int_equal(owner_publish(&o, 10, true), HEARTH_OK);
    assert_int_equal(leave("one", hash[0]), HEARTH_OK);
    assert_int_equal(leave("two", hash[1]), HEARTH_OK);
    auth_world_restart(&w, true);
    owner_listen(&o, &s);
    assert_int_equal(s.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(offer_at(&s, i)->sequence, i + 1);
        assert_memory_equal(offer_at(&s, i)->package_hash.data, hash[i], 32);
    }
    test_assert_bytes(auth_view(offer_at(&s, 1)->offer), bytes_str("two"));
    owner_ack(&s, 1);
    assert_int_equal(counts().offers, 1);
    owner_ack(&s, 1); /* idempotent */
    assert_int_equal(counts().offers, 1);
    auth_stream_close(&s);
    owner_listen(&o, &s); /* what was not acknowledged comes again, as it was */
    assert_int_equal(s.count, 1);
    assert_int_equal(offer_at(&s, 0)->sequence, 2);
    assert_int_equal(leave("three", hash[2]), HEARTH_OK);
    assert_int_equal(s.count, 2); /* live */
    assert_int_equal(offer_at(&s, 1)->sequence, 3);
    owner_ack(&s, 1000);
    assert_int_equal(counts().offers, 0);
    auth_stream_close(&s);
    owner_listen(&o, &s); /* nothing was delivered here: nothing can be deleted */
    assert_int_equal(leave("four", hash[2]), HEARTH_OK);
    assert_int_equal(offer_at(&s, 0)->sequence, 4);
    auth_stream_close(&s);
    owner_listen(&o, &s);
    assert_int_equal(s.count, 1);
    auth_stream_close(&s);
}

static void Q4_not_beyond_what_was_delivered(void **state)
{
    (void)state;
    struct auth_stream s;
    uint8_t hash[32];
    Hearth__V1__ListenHandleRequest in = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    Hearth__V1__ListenHandleStart start = HEARTH__V1__LISTEN_HANDLE_START__INIT;
    assert_int_equal(owner_publish(&o, 10, true), HEARTH_OK);
    assert_int_equal(leave("one", hash), HEARTH_OK);
    /* the acknowledgement comes with the start, before anything was sent */
    start.handle_hash = auth_data(bytes_of(o.hash, 32));
    in.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_START;
    in.start = &start;
    auth_stream_open(&w, &o.caller, "ListenHandle", &s);
    assert_true(hearth_client_call_write(s.call, &in.base) >= 0);
    owner_ack(&s, 1);
    assert_int_equal(s.count, 1);
    assert_int_equal(counts().offers, 1);
    auth_stream_close(&s);
}

/* Q6: the newer listener fences the older. */
static void Q6_one_listener(void **state)
{
    (void)state;
    struct auth_stream a, b;
    uint8_t hash[32];
    assert_int_equal(owner_publish(&o, 10, true), HEARTH_OK);
    owner_listen(&o, &a);
    owner_listen(&o, &b);
    assert_true(a.done);
    assert_int_equal(a.code, HEARTH_ABORTED);
    assert_false(b.done);
    assert_int_equal(leave("one", hash), HEARTH_OK);
    assert_int_equal(a.count, 0);
    assert_int_equal(b.count, 1);
    auth_stream_close(&a);
    auth_stream_close(&b);
}

/* Q6: a fence that could not be posted for lack of memory is found out within a second; until then
 * the older one is woken no more. */
static void Q6_a_lost_fence(void **state)
{
    (void)state;
    struct auth_stream a, b;
    owner_listen(&o, &a);
    lose_fence = true;
    owner_listen(&o, &b);
    lose_fence = false;
    assert_false(a.done);
    auth_world_run_ms(&w, 1100);
    assert_true(a.done);
    assert_int_equal(a.code, HEARTH_ABORTED);
    assert_false(b.done);
    auth_stream_close(&a);
    auth_stream_close(&b);
}

/* Q5: what is in the store without any wake-up is found within a second. */
static void Q5_no_lost_wake_up(void **state)
{
    (void)state;
    struct auth_stream s;
    uint8_t hash[32];
    assert_int_equal(owner_publish(&o, 10, true), HEARTH_OK);
    owner_listen(&o, &s);
    struct auth_stream c;
    owner_fetch(&o, &c);
    hash_of(&c, hash);
    lose_wakes = true;
    stream_offer(&c, bytes_str("one"));
    lose_wakes = false;
    assert_int_equal(c.code, HEARTH_OK);
    assert_int_equal(s.count, 0);
    auth_world_run_ms(&w, 1100);
    assert_int_equal(s.count, 1);
    auth_stream_close(&c);
    auth_stream_close(&s);
}

static void a_listener_starts_once(void **state)
{
    (void)state;
    struct auth_stream s;
    auth_stream_open(&w, &o.caller, "ListenHandle", &s);
    owner_ack(&s, 1);
    assert_int_equal(s.code, HEARTH_INVALID_ARGUMENT);
    auth_stream_close(&s);
    Hearth__V1__ListenHandleRequest in = HEARTH__V1__LISTEN_HANDLE_REQUEST__INIT;
    Hearth__V1__ListenHandleStart start = HEARTH__V1__LISTEN_HANDLE_START__INIT;
    start.handle_hash = auth_data(bytes_of(o.hash, 32));
    in.step_case = HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_START;
    in.start = &start;
    owner_listen(&o, &s);
    auth_stream_send(&s, &in.base);
    assert_int_equal(s.code, HEARTH_INVALID_ARGUMENT);
    auth_stream_close(&s);
    owner_listen(&o, &s);
    hearth_client_call_half_close(s.call); /* enough */
    auth_world_settle(&w);
    assert_true(s.done);
    assert_int_equal(s.code, HEARTH_OK);
    auth_stream_close(&s);
}

/* A listener that reads nothing holds up neither the server nor those who leave offers, and gets
 * all of them when it reads again: the server writes no further ahead than it may. */
static void a_slow_listener_gets_all(void **state)
{
    (void)state;
    enum { OFFERS = 95 };
    static char offer[16000];
    struct auth_stream s;
    uint8_t hash[32];
    memset(offer, 'o', sizeof offer - 1);
    assert_int_equal(owner_publish(&o, OFFERS, true), HEARTH_OK);
    owner_listen(&o, &s);
    hearth_client_call_pause(s.call);
    for (int i = 0; i < OFFERS; i++) {
        assert_int_equal(leave(offer, hash), HEARTH_OK);
        auth_world_run_ms(&w, 100); /* so many at once on one connection would be misbehaviour */
    }
    auth_world_run_ms(&w, 5000);
    assert_true(s.count < OFFERS);
    assert_false(s.done);
    hearth_client_call_resume(s.call);
    auth_world_run_ms(&w, 2000);
    assert_int_equal(s.count, OFFERS);
    for (size_t i = 0; i < OFFERS; i++)
        assert_int_equal(offer_at(&s, i)->sequence, i + 1);
    auth_stream_close(&s);
}

static void the_listeners_handle_goes(void **state)
{
    (void)state;
    struct auth_stream s;
    owner_listen(&o, &s);
    assert_false(s.done);
    assert_int_equal(owner_delete(&o, id2), HEARTH_OK);
    assert_true(s.done);
    assert_int_equal(s.code, HEARTH_NOT_FOUND);
    auth_stream_close(&s);
}

static void only_the_owner_listens(void **state)
{
    (void)state;
    struct auth_stream s;
    struct owner other;
    owner_init(&other, &w, 0xa7);
    assert_int_equal(owner_create(&other, id2, false), HEARTH_OK);
    memset(other.hash, 0xa1, 32); /* asks for another's under its own name */
    owner_listen(&other, &s);
    assert_int_equal(s.code, HEARTH_UNAUTHENTICATED);
    auth_stream_close(&s);
    owner_clear(&other);
}

static void offers_are_bounded_and_expire(void **state)
{
    (void)state;
    uint8_t hash[32];
    assert_ok(limits_set(front_limits(w.front), "OFFERS_PER_HANDLE", 2));
    assert_int_equal(owner_publish(&o, 10, true), HEARTH_OK);
    assert_int_equal(leave("one", hash), HEARTH_OK);
    assert_int_equal(leave("two", hash), HEARTH_OK);
    assert_int_equal(leave("three", hash), HEARTH_RESOURCE_EXHAUSTED);
    assert_int_equal(counts().offers, 2);
    auth_world_days(&w, 32);
    auth_world_expire(&w);
    assert_int_equal(counts().offers, 0);
    /* the single-use packages have ended, the last resort has not */
    struct auth_stream s;
    struct connection_package package;
    owner_fetch(&o, &s);
    assert_ok(connection_package_read(auth_view(fetched(&s)->package), caller_public_key(&o.caller),
                                      &package));
    assert_true(package.last_resort);
    auth_stream_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(one_owner),
        TEST(the_request_is_signed_by_the_key_in_it),
        TEST(it_expires_unless_refreshed),
        TEST(a_handle_changes_hands_loudly),
        TEST(a_new_label_takes_no_reset),
        TEST(G4_deleting_repeats),
        TEST(packages_are_checked),
        TEST(K1_a_package_goes_to_one_requester),
        TEST(the_key_set_vouches),
        TEST(K1_two_requesters_at_once),
        TEST(nothing_to_fetch),
        TEST(steps_in_order),
        TEST(Q4_offers_are_delivered_and_acknowledged),
        TEST(Q4_not_beyond_what_was_delivered),
        TEST(Q6_one_listener),
        TEST(Q6_a_lost_fence),
        TEST(Q5_no_lost_wake_up),
        TEST(a_listener_starts_once),
        TEST(a_slow_listener_gets_all),
        TEST(the_listeners_handle_goes),
        TEST(only_the_owner_listens),
        TEST(offers_are_bounded_and_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
