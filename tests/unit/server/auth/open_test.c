/* DoS2: registration by a puzzle. */
#include "support/auth/person.h"

static struct auth_world w;
static struct person p;

static int setup(void **state)
{
    (void)state;
    auth_world_init(&w);
    w.options.mode = AUTH_OPEN;
    auth_world_start(&w, false);
    person_init(&p, &w);
    assert_ok(limits_set(front_limits(w.front), "PUZZLE_BITS_LEAST", 6));
    assert_ok(limits_set(front_limits(w.front), "PUZZLE_BITS_MOST", 9));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    person_clear(&p);
    auth_world_end(&w);
    return 0;
}

struct puzzle {
    uint8_t challenge[128];
    size_t len;
    uint32_t bits;
    uint8_t solution[8];
};

static void ask(struct person *person, struct puzzle *puzzle)
{
    Hearth__V1__GetRegistrationChallengeRequest in =
        HEARTH__V1__GET_REGISTRATION_CHALLENGE_REQUEST__INIT;
    Hearth__V1__GetRegistrationChallengeResponse *out = NULL;
    in.client_key = auth_data(caller_public_key(&person->devices[0].caller));
    assert_int_equal(
        auth_world_call(&w, NULL, "GetRegistrationChallenge", &in.base, (ProtobufCMessage **)&out),
        HEARTH_OK);
    assert_true(out->challenge.len <= sizeof puzzle->challenge);
    if (out->challenge.len > 0)
        memcpy(puzzle->challenge, out->challenge.data, out->challenge.len);
    puzzle->len = out->challenge.len;
    puzzle->bits = out->bits;
    hearth__v1__get_registration_challenge_response__free_unpacked(out, NULL);
}

static uint32_t zeros(const struct person *person, const struct puzzle *puzzle)
{
    struct digest d;
    hash_list(&hash_sha256,
              BYTES_LIST(bytes_of(puzzle->challenge, puzzle->len),
                         caller_public_key(&person->devices[0].caller),
                         bytes_of(puzzle->solution, 8)),
              &d);
    uint32_t n = 0;
    while (n < 256 && (d.data[n / 8] >> (7 - n % 8) & 1) == 0)
        n++;
    return n;
}

/* solved: at least as many zeros as wanted; else fewer. */
static void solve(const struct person *person, struct puzzle *puzzle, bool solved)
{
    memset(puzzle->solution, 0, 8);
    for (uint32_t i = 0;; i++) {
        memcpy(puzzle->solution, &i, sizeof i);
        if ((zeros(person, puzzle) >= puzzle->bits) == solved)
            return;
    }
}

static enum hearth_code take_part(struct person *person, const struct puzzle *puzzle, uint8_t n)
{
    struct buf request = BUF_INIT, set = BUF_INIT;
    Hearth__V1__RegisterUserRequest in = HEARTH__V1__REGISTER_USER_REQUEST__INIT;
    Hearth__V1__RegistrationPermit permit = HEARTH__V1__REGISTRATION_PERMIT__INIT;
    Hearth__V1__PuzzleSolution solution = HEARTH__V1__PUZZLE_SOLUTION__INIT;
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    uint8_t whole[16] = {n};
    device_request(&person->devices[0], &request);
    person_key_set(person, 0, NULL, &person->devices[0], NULL, &set);
    id.id = auth_data(bytes_of(whole, 16));
    solution.challenge = auth_data(bytes_of(puzzle->challenge, puzzle->len));
    solution.solution = auth_data(bytes_of(puzzle->solution, 8));
    permit.permit_case = HEARTH__V1__REGISTRATION_PERMIT__PERMIT_SOLUTION;
    permit.solution = &solution;
    in.idempotency = &id;
    in.permit = &permit;
    in.credential_request = auth_data(buf_view(&request));
    in.key_set = auth_data(buf_view(&set));
    enum hearth_code code = auth_world_call(&w, NULL, "RegisterUser", &in.base, NULL);
    buf_clear(&request);
    buf_clear(&set);
    return code;
}

static uint64_t users(void)
{
    struct auth_counts c;
    assert_ok(auth_counts(w.auth, &c));
    return c.users;
}

static void DoS2_a_solved_puzzle_lets_in(void **state)
{
    (void)state;
    struct puzzle puzzle;
    ask(&p, &puzzle);
    assert_int_equal(puzzle.bits, 6);
    solve(&p, &puzzle, true);
    assert_int_equal(take_part(&p, &puzzle, 1), HEARTH_OK);
    assert_int_equal(take_part(&p, &puzzle, 1), HEARTH_OK); /* repeated */
    assert_int_equal(users(), 1);
}

