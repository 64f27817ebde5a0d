/* With whom this homeserver speaks, as data (policy.h). */
#include "server/federation/policy.h"
#include "support/test.h"

static struct policy *policy;

static struct err make(enum federation_mode mode, const char *peer, const char *allow,
                       const char *block, bool development)
{
    struct bytes wrong;
    const struct federation_settings settings = {.mode = mode,
                                                 .development = development,
                                                 .peers = &peer,
                                                 .peer_count = peer != NULL,
                                                 .allow = &allow,
                                                 .allow_count = allow != NULL,
                                                 .block = &block,
                                                 .block_count = block != NULL};
    policy_free(policy);
    policy = NULL;
    return policy_new(&settings, &wrong, &policy);
}

static bool admits(const char *domain)
{
    return policy_admits(policy, bytes_str(domain));
}

static void modes(void **state)
{
    (void)state;
    assert_ok(make(FEDERATION_OFF, "b.example=1.2.3.4:5", "c.example", NULL, false));
    assert_false(admits("b.example") || admits("c.example") || admits("d.example"));
    assert_ok(make(FEDERATION_ALLOW, "b.example=1.2.3.4:5", "c.example, e.example", NULL, false));
    assert_true(admits("b.example") && admits("c.example") && admits("e.example"));
    assert_false(admits("d.example") || admits("x.c.example"));
    assert_ok(make(FEDERATION_OPEN, NULL, NULL, NULL, false));
    assert_true(admits("d.example"));
    assert_string_equal("", policy_target(policy, bytes_str("d.example")) == NULL ? "" : "?");
    assert_ok(make(FEDERATION_OPEN, "b.example=1.2.3.4:5", NULL, NULL, false));
    assert_string_equal(policy_target(policy, bytes_str("b.example")), "1.2.3.4:5");
}

/* A blocked domain takes its subdomains along, but not what merely ends alike; and it wins. */
static void blocking(void **state)
{
    (void)state;
    assert_ok(make(FEDERATION_OPEN, "x.evil.example=1.2.3.4:5", "evil.example",
                   " evil.example,worse.example ", false));
    assert_false(admits("evil.example") || admits("x.evil.example") || admits("worse.example"));
    assert_true(admits("notevil.example") && admits("example.com"));
}

/* Syntax comes first, whatever the mode: an address is no domain. */
static void syntax(void **state)
{
    static const char *const wrong[] = {"",           "localhost", "127.0.0.1", "Evil.example",
                                        "a..b",       "x.test",    "-",         "a.example:443",
                                        "a.example.", "[::1]"};
    (void)state;
    assert_ok(make(FEDERATION_OPEN, NULL, NULL, NULL, false));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (admits(wrong[i]))
            fail_msg("\"%s\" is admitted", wrong[i]);
    assert_ok(make(FEDERATION_OPEN, NULL, NULL, NULL, true));
    assert_true(admits("x.test"));
    assert_err(make(FEDERATION_OPEN, "b.example", NULL, NULL, false), ARGUMENT);
    assert_err(make(FEDERATION_OPEN, "b.example=", NULL, NULL, false), ARGUMENT);
    assert_err(make(FEDERATION_OPEN, "127.0.0.1=1.2.3.4:5", NULL, NULL, false), ARGUMENT);
    assert_err(make(FEDERATION_ALLOW, NULL, "b.example Evil", NULL, false), ARGUMENT);
    assert_err(make(FEDERATION_OPEN, NULL, NULL, "*.example", false), ARGUMENT);
    policy_free(policy);
    policy = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes),
        cmocka_unit_test(blocking),
        cmocka_unit_test(syntax),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
