/* The rule of a field: decoded from its options and checked for sense. */
#include "proto/plugin/model.h"

enum { RULE_OPTION = 50101 };

struct rule_place {
    const struct proto_file *file;
    const struct model_field *field;
    unsigned line;
    struct report *report; /* or NULL: not a file that is generated now */
};

static void refuse(const struct rule_place *place, bool broken, const char *what)
{
    if (broken && place->report != NULL)
        report_add(place->report, place->file->proto->name, place->line, "field %s: %s",
                   place->field->proto->name, what);
}

static void check_sizes(const struct rule_place *place, const Hearth__Rule *rule)
{
    const struct model_field *field = place->field;
    bool sized = field->kind == KIND_STRING || field->kind == KIND_BYTES;
    bool said = rule->exact_bytes != 0 || rule->min_bytes != 0 || rule->max_bytes != 0;
    refuse(place, said && !sized, "exact_bytes, min_bytes and max_bytes are for bytes and string");
    refuse(place, rule->exact_bytes != 0 && (rule->min_bytes != 0 || rule->max_bytes != 0),
           "exact_bytes leaves nothing to min_bytes and max_bytes");
    refuse(place, rule->max_bytes != 0 && rule->min_bytes > rule->max_bytes,
           "min_bytes is above max_bytes");
}

static void check_numbers(const struct rule_place *place, const Hearth__Rule *rule)
{
    const struct model_field *field = place->field;
    bool number =
        field->kind == KIND_SIGNED || field->kind == KIND_UNSIGNED || field->kind == KIND_FLOAT;
    bool said = rule->min != 0 || rule->max != 0;
    refuse(place, said && !number, "min and max are for numbers");
    refuse(place, rule->max != 0 && rule->min > rule->max, "min is above max");
    refuse(place, number && (rule->min > field->largest || rule->max > field->largest),
           "min or max is above what the type can hold");
    refuse(place, rule->known_enum && field->kind != KIND_ENUM, "known_enum is for enums");
}

static void check_items(const struct rule_place *place, const Hearth__Rule *rule)
{
    const struct model_field *field = place->field;
    bool said = rule->min_items != 0 || rule->max_items != 0;
    refuse(place, said && !field->repeated, "min_items and max_items are for repeated fields");
    refuse(place, rule->max_items != 0 && rule->min_items > rule->max_items,
           "min_items is above max_items");
    refuse(place, rule->required && field->repeated,
           "required is for single fields; here min_items says it");
    bool plain = field->kind == KIND_BOOL && !field->has_presence && field->one_of == NULL &&
                 !field->repeated;
    refuse(place, rule->required && plain,
           "required would forbid false: proto3 can't tell it from unset");
}

static bool is_empty(const Hearth__Rule *rule)
{
    return rule->exact_bytes == 0 && rule->min_bytes == 0 && rule->max_bytes == 0 &&
           rule->min == 0 && rule->max == 0 && rule->min_items == 0 && rule->max_items == 0 &&
           !rule->required && !rule->known_enum;
}

struct err rule_read(const struct model *model, const struct proto_file *file,
                     struct model_field *field, const struct proto_path *path,
                     struct report *report)
{
    struct arena *arena = model->request->arena;
    bool found = false;
    struct bytes value;
    if (field->proto->options == NULL || !file->knows_hearth)
        return ERR_OK;
    TRY(option_find(&field->proto->options->base, RULE_OPTION, arena, &found, &value));
    if (!found)
        return ERR_OK;
    struct proto_path option = *path;
    option.step[option.len++] = 8; /* FieldDescriptorProto.options */
    option.step[option.len++] = RULE_OPTION;
    struct rule_place place = {file, field, file_line(file, option.step, option.len), report};

    Hearth__Rule *decoded = hearth__rule__unpack(NULL, value.len, value.data);
    refuse(&place, decoded == NULL, "the rule can't be decoded");
    if (decoded == NULL)
        return ERR_OK;
    Hearth__Rule *rule = arena_copy(arena, decoded, sizeof *decoded);
    hearth__rule__free_unpacked(decoded, NULL);
    if (rule == NULL)
        return ERR(NO_MEMORY);
    rule->base = (ProtobufCMessage)PROTOBUF_C_MESSAGE_INIT(&hearth__rule__descriptor);
    refuse(&place, is_empty(rule), "the rule says nothing");
    check_sizes(&place, rule);
    check_numbers(&place, rule);
    check_items(&place, rule);
    field->rule = rule;
    return ERR_OK;
}
