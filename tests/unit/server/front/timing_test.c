/* ME2: can a caller tell by the clock in which way it was refused? A classifier that sees the
 * processor time of many refusals (more than any network lets through) must do little better than
 * guess; and the same classifier must see it where there is something to be seen. */
#include "bed.h"
#include "support/timing.h"

enum { ROUNDS = 600, CLASSES = 4, RUNS = 4 };

static const char *const names[CLASSES] = {"wrong signature", "unknown caller", "kind not allowed",
                                           "other audience"};
static double times[CLASSES][ROUNDS];
static double *measured; /* where the next goes */

/* The front's own, measured. */
static enum hearth_code timed(struct hearth_call *call, const uint8_t *bytes, size_t len,
                              size_t number, void *self)
{
    struct hearth_interceptor front = front_interceptor(self);
    double begun = timing_now_ns();
    enum hearth_code code = front.on_message(call, bytes, len, number, self);
    *measured = timing_now_ns() - begun;
    return code;
}

static int setup_timed(void **state)
{
    bed = (struct bed){.on_message = timed};
    bed_make();
    assert_ok(limits_set(front_limits(bed.front), "FAILED_AUTH_PREFIX", 30000));
    (void)state;
    return 0;
}

static double refused_one(int class)
{
    double ns = 0;
    struct caller *who = &bed.callers[class == 1 ? 2 : 0];
    who->faults = (struct caller_faults){
        .wrong_key = class == 0,
        .kind = class == 2 ? REQUEST_QUEUE_USER : 0,
        .audience = class == 3 ? "b.test" : NULL,
    };
    measured = &ns;
    assert_int_equal(bed_code(who), HEARTH_UNAUTHENTICATED);
    return ns;
}

/* The best guess over all pairs of classes. */
static double worst_guess(void)
{
    double worst = 0;
    for (int i = -20; i < ROUNDS; i++)      /* some to warm up */
        for (int k = 0; k < CLASSES; k++) { /* in turn, so that drift hits all */
            int class = (i + 20 + k) % CLASSES;
            double ns = refused_one(class);
            if (i >= 0)
                times[class][i] = ns;
        }
    for (int a = 0; a < CLASSES; a++)
        for (int b = 0; b < a; b++) {
            double auc = timing_longer(times[a], times[b], ROUNDS);
            double guess = timing_guess(times[a], times[b], ROUNDS);
            print_message("%s against %s: %.3f longer, best guess %.3f\n", names[a], names[b], auc,
                          guess);
            worst = guess > worst ? guess : worst;
        }
    return worst;
}

/* A difference that is there is there every time; what other programs do to the clock is not. */
static void ME2_refusals_take_alike(void **state)
{
    (void)state;
#ifdef HEARTH_SANITIZED
    print_message("SKIP a sanitizer's bookkeeping takes longer than what is measured\n");
    skip();
#endif
    double guess = 1;
    for (int run = 0; run < RUNS && guess >= 0.65; run++)
        guess = worst_guess();
    assert_true(guess < 0.65);
}

/* The classifier sees a verification that is left out. */
static void ME2_control(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        times[0][i] = refused_one(0);
        double begun = timing_now_ns();
        front_verify_dummy();
        double dummy = timing_now_ns() - begun;
        times[1][i] = times[0][i] - dummy;
    }
    double guess = timing_guess(times[0], times[1], ROUNDS);
    print_message("without the dummy: best guess %.3f\n", guess);
    assert_true(guess > 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ME2_refusals_take_alike, setup_timed, bed_teardown),
        cmocka_unit_test_setup_teardown(ME2_control, setup_timed, bed_teardown),
    };
    return timing_end(cmocka_run_group_tests(tests, NULL, NULL));
}
