/* P5: does the clock tell who is no member whether there is such a group, or how large it is? A
 * classifier that sees the processor time of many refused requests (the server's work, and the
 * client's, which is the same) must do little better than guess; and it must see what there is to
 * be seen: that a state is opened. */
#include "server/delivery/group_store.h"
#include "server/delivery/past_tree.h"
#include "support/delivery/delivery_world.h"
#include "support/timing.h"

enum { ROUNDS = 400, CLASSES = 3, RUNS = 5, LARGE_BYTES = 3000000, LARGE_JOINERS = 1000 };

static const char *const names[CLASSES] = {"unknown", "wrong key, small", "wrong key, large"};
static double times[CLASSES][ROUNDS];

static struct dworld w;
static struct member *a, *b;
/* By class: an unknown group, the small one, a large one; the same for epochs of past trees. */
static struct bytes groups[CLASSES];
static uint8_t wrong_key[STATE_KEY_BYTES];

static struct bytes other_group(uint8_t number)
{
    uint8_t *id = arena_copy(&w.arena, w.group_id.data, w.group_id.len);
    assert_non_null(id);
    id[1] ^= number;
    return bytes_of(id, w.group_id.len);
}

struct large {
    struct sealed_group sealed;
    struct past_tree past;
};

static struct err insert(struct store_txn *txn, void *arg)
{
    const struct large *l = arg;
    uint64_t now_s = delivery_now_s(w.delivery);
    TRY(group_store_insert(txn, w.delivery, groups[2], &l->sealed, now_s));
    return past_tree_keep(txn, w.delivery, groups[2], &l->past, now_s);
}

/* Only its size and its lock matter: nobody opens it. Its epoch 1 has many joiners. */
static void insert_large_group(void)
{
    static uint8_t bytes[LARGE_BYTES];
    const struct group_state state = {.suite = suite_find(1),
                                      .public_group = bytes_of(bytes, sizeof bytes)};
    static struct joiner joiners[LARGE_JOINERS];
    struct large l = {0};
    uint8_t key[STATE_KEY_BYTES] = {9};
    for (size_t i = 0; i < LARGE_JOINERS; i++)
        joiners[i] = (struct joiner){bytes_of(bytes, 32), bytes_of(bytes, 32)};
    assert_ok(group_seal(w.delivery, groups[2], key, 1, &state, &l.sealed));
    assert_ok(past_tree_seal(w.delivery, groups[2], key, 1, bytes_of(bytes, 100000), joiners,
                             LARGE_JOINERS, &l.past));
    assert_ok(store_call(delivery_store(w.delivery), insert, &l));
    sealed_group_clear(&l.sealed);
    past_tree_clear(&l.past);
}

static int setup(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    dw_found(&w, a);
    dw_add(&w, a, &b, 1);
    limits_switch_off(front_limits(w.front));
    groups[0] = other_group(1);
    groups[1] = buf_view(&w.group_id);
    groups[2] = other_group(2);
    memset(wrong_key, 0x33, sizeof wrong_key);
    insert_large_group();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dw_end(&w);
    return 0;
}

/* ---- requests of nobody */

static struct bytes member_id(struct bytes group_id)
{
    struct buf id = BUF_INIT;
    member_id_write(&id, &(struct member_id){group_id, 0});
    struct bytes copy = bytes_of(arena_copy(&w.arena, id.data, id.len), id.len);
    buf_clear(&id);
    return copy;
}

static double timed(const char *rpc, const struct dsigner *signer, const ProtobufCMessage *in,
                    enum hearth_code code)
{
    double begun = timing_now_ns();
    assert_int_equal(dw_call(&w, rpc, signer, in), code);
    return timing_now_ns() - begun;
}

static double as_member(int class)
{
    static uint8_t message[100];
    Hearth__V1__SendMessageRequest in = HEARTH__V1__SEND_MESSAGE_REQUEST__INIT;
    struct dsigner signer = dw_signer(a);
    signer.id = member_id(groups[class]);
    in.idempotency = dw_once(&w);
    in.group = dw_access(&w, wrong_key);
    in.group->group_id = dw_bytes(&w, groups[class]);
    in.message = (ProtobufCBinaryData){sizeof message, message};
    return timed("SendMessage", &signer, &in.base, HEARTH_UNAUTHENTICATED);
}

