/* Every allocation fails once in turn: each call says so, writes none of its outputs, and leaves
 * the view as it was. */
#include "kit/tlog/story.h"
#include "support/failing.h"
#include "support/test.h"

static struct story story;

/* Each returns what the call under test returned; the checks are around it. */
static struct err do_search(void)
{
    static struct kt_result result;
    struct kt_view view = story.first;
    struct kt_query query = {.label = story.bob, .now_ms = story.now_ms, .opaque_value = true};
    struct err err =
        kt_verify_search(&view, &query, buf_view(&story.answers[STORY_SEARCH]), &result);
    if (!err_is_ok(err))
        assert_memory_equal(&view, &story.first, sizeof view);
    return err;
}

static struct err do_prove_search(void)
{
    struct kt_source source = operator_source(&story.op);
    struct search_request request = {.last = 1, .label = story.bob};
    struct buf b = BUF_INIT;
    buf_append(&b, "x", 1);
    size_t before = b.len;
    struct err err = before == 1 ? kt_prove_search(&source, &request, &b) : ERR(NO_MEMORY);
    if (!err_is_ok(err))
        assert_int_equal(b.len, before);
    buf_clear(&b);
    return err;
}

static struct err do_many(void)
{
    static struct kt_result results[2];
    static struct search_many_request parsed;
    struct kt_source source = operator_source(&story.op);
    struct kt_view view = story.first;
    struct buf request = BUF_INIT, b = BUF_INIT;
    size_t count = 77;
    const struct kt_query queries[2] = {
        {.label = story.bob, .now_ms = story.now_ms, .opaque_value = true},
        {.label = story.dave, .now_ms = story.now_ms}};
    struct err err = kt_many_request(&request, &view, queries, 2);
    if (err_is_ok(err))
        err = search_many_request_parse(buf_view(&request), &parsed);
    if (err_is_ok(err))
        err = kt_prove_many(&source, &parsed, &b);
    if (!err_is_ok(err))
        assert_int_equal(b.len, 0);
    if (err_is_ok(err)) {
        err = kt_verify_many(&view, queries, 2, buf_view(&b), results, &count);
        assert_int_equal(count, err_is_ok(err) ? 2 : 77);
        if (!err_is_ok(err))
            assert_memory_equal(&view, &story.first, sizeof view);
    }
    buf_clear(&request);
    buf_clear(&b);
    return err;
}

static struct err do_prove_owner(void)
{
    struct kt_source source = operator_source(&story.op);
    struct owner_request request = {.last = 1, .label = story.bob, .expected = 1};
    struct buf b = BUF_INIT;
    struct err err = kt_prove_owner(&source, &request, &b);
    if (!err_is_ok(err))
        assert_int_equal(b.len, 0);
    buf_clear(&b);
    return err;
}

static struct err do_prove_contacts(void)
{
    struct kt_source source = operator_source(&story.op);
    struct contact_request request = {.last = story.pending.size, .item_count = 1};
    struct buf b = BUF_INIT;
    request.items[0] = (struct contact_item){story.bob, 1, story.bob_pending.opening};
    struct err err = kt_prove_contacts(&source, &request, &b);
    if (!err_is_ok(err))
        assert_int_equal(b.len, 0);
    buf_clear(&b);
    return err;
}

static struct err do_prove_sight(void)
{
    struct kt_source source = operator_source(&story.op);
    const struct sight_request request = {story.pending.size, 5150000, story.bob};
    struct buf b = BUF_INIT;
    struct err err = kt_prove_sight(&source, &request, &b);
    if (!err_is_ok(err))
        assert_int_equal(b.len, 0);
    buf_clear(&b);
    return err;
}

static struct err do_prove_update(void)
{
    struct kt_source source = operator_source(&story.op);
    struct buf b = BUF_INIT;
    struct err err = kt_prove_update(&source, 1, story.bob, 1, &b);
    if (!err_is_ok(err))
        assert_int_equal(b.len, 0);
    buf_clear(&b);
    return err;
}

static struct err do_prove_member(void)
{
    struct kt_source source = operator_source(&story.op);
    struct buf b = BUF_INIT;
    struct err err = kt_prove_member(&source, story.bob, 5, &b);
    buf_clear(&b);
    return err;
}

static struct err do_owner(void)
{
    struct kt_view view = story.first;
    struct kt_dist to = {.index = 77};
    struct err err =
        kt_verify_owner(&view, &story.own, &story.from, buf_view(&story.answers[STORY_OWNER]), &to);
    if (!err_is_ok(err)) {
        assert_memory_equal(&view, &story.first, sizeof view);
        assert_int_equal(to.index, 77);
    }
    return err;
}

