/* Requests that protoc would not send, and those whose names would do harm in C. */
#include "support/test.h"

#include "google/protobuf/compiler/plugin.pb-c.h"
#include "proto/plugin/plugin.h"

typedef Google__Protobuf__Compiler__CodeGeneratorRequest pb_request;
typedef Google__Protobuf__Compiler__CodeGeneratorResponse pb_response;
typedef Google__Protobuf__FileDescriptorProto pb_file;
typedef Google__Protobuf__DescriptorProto pb_message;
typedef Google__Protobuf__FieldDescriptorProto pb_field;
typedef Google__Protobuf__ServiceDescriptorProto pb_service;
typedef Google__Protobuf__MethodDescriptorProto pb_method;

/* One file with a message of one field and a service of one rpc, all of whose names can be changed.
 */
struct sample {
    pb_request request;
    pb_file file, *files[2];
    pb_message message, *messages[1];
    pb_field field, *fields[1];
    pb_service service, *services[1];
    pb_method method, *methods[1];
    char *generate[1];
    char *imports[1];
};

static void text(char **to, const char *from)
{
    free(*to);
    *to = strdup(from);
}

static void sample_open(struct sample *s)
{
    memset(s, 0, sizeof *s);
    google__protobuf__compiler__code_generator_request__init(&s->request);
    google__protobuf__file_descriptor_proto__init(&s->file);
    google__protobuf__descriptor_proto__init(&s->message);
    google__protobuf__field_descriptor_proto__init(&s->field);
    google__protobuf__service_descriptor_proto__init(&s->service);
    google__protobuf__method_descriptor_proto__init(&s->method);
    text(&s->file.name, "a.proto");
    text(&s->file.package, "pack");
    text(&s->message.name, "Message");
    text(&s->field.name, "field");
    text(&s->service.name, "Service");
    text(&s->method.name, "Method");
    text(&s->method.input_type, ".pack.Message");
    text(&s->method.output_type, ".pack.Message");
    text(&s->generate[0], "a.proto");
    text(&s->request.parameter, "policy=optional");
    text(&s->imports[0], "b.proto");
    s->field.has_type = true;
    s->field.type = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT32;
    s->files[0] = s->files[1] = &s->file;
    s->request.proto_file = s->files;
    s->request.n_proto_file = 1;
    s->request.file_to_generate = s->generate;
    s->request.n_file_to_generate = 1;
    s->messages[0] = &s->message;
    s->file.message_type = s->messages;
    s->file.n_message_type = 1;
    s->fields[0] = &s->field;
    s->message.field = s->fields;
    s->message.n_field = 1;
    s->services[0] = &s->service;
    s->file.service = s->services;
    s->file.n_service = 1;
    s->methods[0] = &s->method;
    s->service.method = s->methods;
    s->service.n_method = 1;
}

static void sample_close(struct sample *s)
{
    free(s->file.name);
    free(s->file.package);
    free(s->message.name);
    free(s->field.name);
    free(s->service.name);
    free(s->method.name);
    free(s->method.input_type);
    free(s->method.output_type);
    free(s->generate[0]);
    free(s->imports[0]);
    free(s->request.parameter);
}

static pb_response *run(const struct sample *s)
{
    struct buf in = BUF_INIT;
    struct buf out = BUF_INIT;
    size_t len = google__protobuf__compiler__code_generator_request__get_packed_size(&s->request);
    google__protobuf__compiler__code_generator_request__pack(&s->request, buf_extend(&in, len));
    assert_ok(plugin_run(buf_view(&in), &out));
    pb_response *response =
        google__protobuf__compiler__code_generator_response__unpack(NULL, out.len, out.data);
    assert_non_null(response);
    buf_clear(&in);
    buf_clear(&out);
    return response;
}