static double as_ear(int class)
{
    Hearth__V1__GetExternalCommitInfoRequest in =
        HEARTH__V1__GET_EXTERNAL_COMMIT_INFO_REQUEST__INIT;
    in.group = dw_access(&w, wrong_key);
    in.group->group_id = dw_bytes(&w, groups[class]);
    return timed("GetExternalCommitInfo", NULL, &in.base, HEARTH_NOT_FOUND);
}

static double as_joiner(int class)
{
    Hearth__V1__GetWelcomeInfoRequest in = HEARTH__V1__GET_WELCOME_INFO_REQUEST__INIT;
    struct dsigner signer = {
        .kind = REQUEST_JOINER, .id = digest_view(&b->package_ref), .key = &b->key, .w = &w};
    in.group = dw_access(&w, wrong_key);
    in.group->group_id = dw_bytes(&w, groups[class]);
    in.epoch = 1;
    return timed("GetWelcomeInfo", &signer, &in.base, HEARTH_UNAUTHENTICATED);
}

/* The control: who has the key makes the server open the state, and that takes time. */
static double with_the_key(int class)
{
    Hearth__V1__GetExternalCommitInfoRequest in =
        HEARTH__V1__GET_EXTERNAL_COMMIT_INFO_REQUEST__INIT;
    in.group = dw_access(&w, class == 1 ? a->state_key : wrong_key);
    in.group->group_id = dw_bytes(&w, groups[class]);
    return timed("GetExternalCommitInfo", NULL, &in.base,
                 class == 1 ? HEARTH_OK : HEARTH_NOT_FOUND);
}

/* ---- what a classifier makes of it */

static double worst_guess(double (*request)(int class))
{
    double worst = 0;
    for (int i = -20; i < ROUNDS; i++)      /* some to warm up */
        for (int k = 0; k < CLASSES; k++) { /* in turn, so that drift hits all */
            int class = (i + 20 + k) % CLASSES;
            double ns = request(class);
            if (i >= 0)
                times[class][i] = ns;
        }
    for (int x = 0; x < CLASSES; x++)
        for (int y = 0; y < x; y++) {
            double guess = timing_guess(times[x], times[y], ROUNDS);
            print_message("%s (%.1f us) against %s (%.1f us): best guess %.3f\n", names[x],
                          timing_mean(times[x], ROUNDS) / 1000, names[y],
                          timing_mean(times[y], ROUNDS) / 1000, guess);
            worst = guess > worst ? guess : worst;
        }
    return worst;
}

/* A difference that is there is there every time; what other programs do to the clock is not. */
static void cannot_tell(double (*request)(int class))
{
#ifdef HEARTH_SANITIZED
    print_message("SKIP a sanitizer's bookkeeping takes longer than what is measured\n");
    skip();
#endif
    double guess = 1;
    for (int run = 0; run < RUNS && guess >= 0.65; run++)
        guess = worst_guess(request);
    assert_true(guess < 0.65);
}

static void P5_members(void **state)
{
    (void)state;
    cannot_tell(as_member);
}

static void P5_ears(void **state)
{
    (void)state;
    cannot_tell(as_ear);
}

static void P5_joiners(void **state)
{
    (void)state;
    cannot_tell(as_joiner);
}

static void P5_control(void **state)
{
    (void)state;
    assert_true(worst_guess(with_the_key) > 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(P5_members, setup, teardown),
        cmocka_unit_test_setup_teardown(P5_ears, setup, teardown),
        cmocka_unit_test_setup_teardown(P5_joiners, setup, teardown),
        cmocka_unit_test_setup_teardown(P5_control, setup, teardown),
    };
    return timing_end(cmocka_run_group_tests(tests, NULL, NULL));
}
