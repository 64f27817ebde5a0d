/* The checks that rules.proto and other.proto give: each rule just below, at and just above its
 * limit. */
#include "support/test.h"

#include <math.h>

#include "golden/other_rpc.h"
#include "golden/rules_rpc.h"
#include "hearth/rpc.h"

typedef Hearth__Golden__V1__Sizes sizes_type;
typedef Hearth__Golden__V1__Numbers numbers_type;
typedef Hearth__Golden__V1__Leaf leaf_type;
typedef Hearth__Golden__V1__Tree tree_type;

enum { DEPTH = 32 };

static struct hearth_broken_rule broken;

#define assert_holds(check) assert_true(check)
#define assert_broken(check, where, what)        \
    do {                                         \
        broken = (struct hearth_broken_rule){0}; \
        assert_false(check);                     \
        assert_string_equal(broken.path, where); \
        assert_string_equal(broken.text, what);  \
    } while (0)

static uint8_t some_bytes[16];

static ProtobufCBinaryData bytes_of_len(size_t len)
{
    return (ProtobufCBinaryData){len, some_bytes};
}

static char *text_of_len(size_t len)
{
    static char text[] = "abcdefghijkl";
    return text + sizeof text - 1 - len;
}

static sizes_type good_sizes(void)
{
    sizes_type m;
    hearth__golden__v1__sizes__init(&m);
    m.exact = bytes_of_len(4);
    m.least = bytes_of_len(2);
    m.most = bytes_of_len(3);
    m.exact_text = text_of_len(4);
    m.between = text_of_len(2);
    return m;
}

static bool sizes(const sizes_type *m)
{
    return hearth__golden__v1__sizes__check(m, DEPTH, &broken);
}

static void sizes_at_their_limits(void **state)
{
    (void)state;
    sizes_type m = good_sizes();
    assert_holds(sizes(&m));
    for (size_t len = 3; len <= 5; len += 2) {
        m = good_sizes();
        m.exact = bytes_of_len(len);
        assert_broken(sizes(&m), "exact", "must be 4 bytes");
        m = good_sizes();
        m.exact_text = text_of_len(len);
        assert_broken(sizes(&m), "exact_text", "must be 4 bytes");
    }
    m = good_sizes();
    m.least = bytes_of_len(1);
    assert_broken(sizes(&m), "least", "must be at least 2 bytes");
    m.least = bytes_of_len(3);
    assert_holds(sizes(&m));
    m.most = bytes_of_len(4);
    assert_broken(sizes(&m), "most", "must be at most 3 bytes");
    m.most = bytes_of_len(0);
    assert_holds(sizes(&m));
    m.between = text_of_len(1);
    assert_broken(sizes(&m), "between", "must be at least 2 bytes");
    m.between = text_of_len(3);
    assert_holds(sizes(&m));
    m.between = text_of_len(4);
    assert_broken(sizes(&m), "between", "must be at most 3 bytes");
    m = good_sizes();
    m.one = bytes_of_len(1);
    assert_holds(sizes(&m));
    m.one = bytes_of_len(2);
    assert_broken(sizes(&m), "one", "must be at most 1 byte");
    /* proto3 can't tell unset from empty: both are 0 bytes, and not 4 */
    hearth__golden__v1__sizes__init(&m);
    assert_broken(sizes(&m), "exact", "must be 4 bytes");
}

static numbers_type good_numbers(void)
{
    numbers_type m;
    hearth__golden__v1__numbers__init(&m);
    m.small = 2;
    m.unsigned_ = 10;
    m.huge = UINT64_MAX;
    m.fraction = 1;
    return m;
}

static bool numbers(const numbers_type *m)
{
    return hearth__golden__v1__numbers__check(m, DEPTH, &broken);
}

static void numbers_at_their_limits(void **state)
{
    (void)state;
    numbers_type m = good_numbers();
    assert_holds(numbers(&m));
    m.small = 1;
    assert_broken(numbers(&m), "small", "must be at least 2");
    m.small = -3;
    assert_broken(numbers(&m), "small", "must be at least 2");
    m.small = 5;
    assert_holds(numbers(&m));
    m.small = 6;
    assert_broken(numbers(&m), "small", "must be at most 5");
    m = good_numbers();
    m.large = 7;
    assert_holds(numbers(&m));
    m.large = 8;
    assert_broken(numbers(&m), "large", "must be at most 7");
    m.large = INT64_MIN; /* max alone says nothing about below zero */
    assert_holds(numbers(&m));
    m.unsigned_ = 9;
    assert_broken(numbers(&m), "unsigned", "must be at least 10");
    m.unsigned_ = 20;
    assert_holds(numbers(&m));
    m.unsigned_ = 21;
    assert_broken(numbers(&m), "unsigned", "must be at most 20");
    m = good_numbers();
    m.huge = UINT64_MAX - 1;
    assert_broken(numbers(&m), "huge", "must be at least 18446744073709551615");
    m = good_numbers();
    m.fraction = 0x1.fffffffffffffp-1;
    assert_broken(numbers(&m), "fraction", "must be at least 1");
    m.fraction = 2;
    assert_holds(numbers(&m));
    m.fraction = 0x1.0000000000001p+1;
    assert_broken(numbers(&m), "fraction", "must be at most 2");
    m.fraction = (double)NAN;
    assert_broken(numbers(&m), "fraction", "must be at least 1");
    m = good_numbers();
    m.any = UINT32_MAX;
    assert_holds(numbers(&m));
}

