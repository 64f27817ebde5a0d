/* Invitations as text: read back what was written, in the ways people type it; nothing else. */
#include "seal/invitation.h"

#include <ctype.h>
#include <stdio.h>

#include "base/rng.h"
#include "support/test.h"

static void round_trip(void **state)
{
    (void)state;
    struct rng_seeded seeded;
    rng_seeded_init(&seeded, 7);
    struct rng rng = rng_of_seeded(&seeded);
    for (int i = 0; i < 1000; i++) {
        struct invitation in = {.domain = "a.test"}, out;
        char text[INVITATION_TEXT_MAX_BYTES], typed[2 * INVITATION_TEXT_MAX_BYTES];
        assert_ok(rng_fill(&rng, in.code, sizeof in.code));
        assert_ok(rng_fill(&rng, in.pin, sizeof in.pin));
        invitation_write(&in, text);
        assert_ok(invitation_read(text, &out));
        assert_memory_equal(&in, &out, sizeof in);
        size_t len = 0;
        for (const char *at = text; *at != '\0';
             at++) { /* lower case, dashes elsewhere, O for 0 and l for 1 */
            bool digits = at > strchr(text, '/');
            char c = (char)tolower(*at);
            if (digits && c == '-')
                continue;
            typed[len++] = (char)(digits && c == '0' ? 'o' : digits && c == '1' ? 'l' : c);
            if (digits && (at - text) % 3 == 0)
                typed[len++] = '-';
        }
        typed[len] = '\0';
        assert_ok(invitation_read(typed, &out));
        assert_memory_equal(&in, &out, sizeof in);
    }
}

static void refuses_other_text(void **state)
{
    (void)state;
    struct invitation in = {.domain = "a.test"}, out;
    char text[INVITATION_TEXT_MAX_BYTES], bad[INVITATION_TEXT_MAX_BYTES + 2];
    invitation_write(&in, text);
    assert_int_equal(invitation_read("", &out).code, ERR_ARGUMENT);
    assert_int_equal(invitation_read("a.test", &out).code, ERR_ARGUMENT);
    assert_int_equal(invitation_read("a.test/", &out).code, ERR_ARGUMENT);
    assert_int_equal(invitation_read("A.TEST/0000", &out).code, ERR_DOMAIN);
    (void)snprintf(bad, sizeof bad, "%s0", text); /* a digit too many */
    assert_int_equal(invitation_read(bad, &out).code, ERR_ARGUMENT);
    (void)snprintf(bad, sizeof bad, "%s", text);
    bad[strlen(bad) - 1] = '\0'; /* one too few */
    assert_int_equal(invitation_read(bad, &out).code, ERR_ARGUMENT);
    (void)snprintf(bad, sizeof bad, "%s", text);
    bad[strlen(bad) - 1] = '1'; /* filling that is not zero: two texts would be one invitation */
    assert_int_equal(invitation_read(bad, &out).code, ERR_ARGUMENT);
    bad[strlen(bad) - 1] = 'U'; /* not in the alphabet */
    assert_int_equal(invitation_read(bad, &out).code, ERR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip),
                                       cmocka_unit_test(refuses_other_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
