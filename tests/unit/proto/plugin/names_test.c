#include "support/test.h"

#include "proto/plugin/names.h"
#include "proto/plugin/plugin.h"

struct pair {
    const char *in;
    const char *out;
};

static void check_all(char *(*name)(struct arena *, const char *), const struct pair *pairs,
                      size_t count)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(name(&arena, pairs[i].in), pairs[i].out);
    arena_clear(&arena);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* What protoc-c 1.4.1 makes of the same names (its output for such a .proto, not its source). */
static void types_and_symbols(void **state)
{
    (void)state;
    static const struct pair type[] = {
        {"bench.EchoRequest", "Bench__EchoRequest"},
        {"a.fooBar.V1.HTTPThing.Inner", "A__FooBar__V1__HTTPThing__Inner"},
        {"kw.class.int.foo_bar", "Kw__Class__Int__FooBar"},
        {"kw.class.int._x1y", "Kw__Class__Int__X1y"},
        {"Plain", "Plain"},
    };
    static const struct pair symbol[] = {
        {"bench.EchoRequest", "bench__echo_request"},
        {"a.fooBar.V1.HTTPThing.Inner", "a__foo_bar__v1__httpthing__inner"},
        {"kw.class.int.foo_bar", "kw__class__int__foo_bar"},
        {"kw.class.int._x1y", "kw__class__int___x1y"},
        {"kw.class.int.Ab9C", "kw__class__int__ab9_c"},
    };
    check_all(name_type, type, COUNT(type));
    check_all(name_symbol, symbol, COUNT(symbol));
}

static void members(void **state)
{
    (void)state;
    static const struct pair snake[] = {
        {"Send", "send"},      {"GetURL", "get_url"},     {"URLGet", "urlget"},
        {"getIDs", "get_ids"}, {"Get2Keys", "get2_keys"}, {"A", "a"},
        {"_A", "__a"},         {"do_It", "do__it"},
    };
    static const struct pair field[] = {
        {"groupId", "groupid"},
        {"Default", "default_"},
        {"xor_eq", "xor_eq_"},
        {"restrict", "restrict"},
    };
    static const struct pair member[] = {
        {"Delete", "delete_"},
        {"Restrict", "restrict_"},
        {"Send", "send"},
        {"ThreadLocal", "thread_local_"},
    };
    check_all(name_snake, snake, COUNT(snake));
    check_all(name_field, field, COUNT(field));
    check_all(name_member, member, COUNT(member));
}

static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *package;
        const char *service;
        const char *prefix;
    } cases[] = {
        {"hearth.v1", "Queue", "hearth_queue"},
        {"hearth", "QueueAdmin", "hearth_queue_admin"},
        {"hearthside", "Queue", "hearthside_queue"},
        {"bench", "Echo", "bench_echo"},
        {"grpc.health.v1", "Health", "grpc_health_v1_health"},
        {"fooBar", "HTTPService", "foo_bar_httpservice"},
        {"", "Echo", "echo"},
    };
    struct arena arena;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(name_prefix(&arena, cases[i].package, cases[i].service),
                            cases[i].prefix);
    assert_string_equal(name_guard(&arena, "a-b/c.d_1"), "A_B_C_D_1");
    arena_clear(&arena);
    assert_true(name_is_reserved("hearth_call"));
    assert_false(name_is_reserved("hearth_queue"));
}

static void what_is_a_name(void **state)
{
    (void)state;
    char longest[PLUGIN_NAME_BYTES + 2];
    memset(longest, 'a', sizeof longest);
    longest[PLUGIN_NAME_BYTES + 1] = '\0';
    assert_false(name_is_identifier(longest));
    longest[PLUGIN_NAME_BYTES] = '\0';
    assert_true(name_is_identifier(longest));

    static const char *const bad[] = {"",   "9a",       "a b", "a-b", "a.b", "a\"",
                                      "*/", "\xc3\xa9", "a\n", "a[",  "a`"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(name_is_identifier(bad[i]));
    assert_true(name_is_identifier("_aZ9"));

    static const char *const bad_packages[] = {".", "a.", ".a", "a..b", "a.9", "a/b", "9"};
    for (size_t i = 0; i < COUNT(bad_packages); i++)
        assert_false(name_is_package(bad_packages[i]));
    assert_true(name_is_package(""));
    assert_true(name_is_package("a.b_1.C"));

    static const char *const bad_files[] = {"",     "/etc/x.proto", "../x", "a/../b",
                                            "a\"b", "a b",          "a\\b", "a\nb"};
    for (size_t i = 0; i < COUNT(bad_files); i++)
        assert_false(name_is_file(bad_files[i]));
    assert_true(name_is_file("google/rpc/error_details-2+x.proto"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_symbols),
        cmocka_unit_test(members),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(what_is_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