static void enums_that_are_known(void **state)
{
    (void)state;
    static const struct {
        int value;
        bool known;
    } cases[] = {{-1, false}, {0, true}, {1, true}, {2, false}, {4, false}, {5, true}, {6, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        numbers_type m = good_numbers();
        m.colour = (Hearth__Golden__V1__Colour)cases[i].value;
        if (cases[i].known)
            assert_holds(numbers(&m));
        else
            assert_broken(numbers(&m), "colour", "must be a value that the .proto names");
    }
}

static void required_fields(void **state)
{
    (void)state;
    Hearth__Golden__V1__Empty empty;
    hearth__golden__v1__empty__init(&empty);
    Hearth__Golden__V1__Required full;
    hearth__golden__v1__required__init(&full);
    full.message = &empty;
    full.text = text_of_len(1);
    full.data = bytes_of_len(1);
    full.number = -1;
    full.colour = HEARTH__GOLDEN__V1__COLOUR__COLOUR_BLUE;
    full.fraction = -0.5f;
#define check(m) hearth__golden__v1__required__check(&(m), DEPTH, &broken)
    assert_holds(check(full));
    Hearth__Golden__V1__Required m = full;
    m.message = NULL;
    assert_broken(check(m), "message", "must be set");
    m = full;
    m.text = text_of_len(0);
    assert_broken(check(m), "text", "must be set");
    m = full;
    m.data = bytes_of_len(0);
    assert_broken(check(m), "data", "must be set");
    m = full;
    m.number = 0;
    assert_broken(check(m), "number", "must be set");
    m = full;
    m.colour = 0;
    assert_broken(check(m), "colour", "must be set");
    m = full;
    m.fraction = 0;
    assert_broken(check(m), "fraction", "must be set");
#undef check
}

static void repeated_fields(void **state)
{
    (void)state;
    uint32_t numbers_in[] = {9, 9, 9, 9};
    ProtobufCBinaryData ids[] = {bytes_of_len(2), bytes_of_len(2)};
    Hearth__Golden__V1__Colour colours[] = {5, 2};
    Hearth__Golden__V1__Repeated m;
    hearth__golden__v1__repeated__init(&m);
#define check() hearth__golden__v1__repeated__check(&m, DEPTH, &broken)
    assert_broken(check(), "numbers", "must have at least 1 element");
    m.numbers = numbers_in;
    m.n_numbers = 1;
    assert_holds(check());
    m.n_numbers = 3;
    assert_holds(check());
    m.n_numbers = 4;
    assert_broken(check(), "numbers", "must have at most 3 elements");
    m.n_numbers = 3;
    numbers_in[2] = 10;
    assert_broken(check(), "numbers[2]", "must be at most 9");
    numbers_in[2] = 0;
    m.ids = ids;
    m.n_ids = 2;
    assert_holds(check());
    ids[1] = bytes_of_len(3);
    assert_broken(check(), "ids[1]", "must be 2 bytes");
    m.n_ids = 1;
    m.colours = colours;
    m.n_colours = 2;
    assert_broken(check(), "colours[1]", "must be a value that the .proto names");
    m.n_colours = 1;
    assert_holds(check());
#undef check
}

static void maps_check_their_values(void **state)
{
    (void)state;
    uint32_t one = 1;
    leaf_type leaf;
    hearth__golden__v1__leaf__init(&leaf);
    leaf.name = text_of_len(8);
    Hearth__Golden__V1__Repeated__LeavesEntry entries[3];
    Hearth__Golden__V1__Repeated__LeavesEntry *list[] = {&entries[0], &entries[1], &entries[2]};
    for (size_t i = 0; i < 3; i++) {
        hearth__golden__v1__repeated__leaves_entry__init(&entries[i]);
        entries[i].value =
            i == 1 ? NULL : &leaf; /* protobuf-c leaves out a value that was not sent */
    }
    Hearth__Golden__V1__Repeated m;
    hearth__golden__v1__repeated__init(&m);
    m.n_numbers = 1;
    m.numbers = &one;
    m.leaves = list;
    m.n_leaves = 2;
#define check() hearth__golden__v1__repeated__check(&m, DEPTH, &broken)
    assert_holds(check());
    m.n_leaves = 3;
    assert_broken(check(), "leaves", "must have at most 2 elements");
    m.n_leaves = 2;
    leaf.name = text_of_len(9);
    assert_broken(check(), "leaves[0].value.name", "must be at most 8 bytes");
#undef check
}

static void oneofs_check_what_is_chosen(void **state)
{
    (void)state;
    Hearth__Golden__V1__Choice m;
    leaf_type leaf;
    hearth__golden__v1__leaf__init(&leaf);
    hearth__golden__v1__choice__init(&m);
#define check() hearth__golden__v1__choice__check(&m, DEPTH, &broken)
    assert_broken(check(), "which_One", "one of its members must be set");
    m.which__one_case = HEARTH__GOLDEN__V1__CHOICE__WHICH__ONE_DATA;
    m.data = bytes_of_len(2);
    assert_holds(check());
    m.data = bytes_of_len(1);
    assert_broken(check(), "data", "must be 2 bytes");
    m.which__one_case = HEARTH__GOLDEN__V1__CHOICE__WHICH__ONE_NUMBER;
    m.number = 2;
    assert_broken(check(), "number", "must be at least 3");
    m.number = 3;
    assert_holds(check());
    m.which__one_case = HEARTH__GOLDEN__V1__CHOICE__WHICH__ONE_LEAF;
    m.leaf = &leaf;
    assert_broken(check(), "leaf.name", "must be at least 1 byte");
    m.which__one_case = HEARTH__GOLDEN__V1__CHOICE__WHICH__ONE_DEFAULT;
    m.default_ = text_of_len(2);
    assert_broken(check(), "default", "must be at most 1 byte");
    m.default_ = text_of_len(1);
    assert_holds(check());
#undef check
}

/* proto2: a rule holds for what is there. */
static void presence_in_proto2(void **state)
{
    (void)state;
    Hearth__Golden__V1__Other m;
    hearth__golden__v1__other__init(&m);
#define check() hearth__golden__v1__other__check(&m, DEPTH, &broken)
    assert_broken(check(), "flag", "must be set");
    m.has_flag = true; /* false is a value too */
    assert_holds(check());
    m.always = 5;
    assert_broken(check(), "always", "must be at most 4");
    m.always = 4;
    m.number = 2;
    assert_holds(check());
    m.has_number = true;
    assert_broken(check(), "number", "must be at least 3");
    m.has_number = false;
    m.text = text_of_len(1);
    assert_broken(check(), "text", "must be at least 2 bytes");
    m.text = text_of_len(2);
    m.has_data = true;
    m.data = bytes_of_len(1);
    assert_broken(check(), "data", "must be at least 2 bytes");
    m.data = bytes_of_len(2);
    assert_holds(check());
#undef check
}

static void holders_check_what_they_hold(void **state)
{
    (void)state;
    Hearth__Golden__V1__Holder m;
    Hearth__Golden__V1__Other other;
    leaf_type leaf;
    hearth__golden__v1__holder__init(&m);
    hearth__golden__v1__other__init(&other);
    hearth__golden__v1__leaf__init(&leaf);
#define check() hearth__golden__v1__holder__check(&m, DEPTH, &broken)
    assert_holds(check());
    m.namespace_ = &leaf;
    assert_broken(check(), "namespace.name", "must be at least 1 byte");
    m.other = &other;
    assert_broken(check(), "other.flag", "must be set");
#undef check
}

/* A tree of n levels in a row, the lowest with a leaf without a name. */
static void recursion_is_bounded(void **state)
{
    (void)state;
    enum { LEVELS = 40 };
    tree_type level[LEVELS];
    tree_type *child[LEVELS];
    for (size_t i = 0; i < LEVELS; i++) {
        hearth__golden__v1__tree__init(&level[i]);
        child[i] = &level[i];
        if (i > 0) {
            level[i - 1].children = &child[i];
            level[i - 1].n_children = 1;
        }
    }
#define check(top) hearth__golden__v1__tree__check(&level[top], DEPTH, &broken)
    assert_holds(check(LEVELS - DEPTH));
    assert_false(check(LEVELS - DEPTH - 1));
    assert_string_equal(broken.text, "lies too deep");
    leaf_type leaf;
    hearth__golden__v1__leaf__init(&leaf);
    level[LEVELS - 1].leaf = &leaf;
    assert_broken(check(LEVELS - 3), "children[0].children[0].leaf.name",
                  "must be at least 1 byte");
#undef check
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_at_their_limits),
        cmocka_unit_test(numbers_at_their_limits),
        cmocka_unit_test(enums_that_are_known),
        cmocka_unit_test(required_fields),
        cmocka_unit_test(repeated_fields),
        cmocka_unit_test(maps_check_their_values),
        cmocka_unit_test(oneofs_check_what_is_chosen),
        cmocka_unit_test(presence_in_proto2),
        cmocka_unit_test(holders_check_what_they_hold),
        cmocka_unit_test(recursion_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
