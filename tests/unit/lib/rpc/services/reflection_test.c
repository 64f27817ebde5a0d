/* The index behind reflection, over the descriptors of real stubs. */
#include "support/test.h"

#include "golden/names_rpc.h"
#include "golden/shapes_rpc.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "rpc/services/reflection_index.h"

static struct bytes set_of(const struct hearth_service *service)
{
    return bytes_of(service->file_descriptors, service->file_descriptors_len);
}

static void index_open(struct reflection_index *index)
{
    *index = (struct reflection_index){0};
    arena_init(&index->arena, 16 << 20);
}

static void assert_in(const struct reflection_file *file, const char *name)
{
    assert_non_null(file);
    assert_string_equal(file->name, name);
}

static void names_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *symbol;
        const char *file;
    } cases[] = {
        {"hearth.golden.v1.Question", "golden/shapes.proto"},
        {"hearth.golden.v1.Question.id", "golden/shapes.proto"},
        {"hearth.golden.v1.Shapes", "golden/shapes.proto"},
        {"hearth.golden.v1.Shapes.Talk", "golden/shapes.proto"},
        {"hearth.policy", "hearth/options.proto"}, /* an extension */
        {"hearth.Caller", "hearth/options.proto"},
        {"hearth.CALLER_NONE", "hearth/options.proto"}, /* values are siblings of their enum */
        {"google.protobuf.FieldDescriptorProto.Type", "google/protobuf/descriptor.proto"},
        {"google.protobuf.FieldDescriptorProto.TYPE_GROUP", "google/protobuf/descriptor.proto"},
        {"google.protobuf.SourceCodeInfo.Location.span", "google/protobuf/descriptor.proto"},
        {"golden.fooBar.Outer.InnerThing", "golden/names.proto"},
        {"golden.fooBar.Outer_two.MyMapEntry.value", "golden/names.proto"},
        {"golden.fooBar.HTTPService.GetURL", "golden/names.proto"},
        {"google.protobuf.Empty", "google/protobuf/empty.proto"},
    };
    struct reflection_index index;
    index_open(&index);
    assert_ok(reflection_index_add(&index, set_of(&hearth_shapes_descriptor)));
    assert_ok(reflection_index_add(&index, set_of(&golden_foo_bar_httpservice_descriptor)));
    assert_ok(reflection_index_add(&index, set_of(&hearth_shapes_descriptor))); /* known already */
    assert_ok(reflection_index_finish(&index));
    assert_int_equal(index.file_count, 5);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_in(reflection_find_symbol(&index, cases[i].symbol), cases[i].file);
    static const char *const nothing[] = {"",
                                          ".",
                                          "hearth",
                                          ".hearth.Caller",
                                          "hearth.Caller.CALLER_NONE",
                                          "hearth.golden.v1",
                                          "hearth.golden.v1.Question.",
                                          "zzz"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++)
        assert_null(reflection_find_symbol(&index, nothing[i]));
    assert_in(reflection_find_file(&index, "golden/names.proto"), "golden/names.proto");
    assert_null(reflection_find_file(&index, "names.proto"));
    arena_clear(&index.arena);
}

static void extensions_are_found(void **state)
{
    (void)state;
    struct reflection_index index;
    index_open(&index);
    assert_ok(reflection_index_add(&index, set_of(&hearth_shapes_descriptor)));
    assert_ok(reflection_index_finish(&index));
    static const char *const extended = "google.protobuf.MethodOptions";
    assert_in(reflection_find_extension(&index, extended, 50100), "hearth/options.proto");
    assert_in(reflection_find_extension(&index, "google.protobuf.FieldOptions", 50101),
              "hearth/options.proto");
    assert_null(reflection_find_extension(&index, extended, 50101));
    assert_null(reflection_find_extension(&index, "google.protobuf.FileOptions", 50100));
    int32_t *numbers = NULL;
    assert_int_equal(reflection_extension_numbers(&index, extended, &numbers), 1);
    assert_int_equal(numbers[0], 50100);
    assert_int_equal(reflection_extension_numbers(&index, "hearth.golden.v1.Question", &numbers),
                     0);
    arena_clear(&index.arena);
}

/* A file comes with all its imports, itself first, each once. */
static void closures_are_whole(void **state)
{
    (void)state;
    struct reflection_index index;
    index_open(&index);
    assert_ok(reflection_index_add(&index, set_of(&hearth_shapes_descriptor)));
    assert_ok(reflection_index_finish(&index));
    static const char *const order[] = {"golden/shapes.proto", "hearth/options.proto",
                                        "google/protobuf/descriptor.proto"};
    const struct reflection_file *file = reflection_find_file(&index, order[0]);
    assert_int_equal(file->closure_count, 3);
    for (size_t i = 0; i < 3; i++) {
        Google__Protobuf__FileDescriptorProto *proto =
            google__protobuf__file_descriptor_proto__unpack(NULL, file->closure[i].len,
                                                            file->closure[i].data);
        assert_non_null(proto);
        assert_string_equal(proto->name, order[i]);
        google__protobuf__file_descriptor_proto__free_unpacked(proto, NULL);
    }
    assert_int_equal(reflection_find_file(&index, order[2])->closure_count, 1);
    arena_clear(&index.arena);
}

static void broken_sets_are_refused(void **state)
{
    (void)state;
    struct reflection_index index;
    struct bytes good = set_of(&hearth_shapes_descriptor);
    /* cut anywhere, it is broken, or lacks an import, or is a shorter set that is whole */
    size_t whole = 0;
    for (size_t len = 0; len < good.len; len += len < 100 ? 1 : 37) {
        index_open(&index);
        struct err err = reflection_index_add(&index, bytes_of(good.data, len));
        whole += err_is_ok(err);
        if (!err_is_ok(err))
            assert_err(err, WIRE_VALUE);
        arena_clear(&index.arena);
    }
    assert_true(whole >= 1 && whole <= 3); /* empty, and after a whole file */

    /* the last file alone: its imports are missing */
    struct bytes rest = good;
    struct bytes last = good;
    while (rest.len > 0) {
        last = rest;
        size_t at = 1;
        size_t len = 0;
        for (unsigned shift = 0;; shift += 7) {
            len |= (size_t)(rest.data[at] & 0x7f) << shift;
            if (rest.data[at++] < 0x80)
                break;
        }
        rest = bytes_of(rest.data + at + len, rest.len - at - len);
    }
    index_open(&index);
    assert_ok(reflection_index_add(&index, last));
    assert_err(reflection_index_finish(&index), WIRE_VALUE);
    arena_clear(&index.arena);

    /* too little memory, at many places */
    for (size_t cap = 0; cap < 400000; cap += 20011) {
        arena_init(&index.arena, cap);
        struct arena arena = index.arena;
        index = (struct reflection_index){.arena = arena};
        struct err err = reflection_index_add(&index, good);
        if (err_is_ok(err))
            err = reflection_index_finish(&index);
        if (!err_is_ok(err))
            assert_err(err, NO_MEMORY);
        arena_clear(&index.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(extensions_are_found),
        cmocka_unit_test(closures_are_whole),
        cmocka_unit_test(broken_sets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
