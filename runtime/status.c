/* SPDX-License-Identifier: MIT
 *
 * status.c - what a status is called and how a failure is told.
 *
 * In: a status; the numbers of a failure. Out: stable names and texts; the
 * caller's struct ttsb_error, filled as far as its struct_size goes.
 *
 * Invariant: every failure of the library passes through ttsb__fail, so that
 * the status in the error is the one that is returned. Names of a file enter
 * a text only after they were found to be plain ASCII.
 */
#include "ttsb_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* No struct of any version is larger: a struct_size that was never set is
 * found before it does harm. */
#define MAX_STRUCT_SIZE 4096

struct status_words {
    const char *name;
    const char *text;
};

#define STATUS_END (TTSB_BUG + 1)

static const struct status_words statuses[STATUS_END] = {
    [TTSB_OK] = {"TTSB_OK", "all is well"},
    [TTSB_BAD_ARGUMENT] = {"TTSB_BAD_ARGUMENT", "an argument is not valid"},
    [TTSB_NOT_FOUND] = {"TTSB_NOT_FOUND", "nothing in the blob has this name"},
    [TTSB_ABSENT] = {"TTSB_ABSENT",
                     "the tensor is optional and the checkpoint lacked it"},
    [TTSB_MISSING] = {"TTSB_MISSING",
                      "the blob is partial and lacks this tensor"},
    [TTSB_WRONG_MODEL] = {"TTSB_WRONG_MODEL", "the blob is of another model"},
    [TTSB_WRONG_REVISION] = {"TTSB_WRONG_REVISION",
                             "the blob is of another revision of its spec"},
    [TTSB_WRONG_CONTRACT] = {"TTSB_WRONG_CONTRACT",
                             "the blob was made for another contract"},
    [TTSB_WRONG_TYPE] = {"TTSB_WRONG_TYPE",
                         "the constant holds items of another type"},
    [TTSB_OUT_OF_RANGE] = {"TTSB_OUT_OF_RANGE",
                           "the index is not below its count"},
    [TTSB_CANCELLED] = {"TTSB_CANCELLED", "the caller asked for an end"},
    [TTSB_WRONG_FILE] = {"TTSB_WRONG_FILE", "the file is not that of the blob"},
    [TTSB_TOO_SHORT] = {"TTSB_TOO_SHORT",
                        "the file is too short for a superblock"},
    [TTSB_BAD_MAGIC] = {"TTSB_BAD_MAGIC", "this is not a .ttsb file"},
    [TTSB_BAD_ENDIAN] = {"TTSB_BAD_ENDIAN", "the endian mark is wrong"},
    [TTSB_BAD_MAJOR] = {"TTSB_BAD_MAJOR",
                        "the container has another major version"},
    [TTSB_BAD_FEATURE] = {"TTSB_BAD_FEATURE",
                          "the file needs a feature that is unknown here"},
    [TTSB_IS_PARTIAL] = {"TTSB_IS_PARTIAL", "the blob is partial"},
    [TTSB_BAD_SELF_HASH] = {"TTSB_BAD_SELF_HASH", "the superblock is damaged"},
    [TTSB_BAD_FILE_SIZE] = {"TTSB_BAD_FILE_SIZE",
                            "the file does not have its size"},
    [TTSB_BAD_PREFIX] = {"TTSB_BAD_PREFIX", "the superblock has another size"},
    [TTSB_BAD_RESERVED] = {"TTSB_BAD_RESERVED",
                           "reserved bytes of the superblock are not zero"},
    [TTSB_BAD_ROOT] = {"TTSB_BAD_ROOT", "the root does not match"},
    [TTSB_BAD_MODEL_NAME] = {"TTSB_BAD_MODEL_NAME",
                             "the model's name is not valid"},
    [TTSB_BAD_SECTION_TABLE] = {"TTSB_BAD_SECTION_TABLE",
                                "the section table breaks a rule"},
    [TTSB_BAD_SECTION_SET] = {"TTSB_BAD_SECTION_SET",
                              "a section lacks, or is critical and unknown"},
    [TTSB_BAD_SECTION_HASH] = {"TTSB_BAD_SECTION_HASH",
                               "a critical section is damaged"},
    [TTSB_BAD_INDEX] = {"TTSB_BAD_INDEX", "the tensor index breaks a rule"},
    [TTSB_BAD_NAMES] = {"TTSB_BAD_NAMES", "the names break a rule"},
    [TTSB_BAD_ORDER] = {"TTSB_BAD_ORDER", "the order of names breaks a rule"},
    [TTSB_BAD_GROUPS] = {"TTSB_BAD_GROUPS", "the groups break a rule"},
    [TTSB_BAD_PIECES] = {"TTSB_BAD_PIECES",
                         "the list of pieces has another size"},
    [TTSB_BAD_CONST] = {"TTSB_BAD_CONST", "the constants break a rule"},
    [TTSB_OVER_LIMIT] = {"TTSB_OVER_LIMIT", "a number is beyond its limit"},
    [TTSB_DAMAGED_PIECE] = {"TTSB_DAMAGED_PIECE", "a tensor is damaged"},
    [TTSB_DAMAGED_PADDING] = {"TTSB_DAMAGED_PADDING",
                              "a padding byte is not zero"},
    [TTSB_DAMAGED_META] = {"TTSB_DAMAGED_META", "META is damaged"},
    [TTSB_DAMAGED_SECTION] = {"TTSB_DAMAGED_SECTION",
                              "an unknown section is damaged"},
    [TTSB_SYSTEM_OPEN] = {"TTSB_SYSTEM_OPEN", "the file cannot be opened"},
    [TTSB_SYSTEM_STAT] = {"TTSB_SYSTEM_STAT",
                          "the system does not tell the file's size"},
    [TTSB_SYSTEM_MAP] = {"TTSB_SYSTEM_MAP", "the file cannot be mapped"},
    [TTSB_SYSTEM_READ] = {"TTSB_SYSTEM_READ", "the file cannot be read"},
    [TTSB_SYSTEM_NOT_A_FILE] = {"TTSB_SYSTEM_NOT_A_FILE",
                                "this is no regular file"},
    [TTSB_NO_MEMORY] = {"TTSB_NO_MEMORY", "the system has no memory left"},
    [TTSB_DEVICE_MEMORY] = {"TTSB_DEVICE_MEMORY",
                            "the device has no memory for a group"},
    [TTSB_DEVICE_COPY] = {"TTSB_DEVICE_COPY", "a copy to the device failed"},
    [TTSB_DEVICE_CALL] = {"TTSB_DEVICE_CALL", "a call to the device failed"},
    [TTSB_BUG] = {"TTSB_BUG", "a bug in the library"},
};

