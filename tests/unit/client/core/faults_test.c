/* DoS9 and DoS10 as members live through them: a commit that the server finds good and some of the
 * members can't process. __wrap_group_process makes it so for leaves that a test names. */
#include "groups.h"

static uint32_t victims; /* bit: leaf; each can't process the next commit */
static bool joins_never; /* the control: who lost step stays out */

struct err __real_group_process(struct mls_group *g, const struct mls_client *client,
                                struct bytes message, struct mls_received *ret_received);
struct err __wrap_group_process(struct mls_group *g, const struct mls_client *client,
                                struct bytes message, struct mls_received *ret_received);
struct err __wrap_group_process(struct mls_group *g, const struct mls_client *client,
                                struct bytes message, struct mls_received *ret_received)
{
    uint32_t bit = UINT32_C(1) << group_own_leaf(g);
    TRY(__real_group_process(g, client, message, ret_received));
    if (ret_received->type != MLS_RECEIVED_COMMIT || (victims & bit) == 0)
        return ERR_OK;
    victims &= ~bit;
    mls_received_clear(ret_received);
    return ERR(MLS_PATH_SECRET);
}

struct err __real_group_join_external(const struct mls_client *client,
                                      const struct mls_group_config *config,
                                      const struct external_join *join,
                                      const struct leaf_profile *profile, struct buf *ret_commit,
                                      struct mls_group **ret_group);
struct err __wrap_group_join_external(const struct mls_client *client,
                                      const struct mls_group_config *config,
                                      const struct external_join *join,
                                      const struct leaf_profile *profile, struct buf *ret_commit,
                                      struct mls_group **ret_group);
struct err __wrap_group_join_external(const struct mls_client *client,
                                      const struct mls_group_config *config,
                                      const struct external_join *join,
                                      const struct leaf_profile *profile, struct buf *ret_commit,
                                      struct mls_group **ret_group)
{
    return joins_never
               ? ERR(NO_MEMORY)
               : __real_group_join_external(client, config, join, profile, ret_commit, ret_group);
}

static struct hearth_id id[4];

static int begin(void **state)
{
    (void)state;
    victims = 0;
    joins_never = false;
    world_open(2, 4);
    befriend_all();
    id[0] = found_group(ALICE, "four");
    struct hearth_id friends[3] = {friend_id(ALICE, BOB), friend_id(ALICE, CAROL),
                                   friend_id(ALICE, w.who[3])};
    wish_done(ALICE, id[0], &(struct commit_wish){.add = friends, .add_count = 3});
    world_run(1000);
    for (size_t i = 1; i < 4; i++)
        assert_true(same_group(ALICE, id[0], w.who[i], &id[i]));
    return 0;
}

static int end(void **state)
{
    (void)state;
    joins_never = false;
    world_close();
    return 0;
}

struct asking {
    struct hearth_id chat;
    uint32_t leaf;
};

static struct err ask_leaf(struct core *c, struct db_txn *t, void *arg)
{
    struct asking *a = arg;
    struct open_chat *chat;
    TRY(chat_open(c, t, &a->chat, &chat));
    a->leaf = group_own_leaf(chat->group);
    return ERR_OK;
}

static uint32_t bit_of(size_t who)
{
    struct asking a = {.chat = id[who]};
    assert_ok(core_step(w.who[who]->core, ask_leaf, &a));
    return UINT32_C(1) << a.leaf;
}

/* Bob's commit; carol, and dave if there are two, lose step. */
static void attack(size_t count)
{
    victims = bit_of(2) | (count > 1 ? bit_of(3) : 0);
    wish_done(BOB, id[1], &(struct commit_wish){.update = true});
}

static size_t together(void)
{
    struct view of[4];
    size_t count = 1;
    for (size_t i = 0; i < 4; i++)
        of[i] = view_of(w.who[i], id[i]);
    for (size_t i = 1; i < 4; i++)
        count += of[i].epoch == of[0].epoch && of[i].state == HEARTH_CHAT_OPEN &&
                 memcmp(of[i].authenticator, of[0].authenticator, 32) == 0;
    return count;
}

/* Lines of a chat with this in them. */
static struct err count_lines(struct core *c, struct db_txn *t, void *arg)
{
    struct counting *n = arg;
    uint64_t last;
    TRY(db_list_last(t, DB_MESSAGE, bytes_of(n->chat.bytes, 16), &last));
    for (uint64_t i = 1; i <= last; i++) {
        struct buf scratch = BUF_INIT;
        struct message_row row;
        TRY(message_get(c, t, &n->chat, i, &scratch, &row));
        n->count += memmem(row.text.data, row.text.len, n->text, strlen(n->text)) != NULL;
        buf_clear(&scratch);
    }
    return ERR_OK;
}

static size_t lines(size_t who, const char *text)
{
    struct counting n = {id[who], text, 0, 0};
    assert_ok(core_step(w.who[who]->core, count_lines, &n));
    return n.count;
}

/* The victim is in again within a minute, and everybody reads whose change it was. */
static void DoS9_reported_to_all_and_joined_again(void **state)
{
    (void)state;
    attack(1);
    world_run(500);
    assert_int_equal(seen(CAROL, HEARTH_EVENT_CHAT_BROKEN), 1);
    world_run(59500);
    assert_int_equal(together(), 4);
    assert_int_equal(lines(0, "could not follow a change by "), 1);
    assert_int_equal(lines(3, "could not follow a change by "), 1);
    assert_int_equal(lines(1, "could not follow a change of yours"), 1);
    say_done(CAROL, id[2], "in again");
    world_run(500);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(has_message(w.who[i], id[i], "in again", 0), 1);
}

/* Two of a subtree: each joins again, at moments of its own, and nobody is lost. */
static void DoS10_a_subtree_joins_again(void **state)
{
    (void)state;
    uint64_t epoch = view_of(ALICE, id[0]).epoch;
    attack(2);
    world_run(60000);
    assert_int_equal(together(), 4);
    /* the attack's epoch, and one external commit for each victim: no storm */
    assert_int_equal(view_of(ALICE, id[0]).epoch, epoch + 3);
    /* who could not follow it reads whose it was as well */
    assert_int_equal(
        lines(2, "could not follow a change by ") + lines(3, "could not follow a change by "), 2);
    assert_int_equal(lines(2, "by somebody") + lines(3, "by somebody"), 0);
    for (size_t i = 0; i < 4; i++)
        say_done(w.who[i], id[i], "all here");
    world_run(500);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(has_message(w.who[i], id[i], "all here", 0), 4);
}

static void DoS10_control_without_joining_again(void **state)
{
    (void)state;
    joins_never = true;
    attack(2);
    world_run(60000);
    assert_int_equal(together(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(DoS9_reported_to_all_and_joined_again),
        TEST(DoS10_a_subtree_joins_again),
        TEST(DoS10_control_without_joining_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