static uint32_t told_bits(void)
{
    ProtobufCMessage *detail =
        hearth_status_find(&w.last, &hearth__v1__proof_of_work_required__descriptor);
    assert_non_null(detail);
    uint32_t bits = ((Hearth__V1__ProofOfWorkRequired *)detail)->bits;
    protobuf_c_message_free_unpacked(detail, NULL);
    return bits;
}

static void DoS2_nothing_less_does(void **state)
{
    (void)state;
    struct puzzle puzzle, other;
    struct person somebody;
    ask(&p, &puzzle);
    solve(&p, &puzzle, false);
    assert_int_equal(take_part(&p, &puzzle, 1), HEARTH_PERMISSION_DENIED);
    assert_int_equal(told_bits(), 6);
    /* fewer bits than were asked: the challenge says how many, under the mac */
    other = puzzle;
    other.challenge[1] = other.bits = 0;
    assert_int_equal(take_part(&p, &other, 2), HEARTH_PERMISSION_DENIED);
    /* another's puzzle */
    person_init(&somebody, &w);
    ask(&somebody, &other);
    solve(&p, &other, true);
    assert_int_equal(take_part(&p, &other, 3), HEARTH_PERMISSION_DENIED);
    person_clear(&somebody);
    /* too late */
    solve(&p, &puzzle, true);
    w.fake.now_us += 301 * 1000000;
    assert_int_equal(take_part(&p, &puzzle, 4), HEARTH_PERMISSION_DENIED);
    /* cut short */
    ask(&p, &puzzle);
    solve(&p, &puzzle, true);
    puzzle.len--;
    assert_int_equal(take_part(&p, &puzzle, 5), HEARTH_PERMISSION_DENIED);
    assert_int_equal(users(), 0);
    puzzle.len++;
    assert_int_equal(take_part(&p, &puzzle, 6), HEARTH_OK);
}

/* One solution, one account: a client key that registers under a second UserId. */
static void T1_a_solution_is_spent_once(void **state)
{
    (void)state;
    struct puzzle puzzle;
    struct person second;
    ask(&p, &puzzle);
    solve(&p, &puzzle, true);
    assert_int_equal(take_part(&p, &puzzle, 1), HEARTH_OK);
    person_init(&second, &w);
    sig_key_clear(&second.devices[0].caller.key);
    assert_ok(sig_key_init(&sig_ed25519, secret_view(&p.devices[0].caller.key.private_key),
                           &second.devices[0].caller.key));
    assert_int_equal(take_part(&second, &puzzle, 2), HEARTH_PERMISSION_DENIED);
    assert_int_equal(users(), 1);
    /* what was spent is forgotten when it would be too old anyway, and still does not work */
    w.fake.now_us += 4ULL * 3600 * 1000000;
    auth_world_expire(&w);
    assert_int_equal(take_part(&second, &puzzle, 3), HEARTH_PERMISSION_DENIED);
    person_clear(&second);
}

/* Harder while many are solved, easier again afterwards. */
static void DoS2_bits_rise_with_load(void **state)
{
    (void)state;
    struct puzzle puzzle;
    uint32_t highest = 0;
    for (uint8_t i = 0; i < 20; i++) {
        struct person guest;
        person_init(&guest, &w);
        ask(&guest, &puzzle);
        highest = puzzle.bits;
        solve(&guest, &puzzle, true);
        assert_int_equal(take_part(&guest, &puzzle, i), HEARTH_OK);
        person_clear(&guest);
    }
    assert_int_equal(highest, 8); /* 19 solved: 6, and one more at 8 and at 16 */
    w.fake.now_us += 120 * 1000000;
    ask(&p, &puzzle);
    assert_int_equal(puzzle.bits, 6);
}

static void invitations_work_as_well(void **state)
{
    (void)state;
    assert_int_equal(person_register(&p), HEARTH_OK);
}

static int setup_invite(void **state)
{
    (void)state;
    auth_world_init(&w);
    auth_world_start(&w, false);
    person_init(&p, &w);
    return 0;
}

/* No challenge where an invitation is wanted. */
static void no_puzzle_by_default(void **state)
{
    (void)state;
    struct puzzle puzzle;
    ask(&p, &puzzle);
    assert_int_equal(puzzle.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(DoS2_a_solved_puzzle_lets_in),
        TEST(DoS2_nothing_less_does),
        TEST(T1_a_solution_is_spent_once),
        TEST(DoS2_bits_rise_with_load),
        TEST(invitations_work_as_well),
        cmocka_unit_test_setup_teardown(no_puzzle_by_default, setup_invite, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
