/* SPDX-License-Identifier: MIT
 *
 * info.c - which blob this is, and whether it is the one that is needed.
 *
 * In: a blob. Out: the superblock's fields; the first difference from an
 * engine's requirement, with the command that makes the right blob.
 *
 * Invariant: the fields were proven by open; a blob is never adapted to an
 * engine, only refused.
 */
#include "ttsb_internal.h"

#include <inttypes.h>

/* A field of the superblock, which open has proven. */
static const uint8_t *at(const struct ttsb_blob *blob, size_t offset)
{
    return blob->bytes + offset;
}

static int32_t require_model(const struct ttsb_blob *blob, const char *model,
                             struct ttsb_error *error)
{
    const struct ttsb__fault fault = {
        .status = TTSB_WRONG_MODEL,
        .tensor = TTSB_NO_TENSOR,
        .offset = offsetof(struct ttsb_disk_superblock, model),
        .field = "model"};
    if (model == NULL || strcmp(model, ttsb__model(blob)) == 0)
        return TTSB_OK;
    return ttsb__fail(error, &fault,
                      "the blob is of the model '%.60s' and the engine needs "
                      "'%.60s'; " TTSB__REBUILD,
                      ttsb__model(blob), model);
}

static int32_t require_revision(const struct ttsb_blob *blob, uint64_t min,
                                uint64_t max, struct ttsb_error *error)
{
    struct ttsb__fault fault = {
        .status = TTSB_WRONG_REVISION,
        .tensor = TTSB_NO_TENSOR,
        .offset = offsetof(struct ttsb_disk_superblock, revision),
        .field = "revision"};
    fault.found = load_u64(at(blob, fault.offset));
    if (fault.found >= min && fault.found <= max)
        return TTSB_OK;
    fault.expected = fault.found < min ? min : max;
    return ttsb__fail(error, &fault,
                      "the blob is of revision %" PRIu64 " of '%.60s' and the "
                      "engine needs %" PRIu64 " to %" PRIu64 "; " TTSB__REBUILD,
                      fault.found, ttsb__model(blob), min, max);
}

static int32_t require_contract(const struct ttsb_blob *blob,
                                const uint8_t *contract_id,
                                struct ttsb_error *error)
{
    const size_t offset = offsetof(struct ttsb_disk_superblock, contract_id);
    const uint8_t *found = at(blob, offset);
    struct ttsb__fault fault = {.status = TTSB_WRONG_CONTRACT,
                                .tensor = TTSB_NO_TENSOR,
                                .offset = offset,
                                .field = "contract id"};
    if (contract_id == NULL || memcmp(found, contract_id, 16) == 0)
        return TTSB_OK;
    fault.found = ttsb__hash_head(found);
    fault.expected = ttsb__hash_head(contract_id);
    return ttsb__fail(error, &fault,
                      "the blob of '%.60s' has a contract id that begins with "
                      "%016" PRIx64 " and the engine's with %016" PRIx64
                      "; " TTSB__REBUILD,
                      ttsb__model(blob), fault.found, fault.expected);
}

int32_t ttsb_info(const struct ttsb_blob *blob, struct ttsb_info *info)
{
    struct ttsb_info value;
    if (blob == NULL || info == NULL)
        return TTSB_BAD_ARGUMENT;
    memset(&value, 0, sizeof(value));
    value.model = ttsb__model(blob);
    value.revision =
        load_u64(at(blob, offsetof(struct ttsb_disk_superblock, revision)));
    memcpy(value.contract_id,
           at(blob, offsetof(struct ttsb_disk_superblock, contract_id)), 16);
    memcpy(value.root, at(blob, offsetof(struct ttsb_disk_superblock, root)),
           16);
    value.file_size = blob->size;
    value.piece_count = blob->piece_count;
    value.tensor_count = blob->tensor_count;
    value.group_count = blob->group_count;
    value.constant_count = blob->constant_count;
    value.major =
        load_u16(at(blob, offsetof(struct ttsb_disk_superblock, major)));
    value.minor =
        load_u16(at(blob, offsetof(struct ttsb_disk_superblock, minor)));
    value.incompat =
        load_u64(at(blob, offsetof(struct ttsb_disk_superblock, incompat)));
    value.compat =
        load_u64(at(blob, offsetof(struct ttsb_disk_superblock, compat)));
    value.partial = (value.incompat & TTSB_INCOMPAT_PARTIAL) != 0;
    return ttsb__fill(info, &value, sizeof(value)) ? TTSB_OK
                                                   : TTSB_BAD_ARGUMENT;
}

int32_t ttsb_require(const struct ttsb_blob *blob,
                     const struct ttsb_requirement *requirement,
                     struct ttsb_error *error)
{
    struct ttsb_requirement r;
    int32_t status;
    if (blob == NULL)
        return ttsb__bad_argument(error, "blob");
    if (requirement == NULL)
        return ttsb__bad_argument(error, "requirement");
    if (!ttsb__take(&r, requirement, sizeof(r), sizeof(r)))
        return ttsb__bad_argument(error, "requirement->struct_size");
    if (r.revision_min > r.revision_max)
        return ttsb__bad_argument(error, "requirement->revision_max");
    status = require_model(blob, r.model, error);
    if (status == TTSB_OK)
        status = require_revision(blob, r.revision_min, r.revision_max, error);
    if (status == TTSB_OK)
        status = require_contract(blob, r.contract_id, error);
    return status;
}