static struct err do_contacts(void)
{
    struct kt_view view = story.pending;
    const struct kt_contact contact = {story.bob, &story.bob_pending.known,
                                       story.bob_pending.opening};
    uint64_t index = 77;
    struct err err =
        kt_verify_contacts(&view, &contact, 1, buf_view(&story.answers[STORY_CONTACT]), &index);
    if (!err_is_ok(err)) {
        assert_memory_equal(&view, &story.pending, sizeof view);
        assert_int_equal(index, 77);
    }
    return err;
}

static struct err do_update(void)
{
    static struct kt_result result;
    struct kt_view view = story.first;
    struct err err = kt_verify_update(&view, &story.own, 1, bytes_str("bob 1"), story.now_ms,
                                      buf_view(&story.answers[STORY_UPDATE]), &result);
    if (!err_is_ok(err))
        assert_memory_equal(&view, &story.first, sizeof view);
    return err;
}

static struct err do_evidence(void)
{
    struct buf file = BUF_INIT;
    struct kt_operator *a = &story.op, *b = &story.fork;
    struct err err = evidence_roots(&file, &a->config, buf_view(&a->epochs[6].note),
                                    buf_view(&b->epochs[6].note));
    if (!err_is_ok(err))
        assert_int_equal(file.len, 0);
    buf_clear(&file);
    return err;
}

static struct err do_cosign(void)
{
    struct buf b = BUF_INIT;
    struct note note;
    struct note_key key;
    struct sig_key *signer = &story.op.log_key;
    uint64_t time_s = 7;
    TRY(note_key_make(bytes_str("w"), NOTE_COSIGNATURE, public_key_view(&signer->public_key),
                      &key));
    buf_append_bytes(&b, buf_view(&story.op.epochs[0].note));
    struct err err = note_parse(buf_view(&story.op.epochs[0].note), &note);
    if (err_is_ok(err))
        err = note_cosign(&b, note.text, &key, signer, 5);
    if (err_is_ok(err))
        err = note_parse(buf_view(&b), &note);
    if (err_is_ok(err))
        err = note_verify_cosignature(&note, &key, &time_s);
    assert_int_equal(time_s, err_is_ok(err) ? 5 : 7);
    buf_clear(&b);
    return err;
}

static void run(struct err (*step)(void))
{
    long n = 0;
    assert_ok(step());
    long live = test_live_allocations();
    for (;; n++) {
        test_fail_allocation(n);
        struct err err = step();
        if (!test_allocation_failed())
            break;
        assert_err(err, NO_MEMORY);
        assert_int_equal(test_live_allocations(), live);
    }
    assert_true(n > 0);
    assert_ok(step());
}

static void test_allocations(void **state)
{
    (void)state;
    static struct err (*const steps[])(void) = {
        do_search,       do_prove_search, do_prove_owner, do_prove_contacts, do_prove_update,
        do_prove_member, do_owner,        do_contacts,    do_update,         do_evidence,
        do_cosign,       do_many,         do_prove_sight,
    };
    if (!test_can_fail_allocations())
        skip();
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        run(steps[i]);
}

/* The store's errors go through, and nothing of an answer is left. */
static struct err (*real_get)(void *self, const struct prefix_position *at,
                              struct prefix_node *ret_node);
static int gets;

static struct err failing_get(void *self, const struct prefix_position *at,
                              struct prefix_node *ret_node)
{
    if (gets-- == 0)
        return ERR(STORE_IO);
    return real_get(self, at, ret_node);
}

static struct err failing_tree(void *self, uint64_t epoch, struct prefix_store *ret_store)
{
    struct kt_source source = operator_source(self);
    TRY(source.tree(self, epoch, ret_store));
    real_get = ret_store->get;
    ret_store->get = failing_get;
    return ERR_OK;
}

static void test_store_errors(void **state)
{
    (void)state;
    struct kt_source source = operator_source(&story.op);
    struct search_request request = {.last = 1, .label = story.bob};
    source.tree = failing_tree;
    int n = 0;
    for (struct err err = ERR(STORE_IO); !err_is_ok(err); n++) {
        struct buf b = BUF_INIT;
        gets = n;
        err = kt_prove_search(&source, &request, &b);
        if (!err_is_ok(err)) {
            assert_err(err, STORE_IO);
            assert_int_equal(b.len, 0);
        }
        buf_clear(&b);
    }
    assert_true(n > 10);
    /* an epoch that is no longer kept, a size that is not there yet */
    struct buf b = BUF_INIT;
    source = operator_source(&story.op);
    request.last = 100;
    assert_err(kt_prove_search(&source, &request, &b), ARGUMENT);
    request.last = 1;
    assert_err(source.tree(source.self, 100, &(struct prefix_store){0}), NOT_FOUND);
    buf_clear(&b);
}

int main(void)
{
    struct err err = story_begin(&story);
    if (!err_is_ok(err)) {
        print_error("story: %s\n", err_name(err));
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_store_errors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    story_end(&story);
    return failed;
}