static const struct status_words *words_of(int32_t status)
{
    static const struct status_words none = {"TTSB_?", "no status of ttsb"};
    if (status < 0 || status >= STATUS_END || statuses[status].name == NULL)
        return &none;
    return &statuses[status];
}

bool ttsb__fill(void *out, void *value, uint32_t size)
{
    uint32_t room;
    memcpy(&room, out, sizeof(room));
    if (room < size || room > MAX_STRUCT_SIZE)
        return false;
    memcpy(value, &room, sizeof(room));
    memcpy(out, value, size);
    memset((uint8_t *)out + size, 0, room - size);
    return true;
}

bool ttsb__take(void *value, const void *in, uint32_t size, uint32_t old)
{
    uint32_t given;
    memcpy(&given, in, sizeof(given));
    if ((given < size && given != old) || given > MAX_STRUCT_SIZE)
        return false;
    memcpy(value, in, given < size ? given : size);
    return given <= size || ttsb__first_nonzero((const uint8_t *)in + size,
                                                given - size) == given - size;
}

static bool is_blobs_fault(int32_t status)
{
    return status >= TTSB_TOO_SHORT && status < TTSB_SYSTEM_OPEN;
}

/* What to do, behind what is wrong; where the text says it already, or has no
 * room for it, it stays as it is. */
