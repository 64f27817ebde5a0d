/* Witnessed or not: what a policy makes of the cosignatures that a homeserver hands out. */
#include "client/core/log_witness.h"

#include <stdio.h>

#include "hearth/v1/transparency.pb-c.h"
#include "tlog/checkpoint.h"
#include "unit/client/core/logs.h"

static struct sig_key witness_key;
static struct note_key witness_vkey;
static char policy_text[300];

static int set_up(void **state)
{
    uint8_t seed[32] = {7};
    struct buf b = BUF_INIT;
    (void)state;
    assert_ok(sig_key_init(&sig_ed25519, bytes_of(seed, 32), &witness_key));
    assert_ok(note_key_make(bytes_str("w.test/witness"), NOTE_COSIGNATURE,
                            public_key_view(&witness_key.public_key), &witness_vkey));
    note_key_write(&b, &witness_vkey);
    (void)snprintf(policy_text, sizeof policy_text, "witness W %.*s\nquorum W\n", (int)b.len,
                   (const char *)b.data);
    buf_clear(&b);
    return 0;
}

struct shown {
    bool judged;
    uint64_t entries, window_entry;
    char names[100];
};

static bool show(const struct hearth_log *log, void *arg)
{
    struct shown *s = arg;
    if (strcmp(log->domain, "a.test") != 0)
        return true;
    *s = (struct shown){log->judged, log->witnessed_entries, log->window_entry, ""};
    (void)snprintf(s->names, sizeof s->names, "%s", log->witnesses);
    return true;
}

static struct shown shown_to(struct person *p)
{
    struct shown s = {.judged = false};
    assert_true(hearth_log_each(&p->account, show, &s));
    return s;
}

/* ---- an answer of GetCheckpoint, as the task would have it */

struct answering {
    struct bytes note;
    enum task_next next;
    bool other_root; /* what we have verified has another root of that entry */
};

static struct err answer_with(struct core *c, struct db_txn *t, void *arg)
{
    struct answering *a = arg;
    struct task task = {.kind = TASK_LOG_WITNESS};
    Hearth__V1__GetCheckpointResponse out = HEARTH__V1__GET_CHECKPOINT_RESPONSE__INIT;
    const struct hearth_status status = {0};
    const struct task_answer answer = {.status = &status, .out = &out.base};
    struct log log;
    wire_write_vector(&task.body, bytes_str("a.test"));
    wire_write_u64(&task.body, 0);
    if (a->other_root) {
        TRY(log_get(t, "a.test", &log));
        log.view.dists[log.view.dist_count - 1].log_root.data[0] ^= 1;
        TRY(log_put(t, &log));
        log_clear(&log);
    }
    out.checkpoint = core_out(a->note);
    struct err err = task_steps_LOG_WITNESS.settle(c, t, &task, &answer, &a->next);
    buf_clear(&task.body);
    return err;
}

static enum task_next answer(struct person *p, struct bytes note)
{
    struct answering a = {.note = note};
    person_step(p, answer_with, &a);
    return a.next;
}

static struct err read_cosigned(struct core *c, struct db_txn *t, void *arg)
{
    (void)c;
    return db_get(t, DB_SETTING, bytes_str("log-cosigneda.test"), arg);
}

/* The log's own note of the newest window's first entry: asked for, since anything is enough. */
static struct buf log_note(struct person *p)
{
    struct buf note = BUF_INIT;
    assert_true(hearth_log_set_policy(&p->account, "quorum none\n"));
    person_settle(p);
    assert_ok(core_look(p->core, read_cosigned, &note));
    assert_true(note.len > 0);
    return note;
}

static void cosign(struct buf *note, const struct buf *text_of, const char *other)
{
    struct note parsed;
    assert_ok(note_parse(buf_view(text_of), &parsed));
    const struct bytes text = other != NULL ? bytes_str(other) : parsed.text;
    buf_append_bytes(note, buf_view(text_of));
    assert_ok(note_cosign(note, text, &witness_vkey, &witness_key, 77));
}

/* ---- */

static void test_asked_each_window(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 41);
    assert_false(shown_to(p.alice).judged);
    assert_true(hearth_log_set_policy(&p.alice->account, "quorum none\n"));
    person_settle(p.alice);
    struct shown first = shown_to(p.alice);
    assert_true(first.judged);
    assert_int_equal(first.entries, first.window_entry + 1);
    for (int i = 0; i < 2; i++)
        people_run_ms(&p.all, 6 * 3600 * 1000);
    struct shown later = shown_to(p.alice);
    assert_true(later.window_entry > first.window_entry);
    assert_int_equal(later.entries, later.window_entry + 1);
    /* nobody of these: nothing but what is shown */
    assert_true(hearth_log_set_policy(&p.alice->account, policy_text));
    person_settle(p.alice);
    people_run_ms(&p.all, 7 * 3600 * 1000);
    later = shown_to(p.alice);
    assert_true(later.judged);
    assert_int_equal(later.entries, 0);
    assert_string_equal(later.names, "");
    befriend(&p);
    talk(&p, "all the same");
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    /* what is no policy changes nothing; none is none */
    assert_false(hearth_log_set_policy(&p.alice->account, "quorum W\n"));
    assert_true(shown_to(p.alice).judged);
    assert_true(hearth_log_set_policy(&p.alice->account, ""));
    assert_false(shown_to(p.alice).judged);
    people_close(&p.all);
}

static void test_whose_counts(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 42);
    struct buf bare = log_note(p.alice), good = BUF_INIT, forged = BUF_INIT;
    cosign(&good, &bare, NULL);
    cosign(&forged, &bare, "another text\n");
    assert_true(hearth_log_set_policy(&p.alice->account, policy_text));
    person_settle(p.alice);
    const struct buf *const bad[] = {&bare, &forged};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(answer(p.alice, buf_view(bad[i])), TASK_NEXT_WAIT);
        assert_int_equal(shown_to(p.alice).entries, 0);
    }
    assert_int_equal(answer(p.alice, bytes_str("no note")), TASK_NEXT_WAIT);
    assert_int_equal(answer(p.alice, buf_view(&good)), TASK_NEXT_DONE);
    struct shown is = shown_to(p.alice);
    assert_int_equal(is.entries, is.window_entry + 1);
    assert_string_equal(is.names, "W");
    /* under another policy it is judged anew */
    assert_true(hearth_log_set_policy(&p.alice->account, "quorum none\n"));
    person_settle(p.alice);
    assert_int_equal(shown_to(p.alice).entries, is.entries);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 0);
    buf_clear(&bare);
    buf_clear(&good);
    buf_clear(&forged);
    people_close(&p.all);
}

/* A checkpoint for witnesses that is of another log than the one that we are shown. */
static void test_other_root(void **state)
{
    static struct pair p;
    (void)state;
    pair_init(&p, 43);
    struct buf bare = log_note(p.alice), good = BUF_INIT;
    cosign(&good, &bare, NULL);
    assert_true(hearth_log_set_policy(&p.alice->account, policy_text));
    person_settle(p.alice);
    struct answering a = {.note = buf_view(&good), .other_root = true};
    person_step(p.alice, answer_with, &a);
    assert_int_equal(a.next, TASK_NEXT_DONE);
    assert_int_equal(person_count_events(p.alice, HEARTH_EVENT_LOG), 1);
    assert_int_equal(shown_to(p.alice).entries, 0);
    buf_clear(&bare);
    buf_clear(&good);
    people_close(&p.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asked_each_window),
        cmocka_unit_test(test_whose_counts),
        cmocka_unit_test(test_other_root),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