static void assert_refused(const struct sample *s, const char *why)
{
    pb_response *response = run(s);
    assert_non_null(response->error);
    if (strstr(response->error, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", response->error, why);
    assert_int_equal(response->n_file, 0);
    google__protobuf__compiler__code_generator_response__free_unpacked(response, NULL);
}

static void the_sample_is_good(void **state)
{
    (void)state;
    struct sample s;
    sample_open(&s);
    pb_response *response = run(&s);
    assert_null(response->error);
    assert_int_equal(response->n_file, 2);
    assert_string_equal(response->file[0]->name, "a_rpc.h");
    assert_string_equal(response->file[1]->name, "a_rpc.c");
    assert_non_null(strstr(response->file[0]->content, "pack_service_method("));
    google__protobuf__compiler__code_generator_response__free_unpacked(response, NULL);
    sample_close(&s);
}

static void harmful_names_are_refused(void **state)
{
    (void)state;
    static const char harmful[] = "x; int main(";
    struct sample s;
    for (int i = 0; i < 6; i++) {
        sample_open(&s);
        char **const names[] = {&s.file.package, &s.message.name, &s.field.name,
                                &s.service.name, &s.method.name,  &s.file.name};
        text(names[i], harmful);
        assert_refused(&s, i == 0   ? "a.proto: the package is not identifiers"
                           : i == 5 ? "request: a file name with other than"
                                    : "a.proto: a name that is not an identifier");
        sample_close(&s);
    }
    sample_open(&s);
    free(s.method.name);
    s.method.name = NULL;
    assert_refused(&s, "a.proto: a name that is not an identifier");
    sample_close(&s);
}

static void what_is_not_there_is_refused(void **state)
{
    (void)state;
    struct sample s;
    sample_open(&s);
    text(&s.method.input_type, ".pack.Other");
    assert_refused(&s, "a.proto: rpc Method: its types are not in the request");
    sample_close(&s);

    sample_open(&s);
    s.field.type = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE;
    assert_refused(&s, "a.proto: field field: its type is not in the request");
    sample_close(&s);

    sample_open(&s);
    text(&s.generate[0], "c.proto");
    assert_refused(&s, "request: a file to generate is not in the request");
    sample_close(&s);

    sample_open(&s);
    s.file.dependency = s.imports;
    s.file.n_dependency = 1;
    assert_refused(&s, "a.proto: an import is not in the request");
    text(&s.imports[0], "a.proto"); /* itself */
    assert_refused(&s, "a.proto: an import is not in the request");
    sample_close(&s);

    sample_open(&s);
    s.request.n_proto_file = 2;
    assert_refused(&s, "a.proto: the file is in the request twice");
    sample_close(&s);
}

static void policy_is_required_by_default(void **state)
{
    (void)state;
    struct sample s;
    sample_open(&s);
    text(&s.request.parameter, "");
    assert_refused(
        &s, "refused\na.proto: rpc Method: no (hearth.policy)"); /* no source info: no line */
    sample_close(&s);
}

static void refusals_are_counted_out(void **state)
{
    (void)state;
    enum { METHODS = PLUGIN_REFUSALS + 5 };
    struct sample s;
    sample_open(&s);
    pb_method *methods[METHODS];
    for (size_t i = 0; i < METHODS; i++)
        methods[i] = &s.method;
    s.service.method = methods;
    s.service.n_method = METHODS;
    text(&s.request.parameter, "policy=required");
    assert_refused(&s, "\nand more");
    pb_response *response = run(&s);
    size_t lines = 0;
    for (const char *c = response->error; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, PLUGIN_REFUSALS + 1); /* "refused" before, "and more" behind */
    google__protobuf__compiler__code_generator_response__free_unpacked(response, NULL);
    sample_close(&s);
}

static void what_is_no_request_is_an_error(void **state)
{
    (void)state;
    static const char *const broken[] = {"ff", "0aff", "7a02", "7a010a", "7b"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct buf in = test_unhex(broken[i]);
        struct buf out = BUF_INIT;
        assert_err(plugin_run(buf_view(&in), &out), WIRE_VALUE);
        assert_int_equal(out.len, 0);
        buf_clear(&in);
    }
    struct buf out = BUF_INIT;
    uint8_t *large = calloc(1, PLUGIN_REQUEST_BYTES + 1);
    assert_non_null(large);
    assert_err(plugin_run(bytes_of(large, PLUGIN_REQUEST_BYTES + 1), &out), TOO_LARGE);
    free(large);
}

/* Message types within message types, deeper than is looked at. */
static void depth_is_bounded(void **state)
{
    (void)state;
    enum { LEVELS = 60 };
    struct sample s;
    sample_open(&s);
    pb_message level[LEVELS];
    pb_message *list[LEVELS];
    static char name[] = "Level";
    for (size_t i = 0; i < LEVELS; i++) {
        google__protobuf__descriptor_proto__init(&level[i]);
        level[i].name = name;
        list[i] = &level[i];
    }
    for (size_t i = 0; i + 1 < LEVELS; i++) {
        level[i].nested_type = &list[i + 1];
        level[i].n_nested_type = 1;
    }
    s.message.nested_type = &list[LEVELS - (PLUGIN_DEPTH - 3)];
    s.message.n_nested_type = 1;
    pb_response *response = run(&s);
    assert_null(response->error);
    google__protobuf__compiler__code_generator_response__free_unpacked(response, NULL);

    s.message.nested_type = &list[LEVELS - (PLUGIN_DEPTH - 2)];
    struct buf in = BUF_INIT;
    struct buf out = BUF_INIT;
    size_t len = google__protobuf__compiler__code_generator_request__get_packed_size(&s.request);
    google__protobuf__compiler__code_generator_request__pack(&s.request, buf_extend(&in, len));
    assert_err(plugin_run(buf_view(&in), &out), WIRE_VALUE);
    buf_clear(&in);
    sample_close(&s);
}

static void services_are_stripped(void **state)
{
    (void)state;
    struct sample s;
    sample_open(&s);
    struct buf in = BUF_INIT;
    struct buf out = BUF_INIT;
    size_t len = google__protobuf__compiler__code_generator_request__get_packed_size(&s.request);
    google__protobuf__compiler__code_generator_request__pack(&s.request, buf_extend(&in, len));
    assert_ok(plugin_strip_services(buf_view(&in), &out));
    /* what is left is what the sample would be without any */
    s.file.n_service = 0;
    struct buf want = BUF_INIT;
    len = google__protobuf__compiler__code_generator_request__get_packed_size(&s.request);
    google__protobuf__compiler__code_generator_request__pack(&s.request, buf_extend(&want, len));
    assert_true(out.len < in.len);
    assert_true(bytes_equal(buf_view(&out), buf_view(&want)));
    buf_clear(&want);
    buf_clear(&out);
    sample_close(&s);
    /* cut short it is refused, or is a request that ends before its file */
    for (size_t cut = 0; cut < in.len; cut++) {
        struct err err = plugin_strip_services(bytes_of(in.data, cut), &out);
        if (!err_is_ok(err)) {
            assert_err(err, WIRE_VALUE);
            assert_int_equal(out.len, 0);
        }
        buf_clear(&out);
    }
    assert_err(plugin_strip_services(bytes_of(in.data, in.len - 1), &out), WIRE_VALUE);
    buf_clear(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sample_is_good),
        cmocka_unit_test(harmful_names_are_refused),
        cmocka_unit_test(what_is_not_there_is_refused),
        cmocka_unit_test(policy_is_required_by_default),
        cmocka_unit_test(refusals_are_counted_out),
        cmocka_unit_test(what_is_no_request_is_an_error),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(services_are_stripped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