static void add_remedy(struct ttsb_error *error)
{
    static const char remedy[] = "; copy it again, or " TTSB__REBUILD;
    size_t n = strlen(error->text);
    if (strstr(error->text, TTSB__REBUILD) == NULL &&
        sizeof(remedy) <= sizeof(error->text) - n)
        memcpy(error->text + n, remedy, sizeof(remedy));
}

int32_t ttsb__fail(struct ttsb_error *error, const struct ttsb__fault *fault,
                   const char *format, ...)
{
    struct ttsb_error value = {.status = fault->status,
                               .system_errno = fault->system_errno,
                               .tensor = fault->tensor,
                               .offset = fault->offset,
                               .found = fault->found,
                               .expected = fault->expected};
    va_list args;
    if (error == NULL)
        return fault->status;
    snprintf(value.field, sizeof(value.field), "%s", fault->field);
    va_start(args, format);
    vsnprintf(value.text, sizeof(value.text), format, args);
    va_end(args);
    if (is_blobs_fault(fault->status))
        add_remedy(&value);
    ttsb__fill(error, &value, sizeof(value));
    return fault->status;
}

int32_t ttsb__bad_argument(struct ttsb_error *error, const char *argument)
{
    const struct ttsb__fault fault = {.status = TTSB_BAD_ARGUMENT,
                                      .tensor = TTSB_NO_TENSOR,
                                      .field = argument};
    return ttsb__fail(error, &fault, "the argument '%s' is not valid",
                      argument);
}

static struct ttsb__fault fault_of(const struct ttsb__walk *w,
                                   struct ttsb__field field)
{
    return (struct ttsb__fault){.status = w->status,
                                .tensor = w->tensor,
                                .offset = w->base + field.at,
                                .found = field.found,
                                .field = field.name};
}

bool ttsb__expect(struct ttsb__walk *w, struct ttsb__field field,
                  uint64_t expected)
{
    struct ttsb__fault fault = fault_of(w, field);
    if (field.found == expected)
        return true;
    fault.expected = expected;
    w->result = ttsb__fail(w->error, &fault,
                           "%s: '%s' at byte %" PRIu64 " is %" PRIu64
                           " and must be %" PRIu64,
                           ttsb_status_text(w->status), field.name,
                           fault.offset, field.found, expected);
    return false;
}

bool ttsb__at_most(struct ttsb__walk *w, struct ttsb__field field,
                   uint64_t limit)
{
    struct ttsb__fault fault = fault_of(w, field);
    if (field.found <= limit)
        return true;
    fault.status = TTSB_OVER_LIMIT;
    fault.expected = limit;
    w->result = ttsb__fail(w->error, &fault,
                           "%s: '%s' at byte %" PRIu64 " is %" PRIu64
                           " and may be %" PRIu64 " at most",
                           ttsb_status_text(fault.status), field.name,
                           fault.offset, field.found, limit);
    return false;
}

bool ttsb__refuse(struct ttsb__walk *w, struct ttsb__field field,
                  const char *rule)
{
    struct ttsb__fault fault = fault_of(w, field);
    w->result =
        ttsb__fail(w->error, &fault,
                   "%s: '%s' at byte %" PRIu64 " is %" PRIu64 " and must be %s",
                   ttsb_status_text(w->status), field.name, fault.offset,
                   field.found, rule);
    return false;
}

const char *ttsb_status_name(int32_t status)
{
    return words_of(status)->name;
}

const char *ttsb_status_text(int32_t status)
{
    return words_of(status)->text;
}

const char *ttsb_version(void)
{
    return TTSB_VERSION;
}
